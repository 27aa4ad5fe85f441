// Alerts: what was found to be wrong, whether somebody looks after it, and saying that one does.

import { all, get, named, post } from "../api.js";
import { createCommand } from "../command.js";
import { h, link, put } from "../dom.js";
import { whole } from "../format.js";
import { card, figures, when } from "../parts.js";
import { start } from "../page.js";
import { empty } from "../states.js";
import { createTable } from "../table.js";
import { createTabs } from "../tabs.js";
import { GRAVITY, TONES, about, measured, more, severity, stateOf } from "./alert-facts.js";

const STATES = { open: "Open", acknowledged: "Acknowledged", resolved: "Resolved", all: "All" };
const id = named("/alerts");
const lead = document.getElementById("lead");
const KEPT = "nepse-name"; // who acknowledges, so that it is typed once

const addressOf = (alert) => `/alerts/${encodeURIComponent(alert.alert_id)}`;
function createList() {
  const tabs = createTabs("State of the alerts", STATES, "open");
  const historic = h("input", { type: "checkbox", onchange: () => tabs.onchange() });
  const tools = h(
    "div",
    { class: "bar" },
    tabs.element,
    h("label", { class: "tool" }, historic, h("span", {}, "also of past sessions that were worked off")),
  );
  const head = h("div");
  const table = createTable({
    caption: "Alerts",
    key: (alert) => alert.alert_id,
    columns: [
      {
        name: "message",
        title: "Message",
        tone: () => "text",
        value: (alert) => alert.message,
        cell: (alert) => link(addressOf(alert), alert.message || alert.rule, { class: "clamp" }),
      },
      {
        name: "severity",
        title: "Severity",
        number: false,
        value: (alert) => GRAVITY[alert.severity] ?? 0,
        cell: severity,
      },
      {
        name: "rule",
        title: "Rule",
        value: (alert) => alert.rule,
        cell: (alert) => h("code", { class: "cut" }, alert.rule),
      },
      {
        name: "value",
        title: "Measured",
        number: true,
        wide: true,
        value: (alert) => alert.value,
        cell: measured,
      },
      {
        name: "times",
        title: "Raised",
        number: true,
        wide: true,
        hint: "How often it was raised.",
        value: (alert) => alert.times,
        cell: (alert) => `${whole(alert.times)}×`,
      },
      {
        name: "last",
        title: "Last",
        number: true,
        calm: true,
        value: (alert) => Date.parse(alert.last_raised),
        cell: (alert) => when(alert.last_raised),
      },
      { name: "state", title: "State", value: (alert) => alert.state, cell: stateOf },
    ],
    sort: { name: "last", down: true },
    filter: {
      label: "Rule, symbol or text",
      text: (alert) => [alert.rule, alert.symbol, alert.message, ...Object.values(alert.labels)].join(" "),
    },
    choices: [
      {
        label: "Severity",
        options: [
          { title: "all", test: () => true },
          ...Object.keys(TONES).map((name) => ({ title: name, test: (alert) => alert.severity === name })),
        ],
      },
    ],
    nothing: "No alert fits: clear the filter to see all of them.",
  });

  async function load() {
    const wanted = { state: tabs.chosen === "all" ? null : tabs.chosen, historic: historic.checked };
    const [found, pipeline] = await Promise.all([all("/alerts", wanted), get("/pipeline")]);
    return { alerts: found.items, counts: pipeline.alerts, chosen: tabs.chosen };
  }

  function render({ alerts, counts, chosen }, place) {
    put(head, summary(counts, alerts));
    if (!place.contains(tools)) put(place, head, tools);
    put(place, head, tools, alerts.length ? table.element : nothing(chosen));
    if (alerts.length) table.set(alerts);
  }

  tabs.onchange = start({ what: "alerts", topics: ["alerts"], load, render });
}

function summary(counts, alerts) {
  const critical = alerts.filter((one) => one.state === "open" && one.severity === "critical").length;
  return figures([
    [
      "Open",
      whole(counts.open ?? 0),
      critical ? `${whole(critical)} of them critical` : "nobody looks after them yet",
    ],
    ["Acknowledged", whole(counts.acknowledged ?? 0), "somebody looks after them"],
    ["Resolved", whole(counts.resolved ?? 0), "what they were about is over"],
  ]);
}

function nothing(state) {
  if (state === "acknowledged")
    return empty(
      "None is acknowledged",
      "Open an alert to say that you look after it: it is not told again until it is resolved.",
    );
  if (state === "resolved")
    return empty("None was resolved yet", "An alert resolves by itself once what it is about is over.");
  return empty(
    "No open alerts",
    "Every rule is kept. Rules are declared in a file: `nepse alerts test FILE` says what they would tell.",
  );
}

function createOne() {
  const told = h("div");
  const ids = h("div");
  let now = null;
  const command = createCommand({
    title: "Acknowledge",
    fields: [
      {
        name: "by",
        label: "Your name",
        required: true,
        value: keptName(),
        hint: "Everybody who looks at this alert sees it.",
      },
      { name: "note", label: "Note", maxlength: 1000, hint: "What you do about it." },
    ],
    question: () =>
      `You look after “${now.rule}”${now.symbol ? ` of ${now.symbol}` : ""}. It is not told to anybody again until it is resolved.`,
    send: ({ by, note }, token) => {
      keepName(by);
      return post(`/alerts/${encodeURIComponent(id)}/acknowledge`, { by, note }, token);
    },
    done: () => reload(),
  });
  const looking = h(
    "div",
    {},
    card("Look after it", "Published on the topic alerts, with your name.", command.element),
  );

  const reload = start({
    what: "the alert",
    topics: ["alerts"],
    load: () => get(`/alerts/${encodeURIComponent(id)}`),
    render(alert, place) {
      now = alert;
      lead.textContent = "One thing that a rule found, and whether somebody looks after it.";
      const mayAnswer = alert.state === "open";
      put(told, about(alert));
      put(ids, more(alert));
      if (!place.childElementCount)
        put(
          place,
          h("p", {}, link("/alerts", "← All alerts")),
          h("div", { class: "columns" }, told, looking),
          ids,
        );
      command.element.classList.toggle("answered", !mayAnswer);
      looking.hidden = !mayAnswer && !looking.querySelector(".answer");
    },
  });
}

function keptName() {
  try {
    return sessionStorage.getItem(KEPT) ?? "";
  } catch {
    return "";
  }
}

function keepName(name) {
  try {
    sessionStorage.setItem(KEPT, name);
  } catch {
    // it is typed again then
  }
}

if (id) createOne();
else createList();
