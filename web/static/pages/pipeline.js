// Pipeline: topics and flows as they are now, how far each is, and how the sensors are.

import { get } from "../api.js";
import { createDiagram } from "../diagram.js";
import { announce, h, link, put } from "../dom.js";
import { moment, whole } from "../format.js";
import { card, figures } from "../parts.js";
import { start } from "../page.js";
import { since, waiting } from "../standing.js";
import { empty } from "../states.js";
import { flows, partitions, topics } from "./pipeline-tables.js";

const TOPICS = [
  "raw-data",
  "features",
  "predictions",
  "shadows",
  "actuals",
  "errors",
  "training",
  "models",
  "alerts",
  "slices",
  "dead-letters",
  "redrives",
];
const AGAIN_MS = 5_000; // what waits gets older without any news
const ILL = new Set(["stopped", "stuck", "paused", "lagging"]);

const diagram = createDiagram();
const head = h("div");
const sensors = h("div");
const links = h("p", { class: "small muted" });
let last = null;
let ill = "";

function summary(told) {
  const { open: openAlerts = 0, acknowledged = 0 } = told.alerts;
  const bad = told.flows.filter((flow) => ILL.has(flow.state));
  const oldest = told.flows
    .filter((flow) => flow.waiting_since)
    .sort((one, other) => Date.parse(one.waiting_since) - Date.parse(other.waiting_since))[0];
  const letters = Object.values(told.open_letters).reduce((sum, count) => sum + count, 0);
  const newest = told.topics
    .map((topic) => topic.last_event)
    .filter(Boolean)
    .sort((one, other) => Date.parse(one) - Date.parse(other))
    .at(-1);
  return figures([
    [
      "Flows",
      bad.length ? `${whole(bad.length)} need a look` : "all well",
      bad.length
        ? bad.map((flow) => `${flow.flow} ${flow.state}`).join(", ")
        : `of ${whole(told.flows.length)}`,
    ],
    [
      "Waiting",
      oldest ? waiting(oldest) : "nothing",
      oldest ? `longest, for ${oldest.flow}` : "for any flow",
    ],
    ["Newest event", since(newest), "on any topic"],
    [
      "Open alerts",
      link("/alerts", whole(openAlerts)),
      acknowledged ? `and ${whole(acknowledged)} acknowledged` : null,
    ],
    ["Dead letters", link("/letters", whole(letters)), letters ? "open" : "none is open"],
  ]);
}

function sensorsOf(told) {
  if (!told.sensors.length)
    return empty(
      "No sensor of this machine has said anything",
      "`nepse up` starts them; copies on other machines show above by their flows' progress.",
    );
  return h(
    "ul",
    { class: "sensors" },
    told.sensors.map((one) =>
      h(
        "li",
        {},
        h(
          "span",
          {
            class: `badge ${{ working: "good", paused: "caution", crashed: "bad", stopped: "bad" }[one.state] ?? ""}`,
          },
          one.state,
        ),
        h("strong", {}, one.sensor),
        h("span", { class: "muted" }, `${one.copy}, since ${moment(one.since)}`),
        one.why && h("span", { class: "why" }, one.why),
      ),
    ),
  );
}

function draw(told) {
  const figures = summary(told);
  if (figures.textContent !== head.textContent) put(head, figures);
  diagram.set(told);
  flows.set(told.flows);
  topics.set(told.topics);
  partitions.set(told.flows.flatMap((flow) => flow.partitions));
  put(sensors, sensorsOf(told));
  const now = told.flows
    .filter((flow) => ILL.has(flow.state))
    .map((flow) => `${flow.flow} is ${flow.state}`)
    .join(", ");
  if (last !== null && now !== ill) announce(now || "All flows are well");
  ill = now;
}

function render(told, place) {
  if (!place.contains(head)) {
    put(
      links,
      "More in ",
      link(told.links.prefect, "Prefect"),
      " (runs, schedules) and ",
      link(told.links.mlflow, "MLflow"),
      " (versions, trainings). Lag is as new as the read side: `nepse lag` asks the broker.",
    );
    put(
      place,
      head,
      card(
        "How events flow",
        "Flows are boxes, topics are rounded. A flow leads to its line below.",
        diagram.element,
        links,
      ),
      flows.element,
      card("Sensors of this machine", null, sensors),
      card("Topics", null, topics.element),
      h("details", { class: "card" }, h("summary", {}, "Each partition of each flow"), partitions.element),
    );
  }
  draw(told);
  last = told;
}

const reload = start({
  what: "the pipeline",
  topics: TOPICS,
  load: () => get("/pipeline"),
  render,
  calm: true,
});

let asking = false;

async function again() {
  if (document.hidden || asking) return; // a slow answer is not asked for twice
  asking = true;
  try {
    await reload();
    if (last) draw(last);
  } finally {
    asking = false;
  }
}

setInterval(again, AGAIN_MS);
