// Dead letters: what could not be worked on, why, its bytes, and trying it again.

import { all, get, named, post } from "../api.js";
import { createBytes } from "../bytes.js";
import { createCommand } from "../command.js";
import { h, link, put } from "../dom.js";
import { bytes, moment, whole } from "../format.js";
import { card, facts, figures, when } from "../parts.js";
import { start } from "../page.js";
import { empty } from "../states.js";
import { createTable } from "../table.js";
import { createTabs } from "../tabs.js";

const STATES = { open: "Open", resolved: "Resolved", all: "All" };
const TOPICS = ["dead-letters", "redrives"];
const id = named("/letters");
const lead = document.getElementById("lead");

const addressOf = (letter) => `/letters/${encodeURIComponent(letter.letter_id)}`;
const source = (letter) =>
  letter.source_topic === null
    ? "–"
    : `${letter.source_topic}-${letter.source_partition ?? "?"}@${letter.source_offset ?? "?"}`;
const badge = (letter) =>
  h(
    "span",
    { class: `badge ${letter.resolved ? "good" : "caution"}` },
    letter.resolved ? "resolved" : "open",
  );

function createList() {
  const tabs = createTabs("State of the letters", STATES, "open");
  const head = h("div");
  const table = createTable({
    caption: "Dead letters",
    key: (letter) => letter.letter_id,
    columns: [
      {
        name: "reason",
        title: "Reason",
        tone: () => "text",
        value: (letter) => letter.reason,
        cell: (letter) => link(addressOf(letter), letter.reason || "no reason was given", { class: "clamp" }),
      },
      { name: "flow", title: "Flow", value: (letter) => letter.flow },
      { name: "source", title: "Original", value: source, cell: (letter) => h("code", {}, source(letter)) },
      {
        name: "when",
        title: "When",
        number: true,
        calm: true,
        value: (letter) => Date.parse(letter.timestamp),
        cell: (letter) => when(letter.timestamp),
      },
      {
        name: "size",
        title: "Size",
        number: true,
        wide: true,
        value: (letter) => letter.size,
        cell: (letter) => bytes(letter.size),
      },
      {
        name: "attempts",
        title: "Tries",
        number: true,
        wide: true,
        value: (letter) => letter.attempts,
        cell: (letter) => whole(letter.attempts),
      },
      { name: "state", title: "State", value: (letter) => Number(letter.resolved), cell: badge },
    ],
    sort: { name: "when", down: true },
    filter: {
      label: "Reason, flow or topic",
      text: (letter) => [letter.reason, letter.flow, letter.source_topic].join(" "),
    },
    nothing: "No letter fits: clear the filter to see all of them.",
  });

  async function load() {
    const [found, pipeline] = await Promise.all([all("/letters", { state: tabs.chosen }), get("/pipeline")]);
    return { letters: found.items, open: pipeline.open_letters };
  }

  function render({ letters, open }, place) {
    put(head, summary(open));
    const content = letters.length ? table.element : nothing(tabs.chosen);
    put(place, head, tabs.element, content);
    if (letters.length) table.set(letters);
  }

  tabs.onchange = start({ what: "dead letters", topics: TOPICS, load, render });
}

function summary(open) {
  const flows = Object.entries(open).sort(([, one], [, other]) => other - one);
  const sum = flows.reduce((total, [, count]) => total + count, 0);
  return figures([
    ["Open", whole(sum), sum ? "wait for somebody" : "nothing waits"],
    ...flows
      .slice(0, 4)
      .map(([flow, count]) => [flow || "no flow named", whole(count), "open letters of this flow"]),
  ]);
}

function nothing(state) {
  if (state === "resolved")
    return empty("None was resolved yet", "Letters that went through after a re-drive are listed here.");
  const text =
    "Whatever the flows got so far they could work on. What they can't is kept here with its reason and its bytes, and the loop goes on.";
  return empty(state === "open" ? "No open dead letters" : "No dead letters", text);
}

function createOne() {
  const told = h("div");
  const original = h("div");
  const command = createCommand({
    title: "Re-drive",
    question: () =>
      "The original bytes go through today's code of the flow once more, in a Prefect run. What follows is published as the flow would have published it. Mend first what made it fail.",
    send: (_, token, key) => post(`/letters/${encodeURIComponent(id)}/redrive`, {}, token, key),
    done: () => reload(),
  });
  const again = h(
    "div",
    {},
    card(
      "Try it again",
      "As `nepse dlq redrive`: it goes through and is resolved, or stays open with one more try and today's reason. Asking twice changes nothing.",
      command.element,
    ),
  );

  const reload = start({
    what: "the letter",
    topics: TOPICS,
    load: () => get(`/letters/${encodeURIComponent(id)}`),
    render(letter, place) {
      lead.textContent = "A record that could not be worked on.";
      again.hidden = letter.resolved;
      put(told, about(letter));
      put(original, contents(letter));
      if (place.childElementCount) return;
      put(
        place,
        h("p", {}, link("/letters", "← All dead letters")),
        h("div", { class: "columns" }, told, again),
        original,
      );
    },
  });
}

function about(letter) {
  return card(
    "What happened",
    null,
    h("p", { class: "reason" }, letter.reason || "No reason was given."),
    facts([
      ["State", badge(letter)],
      ["Refused by", letter.flow ? link(`/pipeline#flow-${letter.flow}`, letter.flow) : "–"],
      ["Kind", letter.error_class || "–"],
      ["Original", h("code", {}, source(letter))],
      ["Letter", h("code", {}, `${letter.place} · ${letter.letter_id}`)],
      ["When", [`${moment(letter.timestamp)} (`, when(letter.timestamp), ")"]],
      ["Tries", whole(letter.attempts)],
      ["Run", letter.run ? link(letter.run, "The run in Prefect") : "–"],
    ]),
  );
}

function contents(letter) {
  const headers = Object.entries(letter.headers).sort(([one], [other]) => one.localeCompare(other));
  return card(
    "The original",
    "Foreign bytes: shown as text and numbers, and nothing of them is run.",
    createBytes("Value", letter.value_base64, { size: letter.size, truncated: letter.truncated }),
    createBytes("Key", letter.key_base64),
    h(
      "section",
      { class: "bytes" },
      h("h3", {}, "Headers"),
      headers.length
        ? facts(headers.map(([name, value]) => [h("code", {}, name), h("code", {}, value)]))
        : h("p", { class: "muted" }, "There are none."),
    ),
  );
}

if (id) createOne();
else createList();
