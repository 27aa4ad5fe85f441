// Draws topics and flows, and what flows from where to where, as the API's answer tells.
//
//   const diagram = createDiagram();
//   place.append(diagram.element); diagram.set(pipeline)      an answer of /pipeline, as often as wished
//
// Where each lies is said in PLACES, by lane; whatever is not named there gets a place below.

import { h, put, svg } from "./dom.js";
import { duration, whole } from "./format.js";
import { TONE, waiting } from "./standing.js";

const COLUMN = 113;
const ROW = 74;
const LEFT = 8;
const TOP = 2;
const SIZE = { flow: { width: 106, height: 50 }, topic: { width: 86, height: 36 } };
export const PLACES = {
  ingest: [0, 1],
  "raw-data": [1, 1],
  "compute-features": [2, 1],
  features: [3, 1],
  predict: [4, 1],
  predictions: [5, 1],
  "join-errors": [6, 1],
  errors: [7, 1],
  monitor: [8, 1],
  alerts: [9, 1],
  notify: [10, 1],
  actuals: [5, 0],
  watch: [8, 0],
  recompute: [2, 2],
  models: [4, 2],
  shadows: [5, 2],
  "schedule-retraining": [2, 3],
  training: [3, 3],
  retrain: [4, 3],
  "watch-drift": [2, 4],
};
const LANES = { "ingest actuals": "top", "predict alerts": 1.5, "retrain alerts": 3, "monitor training": 4 }; // the long ways
const BESIDE = new Set(["slices", "dead-letters", "redrives"]); // every flow writes to them: drawn, they would hide the rest

export function createDiagram() {
  const picture = h("div", {
    class: "table-scroll diagram",
    role: "region",
    "aria-label": "Diagram of topics and flows, scrollable",
    tabindex: "0",
  });

  function set({ topics, flows }) {
    const nodes = placed([
      ...flows.map((flow) => ({ kind: "flow", name: flow.flow, flow })),
      ...topics
        .filter(({ topic }) => !BESIDE.has(topic))
        .map((topic) => ({ kind: "topic", name: topic.topic, topic })),
    ]);
    const edges = flows.flatMap((flow) => [
      ...flow.reads.map((from) => [from, flow.flow]),
      ...flow.writes.map((to) => [flow.flow, to]),
    ]);
    const rows = Math.max(...[...nodes.values()].map(({ row }) => row)) + 1;
    const focused = picture.contains(document.activeElement) ? document.activeElement.dataset?.node : null;
    const drawn = svg(
      "svg",
      {
        viewBox: `0 0 ${LEFT * 2 + 11 * COLUMN} ${rows * ROW + TOP}`,
        role: "group",
        "aria-label": "Topics and flows",
      },
      arrow(),
      edges.map(([from, to]) => edge(nodes.get(from), nodes.get(to))),
      [...nodes.values()].map((node) => (node.kind === "flow" ? box(node) : pill(node))),
    );
    drawn.addEventListener("pointerover", (event) =>
      mark(drawn, event.target.closest("[data-node]")?.dataset.node),
    );
    drawn.addEventListener("pointerleave", () => mark(drawn, null));
    drawn.addEventListener("focusin", (event) => mark(drawn, event.target.dataset.node));
    put(picture, drawn);
    if (focused) drawn.querySelector(`[data-node="${CSS.escape(focused)}"]`)?.focus();
  }

  return { element: picture, set };
}

function placed(every) {
  const lowest = Math.max(...Object.values(PLACES).map(([, row]) => row));
  let spare = 0;
  return new Map(
    every.map((node) => {
      const [column, row] = PLACES[node.name] ?? [spare % 11, lowest + 1 + Math.floor(spare++ / 11)];
      const { width, height } = SIZE[node.kind];
      return [
        node.name,
        { ...node, row, width, height, x: LEFT + (column + 0.5) * COLUMN, y: TOP + (row + 0.5) * ROW },
      ];
    }),
  );
}

// From right to left or up and down: out at the side that is nearer, around in right angles.
function edge(from, to) {
  if (!from || !to) return null;
  const lane = LANES[`${from.name} ${to.name}`];
  const d = lane === undefined ? direct(from, to) : around(from, to, lane);
  return svg("path", {
    class: "edge",
    d,
    "marker-end": "url(#arrow)",
    "data-from": from.name,
    "data-to": to.name,
    "aria-hidden": "true",
  });
}

function direct(from, to) {
  if (Math.abs(from.x - to.x) < 1) {
    const down = to.y > from.y ? 1 : -1;
    return `M${from.x} ${from.y + (down * from.height) / 2}V${to.y - down * (to.height / 2 + 3)}`;
  }
  const [x1, x2] = [from.x + from.width / 2, to.x - to.width / 2 - 3];
  if (Math.abs(from.y - to.y) < 1) return `M${x1} ${from.y}H${x2}`;
  const middle = to.kind === "flow" ? x1 + 6 : x2 - 6;
  return bent([
    [x1, from.y],
    [middle, from.y],
    [middle, to.y],
    [x2, to.y],
  ]);
}

function around(from, to, lane) {
  if (lane === "top")
    return bent([
      [from.x, from.y - from.height / 2],
      [from.x, to.y],
      [to.x - to.width / 2 - 3, to.y],
    ]);
  const y = TOP + (lane + 0.5) * ROW;
  const below = to.y + to.height / 2 + 3;
  if (Math.abs(from.y - y) < 1)
    return bent([
      [from.x + from.width / 2, y],
      [to.x, y],
      [to.x, below],
    ]);
  const x = from.x + (lane < 2 ? from.width / 2 - 14 : 0);
  return bent([
    [x, from.y + from.height / 2],
    [x, y],
    [to.x - (lane < 2 ? 14 : 0), y],
    [to.x - (lane < 2 ? 14 : 0), below],
  ]);
}

function bent(points) {
  const round = 7;
  const towards = ([x, y], [a, b], by) => [
    x + Math.sign(a - x) * Math.min(by, Math.abs(a - x) / 2),
    y + Math.sign(b - y) * Math.min(by, Math.abs(b - y) / 2),
  ];
  const corners = points.slice(1, -1).map((corner, at) => {
    const before = towards(corner, points[at], round);
    const after = towards(corner, points[at + 2], round);
    return `L${before.join(" ")}Q${corner.join(" ")} ${after.join(" ")}`;
  });
  return `M${points[0].join(" ")}${corners.join("")}L${points.at(-1).join(" ")}`;
}

function box(node) {
  const { flow, x, y, width, height, name } = node;
  const tone = TONE[flow.state] ?? "none";
  return svg(
    "a",
    { href: `#flow-${name}`, class: `node flow ${tone}`, "data-node": name, "aria-label": spoken(flow) },
    svg("title", {}, flow.description),
    svg("rect", { x: x - width / 2, y: y - height / 2, width, height, rx: 7 }),
    svg("rect", { class: "mark", x: x - width / 2, y: y - height / 2 + 7, width: 3, height: height - 14 }),
    lines(name, x, y),
    svg("text", { class: "state", x, y: y + height / 2 - 8 }, said(flow)),
  );
}

function lines(name, x, y) {
  const parts = name.length > 14 ? name.split(/(?<=-)/) : [name];
  const first = parts.length === 1 ? y - 3 : y - 10;
  return svg(
    "text",
    { x, y: first },
    parts.map((part, at) => svg("tspan", { x, dy: at ? 12 : 0 }, part)),
  );
}

function pill(node) {
  const { topic, x, y, width, height, name } = node;
  return svg(
    "g",
    { class: "node topic", "data-node": name },
    svg("title", {}, `${topic.events.join(", ")}; key: ${topic.key}`),
    svg("rect", { x: x - width / 2, y: y - height / 2, width, height, rx: height / 2 }),
    svg("text", { x, y: y - 2 }, name),
    svg("text", { class: "state", x, y: y + 11 }, whole(topic.offsets)),
  );
}

function said(flow) {
  if (flow.state === null) return flow.flow === "watch" ? "looks by itself" : "by clock or hand";
  if (flow.waiting_since && ["lagging", "stuck", "working"].includes(flow.state))
    return `${flow.state} ${waiting(flow)}`;
  return flow.latency_s !== null && flow.state === "well" ? `well · ${duration(flow.latency_s)}` : flow.state;
}

function spoken(flow) {
  const state = flow.state === null ? "has no sensor" : flow.state;
  return `${flow.flow}: ${state}${flow.lag ? `, ${whole(flow.lag)} wait` : ""}. Reads ${flow.reads.join(", ") || "no topic"}, writes ${flow.writes.join(", ") || "to no topic"}.`;
}

function arrow() {
  return svg(
    "defs",
    {},
    svg(
      "marker",
      {
        id: "arrow",
        viewBox: "0 0 8 8",
        refX: 6,
        refY: 4,
        markerWidth: 6,
        markerHeight: 6,
        orient: "auto-start-reverse",
      },
      svg("path", { class: "head", d: "M0 0.5L7 4L0 7.5z" }),
    ),
  );
}

function mark(drawn, name) {
  drawn.classList.toggle("marked", Boolean(name));
  for (const one of drawn.querySelectorAll(".edge"))
    one.classList.toggle("near", Boolean(name) && (one.dataset.from === name || one.dataset.to === name));
}
