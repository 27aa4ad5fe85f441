// Pipeline: topics and flows as they are now, how far each is, and how the sensors are.

import { get } from "../api.js";
import { createDiagram } from "../diagram.js";
import { announce, h, link, put } from "../dom.js";
import { moment, whole } from "../format.js";
import { card, figures } from "../parts.js";
import { start } from "../page.js";
import { GRAVITY, MEANING, TONE, seconds, since, waiting } from "../standing.js";
import { empty } from "../states.js";
import { createTable } from "../table.js";

const TOPICS = ["raw-data", "features", "predictions", "shadows", "actuals", "errors", "training", "models", "alerts", "slices", "dead-letters", "redrives"];
const AGAIN_MS = 5_000; // what waits gets older without any news
const ILL = new Set(["stopped", "stuck", "paused", "lagging"]);

const badge = (state) => (state === null ? h("span", { class: "muted" }, "no sensor") : h("span", { class: `badge ${TONE[state] ?? ""}`, title: MEANING[state] ?? null }, state));
const models = (every) => every.flatMap(({ version, url }, at) => [at ? ", " : "", url ? link(url, version, { title: "The version in MLflow" }) : version]);
const readable = (text) => text.replace(/\d{4}-\d\d-\d\dT[\d:.]+(?:Z|\+00:00)/g, moment); // as the sensors write moments
const when = (text) => (text ? h("time", { datetime: text, title: moment(text) }, since(text)) : "never");

function named(flow) {
  return h("div", { id: `flow-${flow.flow}`, class: "named" }, h("strong", {}, flow.flow), h("span", { class: "muted" }, flow.description), flow.why && h("span", { class: "why" }, readable(flow.why)));
}

const flows = createTable({
  caption: "Flows",
  key: (flow) => flow.flow,
  columns: [
    { name: "flow", title: "Flow", tone: () => "text", value: (flow) => flow.flow, cell: named },
    { name: "state", title: "State", value: (flow) => GRAVITY[flow.state] ?? -1, cell: (flow) => badge(flow.state) },
    { name: "lag", title: "Waiting", number: true, calm: true, hint: "How many offsets wait, and for how long the oldest event has.", value: (flow) => flow.lag, cell: (flow) => (flow.lag ? `${whole(flow.lag)} · ${waiting(flow)}` : "0") },
    { name: "commit", title: "Last commit", number: true, calm: true, value: (flow) => (flow.last_commit ? Date.parse(flow.last_commit) : null), cell: (flow) => (flow.sensor ? when(flow.last_commit) : "–") },
    { name: "latency", title: "Latency", number: true, calm: true, hint: "From the oldest event of the newest slice to its commit; the slowest partition's.", value: (flow) => flow.latency_s, cell: (flow) => seconds(flow.latency_s) },
    { name: "run", title: "Run", fixed: true, value: (flow) => flow.run, cell: (flow) => (flow.run ? link(flow.run, "Prefect", { "aria-label": `The newest run of ${flow.flow} in Prefect` }) : "–") },
    { name: "models", title: "Model", wide: true, fixed: true, value: () => null, cell: (flow) => h("span", {}, flow.models.length ? models(flow.models) : "–") },
    { name: "letters", title: "Letters", number: true, hint: "Open dead letters of this flow.", value: (flow) => flow.open_letters, cell: (flow) => (flow.open_letters ? link("/letters", whole(flow.open_letters)) : "0") },
  ],
  sort: { name: "state", down: true },
  nothing: "No flow is declared.",
});

const topics = createTable({
  caption: "Topics",
  key: (topic) => topic.topic,
  columns: [
    { name: "topic", title: "Topic", value: (topic) => topic.topic },
    { name: "offsets", title: "Offsets read", number: true, hint: "How far the read side has read it, markers of transactions included.", value: (topic) => topic.offsets, cell: (topic) => whole(topic.offsets) },
    { name: "last", title: "Newest event", number: true, calm: true, value: (topic) => (topic.last_event ? Date.parse(topic.last_event) : null), cell: (topic) => when(topic.last_event) },
    { name: "partitions", title: "Partitions", number: true, wide: true, value: (topic) => topic.partitions },
    { name: "key", title: "Key", wide: true, value: (topic) => topic.key },
    { name: "events", title: "Events", wide: true, tone: () => "text", value: (topic) => topic.events.join(", ") || "foreign bytes" },
  ],
  sort: { name: "topic", down: false },
});

const partitions = createTable({
  caption: "Partitions",
  key: (line) => `${line.flow} ${line.topic} ${line.partition}`,
  columns: [
    { name: "flow", title: "Flow", value: (line) => line.flow },
    { name: "place", title: "Reads", value: (line) => `${line.topic}-${line.partition}` },
    { name: "lag", title: "Waiting", number: true, calm: true, value: (line) => line.lag, cell: (line) => (line.lag ? `${whole(line.lag)} · ${waiting(line)}` : "0") },
    { name: "commit", title: "Last commit", number: true, calm: true, value: (line) => (line.last_commit ? Date.parse(line.last_commit) : null), cell: (line) => when(line.last_commit) },
    { name: "latency", title: "Latency", number: true, calm: true, value: (line) => line.latency_s, cell: (line) => seconds(line.latency_s) },
    { name: "run", title: "Run", fixed: true, value: () => null, cell: (line) => (line.run ? link(line.run, "Prefect", { "aria-label": `The newest run of ${line.flow} on ${line.topic}-${line.partition}` }) : "–") },
  ],
  sort: { name: "lag", down: true },
  filter: { label: "Flow or topic", text: (line) => `${line.flow} ${line.topic}` },
});

const diagram = createDiagram();
const head = h("div");
const sensors = h("div");
const links = h("p", { class: "small muted" });
let last = null;
let ill = "";

function summary(told) {
  const { open: openAlerts = 0, acknowledged = 0 } = told.alerts;
  const bad = told.flows.filter((flow) => ILL.has(flow.state));
  const oldest = told.flows.filter((flow) => flow.waiting_since).sort((one, other) => Date.parse(one.waiting_since) - Date.parse(other.waiting_since))[0];
  const letters = Object.values(told.open_letters).reduce((sum, count) => sum + count, 0);
  const newest = told.topics.map((topic) => topic.last_event).filter(Boolean).sort((one, other) => Date.parse(one) - Date.parse(other)).at(-1);
  return figures([
    ["Flows", bad.length ? `${whole(bad.length)} need a look` : "all well", bad.length ? bad.map((flow) => `${flow.flow} ${flow.state}`).join(", ") : `of ${whole(told.flows.length)}`],
    ["Waiting", oldest ? waiting(oldest) : "nothing", oldest ? `longest, for ${oldest.flow}` : "for any flow"],
    ["Newest event", since(newest), "on any topic"],
    ["Open alerts", link("/alerts", whole(openAlerts)), acknowledged ? `and ${whole(acknowledged)} acknowledged` : null],
    ["Dead letters", link("/letters", whole(letters)), letters ? "open" : "none is open"],
  ]);
}

function sensorsOf(told) {
  if (!told.sensors.length) return empty("No sensor of this machine has said anything", "`nepse up` starts them; copies on other machines show above by their flows' progress.");
  return h("ul", { class: "sensors" }, told.sensors.map((one) =>
    h("li", {}, h("span", { class: `badge ${{ working: "good", paused: "caution", crashed: "bad", stopped: "bad" }[one.state] ?? ""}` }, one.state),
      h("strong", {}, one.sensor), h("span", { class: "muted" }, `${one.copy}, since ${moment(one.since)}`), one.why && h("span", { class: "why" }, one.why))));
}

function draw(told) {
  put(head, summary(told));
  diagram.set(told);
  flows.set(told.flows);
  topics.set(told.topics);
  partitions.set(told.flows.flatMap((flow) => flow.partitions));
  put(sensors, sensorsOf(told));
  const now = told.flows.filter((flow) => ILL.has(flow.state)).map((flow) => `${flow.flow} is ${flow.state}`).join(", ");
  if (last !== null && now !== ill) announce(now || "All flows are well");
  ill = now;
}

function render(told, place) {
  if (!place.contains(head)) {
    put(links, "More in ", link(told.links.prefect, "Prefect"), " (runs, schedules) and ", link(told.links.mlflow, "MLflow"), " (versions, trainings). Lag is as new as the read side: `nepse lag` asks the broker.");
    put(place, head, card("How events flow", "Flows are boxes, topics are rounded. A flow leads to its line below.", diagram.element, links), flows.element,
      card("Sensors of this machine", null, sensors), card("Topics", null, topics.element),
      h("details", { class: "card" }, h("summary", {}, "Each partition of each flow"), partitions.element));
  }
  draw(told);
  last = told;
}

const reload = start({ what: "the pipeline", topics: TOPICS, load: () => get("/pipeline"), render, calm: true });

setInterval(async () => {
  if (document.hidden) return;
  await reload();
  if (last) draw(last);
}, AGAIN_MS);
