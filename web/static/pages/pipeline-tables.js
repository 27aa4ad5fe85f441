// The pipeline's tables: flows, topics, and each partition of each flow.

import { h, link } from "../dom.js";
import { moment, whole } from "../format.js";
import { GRAVITY, MEANING, TONE, seconds, since, waiting } from "../standing.js";
import { createTable } from "../table.js";

const badge = (state) =>
  state === null
    ? h("span", { class: "muted" }, "no sensor")
    : h("span", { class: `badge ${TONE[state] ?? ""}`, title: MEANING[state] ?? null }, state);
const models = (every) =>
  every.flatMap(({ version, url }, at) => [
    at ? ", " : "",
    url ? link(url, version, { title: "The version in MLflow" }) : version,
  ]);
const readable = (text) => text.replace(/\d{4}-\d\d-\d\dT[\d:.]+(?:Z|\+00:00)/g, moment); // as the sensors write moments
const when = (text) => (text ? h("time", { datetime: text, title: moment(text) }, since(text)) : "never");

function named(flow) {
  return h(
    "div",
    { id: `flow-${flow.flow}`, class: "named" },
    h("strong", {}, flow.flow),
    h("span", { class: "muted" }, flow.description),
    flow.why && h("span", { class: "why" }, readable(flow.why)),
  );
}

export const flows = createTable({
  caption: "Flows",
  key: (flow) => flow.flow,
  columns: [
    { name: "flow", title: "Flow", tone: () => "text", value: (flow) => flow.flow, cell: named },
    {
      name: "state",
      title: "State",
      value: (flow) => GRAVITY[flow.state] ?? -1,
      cell: (flow) => badge(flow.state),
    },
    {
      name: "lag",
      title: "Waiting",
      number: true,
      calm: true,
      hint: "How many offsets wait, and for how long the oldest event has.",
      value: (flow) => flow.lag,
      cell: (flow) => (flow.lag ? `${whole(flow.lag)} · ${waiting(flow)}` : "0"),
    },
    {
      name: "commit",
      title: "Last commit",
      number: true,
      calm: true,
      value: (flow) => (flow.last_commit ? Date.parse(flow.last_commit) : null),
      cell: (flow) => (flow.sensor ? when(flow.last_commit) : "–"),
    },
    {
      name: "latency",
      title: "Latency",
      number: true,
      calm: true,
      hint: "From the oldest event of the newest slice to its commit; the slowest partition's.",
      value: (flow) => flow.latency_s,
      cell: (flow) => seconds(flow.latency_s),
    },
    {
      name: "run",
      title: "Run",
      fixed: true,
      value: (flow) => flow.run,
      cell: (flow) =>
        flow.run
          ? link(flow.run, "Prefect", { "aria-label": `The newest run of ${flow.flow} in Prefect` })
          : "–",
    },
    {
      name: "models",
      title: "Model",
      wide: true,
      fixed: true,
      value: () => null,
      cell: (flow) => h("span", {}, flow.models.length ? models(flow.models) : "–"),
    },
    {
      name: "letters",
      title: "Letters",
      number: true,
      hint: "Open dead letters of this flow.",
      value: (flow) => flow.open_letters,
      cell: (flow) => (flow.open_letters ? link("/letters", whole(flow.open_letters)) : "0"),
    },
  ],
  sort: { name: "state", down: true },
  nothing: "No flow is declared.",
});

export const topics = createTable({
  caption: "Topics",
  key: (topic) => topic.topic,
  columns: [
    { name: "topic", title: "Topic", value: (topic) => topic.topic },
    {
      name: "offsets",
      title: "Offsets read",
      number: true,
      hint: "How far the read side has read it, markers of transactions included.",
      value: (topic) => topic.offsets,
      cell: (topic) => whole(topic.offsets),
    },
    {
      name: "last",
      title: "Newest event",
      number: true,
      calm: true,
      value: (topic) => (topic.last_event ? Date.parse(topic.last_event) : null),
      cell: (topic) => when(topic.last_event),
    },
    { name: "partitions", title: "Partitions", number: true, wide: true, value: (topic) => topic.partitions },
    { name: "key", title: "Key", wide: true, value: (topic) => topic.key },
    {
      name: "events",
      title: "Events",
      wide: true,
      tone: () => "text",
      value: (topic) => topic.events.join(", ") || "foreign bytes",
    },
  ],
  sort: { name: "topic", down: false },
});

export const partitions = createTable({
  caption: "Partitions",
  key: (line) => `${line.flow} ${line.topic} ${line.partition}`,
  columns: [
    { name: "flow", title: "Flow", value: (line) => line.flow },
    { name: "place", title: "Reads", value: (line) => `${line.topic}-${line.partition}` },
    {
      name: "lag",
      title: "Waiting",
      number: true,
      calm: true,
      value: (line) => line.lag,
      cell: (line) => (line.lag ? `${whole(line.lag)} · ${waiting(line)}` : "0"),
    },
    {
      name: "commit",
      title: "Last commit",
      number: true,
      calm: true,
      value: (line) => (line.last_commit ? Date.parse(line.last_commit) : null),
      cell: (line) => when(line.last_commit),
    },
    {
      name: "latency",
      title: "Latency",
      number: true,
      calm: true,
      value: (line) => line.latency_s,
      cell: (line) => seconds(line.latency_s),
    },
    {
      name: "run",
      title: "Run",
      fixed: true,
      value: () => null,
      cell: (line) =>
        line.run
          ? link(line.run, "Prefect", {
              "aria-label": `The newest run of ${line.flow} on ${line.topic}-${line.partition}`,
            })
          : "–",
    },
  ],
  sort: { name: "lag", down: true },
  filter: { label: "Flow or topic", text: (line) => `${line.flow} ${line.topic}` },
});
