// The charts of the Model page, and what they show of the API's answers.

import { createChart } from "../chart.js";
import { percent, percentOf, price, signedPercent, whole } from "../format.js";

const SHORT = {
  below_95: "< 95",
  below_80: "< 80",
  under: "lower",
  over: "upper",
  above_80: "> 80",
  above_95: "> 95",
};
const mark = (value) => percent(value).replace(".0", "");

export const skillChart = createChart({
  title: "Skill against persistence",
  description:
    "1 − squared error / that of the last close: above zero the model was nearer. Points are single sessions, mostly chance; the line takes 20 together.",
  x: { kind: "date", title: "Session" },
  y: { format: signedPercent, mark },
});
export const coverageChart = createChart({
  title: "Closes in the 95 % range, over time",
  description: "Share of closes inside; it should stay near the dashed level.",
  x: { kind: "date", title: "Session" },
  y: { format: percent, mark },
  height: 220,
});
export const calibrationChart = createChart({
  title: "Calibration of the intervals",
  description:
    "Where closes fell within what was said of them, beside the share that should have fallen there.",
  x: { kind: "names", names: Object.values(SHORT), title: "Part of the range, percent" },
  y: { format: percent, mark, zero: true },
  height: 240,
});
export const shadowChart = createChart({
  title: "Challenger and champion",
  description:
    "Root mean squared error in rupees on the same closes, session by session: the lower, the better.",
  x: { kind: "date", title: "Session" },
  y: { format: price, mark: whole, zero: true },
  height: 240,
});

export function drawSkill({ items }) {
  skillChart.set([
    {
      kind: "points",
      name: "One session",
      tone: "muted",
      points: items.map((one) => ({ x: one.date, y: percentOf(one.skill) })),
    },
    {
      kind: "line",
      name: "20 sessions",
      tone: "accent",
      points: items.map((one) => ({ x: one.date, y: percentOf(one.recent_skill) })),
    },
    { kind: "rule", name: "Persistence", tone: "ink", y: 0 },
  ]);
  coverageChart.set([
    {
      kind: "points",
      name: "One session",
      tone: "muted",
      points: items.map((one) => ({ x: one.date, y: percentOf(one.coverage_95) })),
    },
    {
      kind: "line",
      name: "20 sessions",
      tone: "accent",
      points: items.map((one) => ({ x: one.date, y: percentOf(one.recent_coverage_95) })),
    },
    { kind: "rule", name: "Aimed at", tone: "warm", y: 95 },
  ]);
}

export function drawCalibration({ items }) {
  const bars = (of) => items.map((one) => ({ x: SHORT[one.part], y: percentOf(of(one)) }));
  calibrationChart.set([
    { kind: "bars", name: "Closes", tone: "accent", points: bars((one) => one.observed) },
    { kind: "points", name: "Aimed at", tone: "warm", points: bars((one) => one.expected) },
  ]);
}

export function drawShadow({ model_version: version, items }) {
  shadowChart.set([
    {
      kind: "line",
      name: `${version} in shadow`,
      tone: "warm",
      points: items.map((one) => ({ x: one.date, y: one.rmse })),
    },
    {
      kind: "line",
      name: "What was served",
      tone: "accent",
      points: items.map((one) => ({ x: one.date, y: one.baseline_rmse })),
    },
  ]);
}
