// What is behind a forecast, as a part of a page: from the prediction down to the raw file, its model, and what
// became of it.
//
//   const lineage = lineageCard();
//   place.append(lineage.element); lineage.set("NABIL", ["2024-03-04", …])     sessions, newest first
//
// A lineage is read from the topics, record by record, so it is asked for by itself and only when wanted.

import { get, part } from "./api.js";
import { h, link, put } from "./dom.js";
import { day, moment } from "./format.js";
import { card } from "./parts.js";
import { empty, failed, loading } from "./states.js";

const NAMES = {
  DataIngested: "Raw file",
  DataRetracted: "Raw file taken back",
  FeaturesComputed: "Features",
  PredictionMade: "Prediction",
  ActualAvailable: "Close",
  ErrorComputed: "Error",
  PredictionExpired: "Expired",
  ModelTrained: "Model trained",
  ModelPromoted: "Model promoted",
};

export function lineageCard() {
  const state = { symbol: null, sessions: null };
  const select = h("select", { id: "lineage-session" });
  const answer = h("div", { "aria-live": "polite" });
  const element = card(
    "Behind the forecast",
    "Every record that led to it, with the run that made it; read from the topics, which takes a moment.",
    h(
      "form",
      { class: "pick", onsubmit: asked },
      h("label", { for: "lineage-session" }, "Session"),
      select,
      h("button", { type: "submit" }, "Trace"),
    ),
    answer,
  );

  function asked(event) {
    event.preventDefault();
    return trace();
  }

  async function trace() {
    const { symbol } = state;
    put(answer, loading("the records"));
    try {
      put(answer, told(await get(`/lineage/${part(symbol)}/${select.value}`)));
    } catch (problem) {
      put(answer, failed(problem, trace));
    }
  }

  function set(symbol, sessions) {
    if (state.symbol === symbol && state.sessions === sessions.join()) return;
    const chosen = select.value;
    Object.assign(state, { symbol, sessions: sessions.join() });
    put(
      select,
      [...new Set(sessions)].map((session) => h("option", { value: session }, day(session))),
    );
    if (sessions.includes(chosen)) select.value = chosen;
  }

  return { element, set };
}

function told({ predictions, closes, dead_letters: letters }) {
  if (!predictions.length)
    return empty("No prediction", "Nothing was predicted about this session; its close is known.");
  return [
    predictions.map((prediction, at) =>
      h(
        "section",
        {},
        predictions.length > 1 && h("h3", {}, `Prediction ${at + 1} of ${predictions.length}`),
        h("ol", { class: "chain" }, steps(prediction)),
      ),
    ),
    closes.length > 0 &&
      h(
        "p",
        { class: "small muted" },
        `The close was told ${closes.length === 1 ? "once" : `${closes.length} times`}.`,
      ),
    letters.length > 0 &&
      h(
        "p",
        {},
        h("span", { class: "badge bad" }, `${letters.length} dead`),
        " records of it lie in the ",
        link("/letters", "dead letters"),
        ".",
      ),
  ];
}

function steps(prediction) {
  const found = [];
  for (const error of prediction.errors ?? []) found.push(step(error, "what came of it"));
  for (const expired of prediction.expired ?? []) found.push(step(expired, "nothing met it in time"));
  found.push(step(prediction), model(prediction.model));
  for (let node = prediction.from; node; node = node.from) found.push(step(node));
  return found;
}

function step(node, remark) {
  return h(
    "li",
    {},
    h("strong", {}, NAMES[node.event] ?? node.event ?? "No record"),
    " ",
    h(
      "span",
      { class: "small muted" },
      [node.timestamp && moment(node.timestamp), node.producer && `by ${node.producer}`, remark]
        .filter(Boolean)
        .join(", "),
    ),
    h(
      "div",
      { class: "facts" },
      Object.entries(node.facts ?? {})
        .map(([name, value]) => `${name.replaceAll("_", " ")}: ${written(value)}`)
        .join(" · ") || node.note,
    ),
    h(
      "div",
      { class: "facts" },
      h("code", {}, node.place),
      node.slice && [
        " in slice ",
        h("code", {}, node.slice.place),
        ", ",
        link(node.slice.run, "its run in Prefect"),
      ],
    ),
  );
}

function model(told) {
  if (!told) return null;
  return h(
    "li",
    {},
    h("strong", {}, "Model "),
    link(`/model/${part(told.version)}`, told.version),
    told.mlflow && [", ", link(told.mlflow, "in MLflow")],
    (told.events ?? []).map((event) =>
      h(
        "div",
        { class: "facts" },
        `${NAMES[event.event] ?? event.event} ${moment(event.timestamp)} · `,
        h("code", {}, event.place),
      ),
    ),
  );
}

const written = (value) => (typeof value === "object" ? JSON.stringify(value) : String(value));
