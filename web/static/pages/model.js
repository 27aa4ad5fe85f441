// Model: skill against persistence over time, whether intervals keep what they say, who serves, who waits, and why.

import { get, named, part } from "../api.js";
import { createChart } from "../chart.js";
import { h, link, put } from "../dom.js";
import { UNKNOWN, day, figure, moment, percent, price, share, signedPercent, whole } from "../format.js";
import { start } from "../page.js";
import { card, facts, figures } from "../parts.js";
import { empty } from "../states.js";
import { createTable } from "../table.js";

const CHALLENGER = "challenger";
const PARTS = {
  below_95: "below 95 %",
  below_80: "below 80 %",
  under: "below forecast",
  over: "above forecast",
  above_80: "above 80 %",
  above_95: "above 95 %",
};
const SHORT = { below_95: "< 95 %", below_80: "< 80 %", under: "lower", over: "upper", above_80: "> 80 %", above_95: "> 95 %" };
const ROLES = { champion: "chosen", challenger: "caution" };
const asked = named("/model");

const percentOf = (value) => (value === null ? null : 100 * value);
const skillChart = createChart({
  title: "Skill against persistence",
  description: "1 − squared error / that of the last close: above zero the model was nearer. Points are single sessions, mostly chance; the line takes 20 together.",
  x: { kind: "date", title: "Session" },
  y: { format: signedPercent, mark: (value) => percent(value).replace(".0", "") },
});
const coverageChart = createChart({
  title: "Closes in the 95 % range, over time",
  description: "Share of closes inside; it should stay near the dashed level.",
  x: { kind: "date", title: "Session" },
  y: { format: percent, mark: (value) => percent(value).replace(".0", "") },
  height: 220,
});
const calibrationChart = createChart({
  title: "Calibration of the intervals",
  description: "Where closes fell within what was said of them, beside the share that should have fallen there.",
  x: { kind: "names", names: Object.values(SHORT), title: "Part of the range" },
  y: { format: percent, mark: (value) => percent(value).replace(".0", ""), zero: true },
  height: 240,
});
const shadowChart = createChart({
  title: "Challenger and champion",
  description: "Root mean squared error in rupees on the same closes, session by session: the lower, the better.",
  x: { kind: "date", title: "Session" },
  y: { format: price, mark: whole, zero: true },
  height: 240,
});

const versions = createTable({
  caption: "Versions",
  key: (row) => row.model_version,
  columns: [
    { name: "version", title: "Version", value: (row) => row.model_version, cell: (row) => link(`/model/${part(row.model_version)}`, row.model_version) },
    { name: "role", title: "Role", value: (row) => row.role, cell: (row) => role(row.role) },
    { name: "until", title: "Trained until", wide: true, value: (row) => row.training.training_end, cell: (row) => day(row.training.training_end) },
    { name: "held", title: "Skill on the hold-out", number: true, hint: "By how many percent the error of returns was lower than persistence's on sessions kept from the fit.", value: (row) => row.training.rmse_skill, cell: (row) => signedPercent(row.training.rmse_skill) },
    { name: "pairs", title: "Judged since", number: true, wide: true, value: (row) => row.measured.pairs, cell: (row) => whole(row.measured.pairs) },
    { name: "skill", title: "Skill since", number: true, value: (row) => row.measured.skill, cell: (row) => signedPercent(percentOf(row.measured.skill)) },
    { name: "mae", title: "Mean error", number: true, wide: true, hint: "Mean absolute error, rupees.", value: (row) => row.measured.mae, cell: (row) => price(row.measured.mae) },
    { name: "coverage", title: "In 95 %", number: true, value: (row) => row.measured.coverage_95, cell: (row) => share(row.measured.coverage_95) },
    { name: "mlflow", title: "MLflow", fixed: true, wide: true, value: () => null, cell: (row) => (row.mlflow ? link(row.mlflow, "open") : UNKNOWN) },
  ],
  sort: { name: "version", down: true },
  perPage: 12,
});
const importance = createTable({
  caption: "Feature importance",
  key: (row) => row.name,
  columns: [
    { name: "name", title: "Feature", value: (row) => row.name },
    { name: "bar", title: "Beside the others", fixed: true, value: () => null, cell: (row) => meter(row.part) },
    { name: "cost", title: "Cost of shuffling it", number: true, value: (row) => row.cost, cell: (row) => signedPercent(row.cost) },
  ],
  sort: { name: "cost", down: true },
  perPage: 12,
});
const promotions = createTable({
  caption: "Promotions",
  key: (row) => row.entry,
  columns: [
    { name: "entry", title: "Entry", value: (row) => row.entry, cell: (row) => h("code", {}, row.entry) },
    { name: "version", title: "Version", value: (row) => row.version, cell: (row) => link(`/model/${part(row.version)}`, row.version) },
    { name: "from", title: "Serves from", value: (row) => row.valid_from, cell: (row) => (row.valid_from ? day(row.valid_from) : "every session") },
    { name: "reason", title: "Why", value: (row) => row.reason, cell: (row) => row.reason || UNKNOWN, tone: () => "text" },
  ],
  sort: { name: "entry", down: true },
  perPage: 10,
});

const role = (name) => h("span", { class: `badge ${ROLES[name] ?? ""}` }, name);

function meter(filled) {
  const bar = h("span");
  bar.style.width = `${100 * Math.max(0, Math.min(1, filled))}%`;
  return h("span", { class: "meter", "aria-hidden": "true" }, bar);
}

async function load() {
  const { items } = await get("/models");
  const chosen = asked ? (items.find((one) => one.model_version === asked) ?? (await get(`/models/${part(asked)}`))) : shown(items);
  const challenger = items.find((one) => one.role === CHALLENGER);
  const [skill, calibration, shadow] = await Promise.all([
    get(`/models/${part(chosen.model_version)}/skill`),
    get(`/models/${part(chosen.model_version)}/calibration`),
    challenger ? get(`/models/${part(challenger.model_version)}/shadow`) : null,
  ]);
  return { items, chosen, skill, calibration, shadow };
}

const shown = (items) => items.find((one) => one.role === "champion") ?? items[0];

function summary({ chosen: { model_version: version, role: name, training, measured, trained_at: at } }) {
  return figures([
    ["Version", version, role(name)],
    ["Trained until", day(training.training_end), at ? `on ${moment(at)}` : null],
    ["Skill since then", signedPercent(percentOf(measured.skill)), `${whole(measured.pairs)} forecasts judged`],
    ["Mean absolute error", price(measured.mae), `persistence ${price(measured.baseline_mae)}`],
    ["Closes in 95 % range", share(measured.coverage_95), "95 % is aimed at"],
    ["On the hold-out", signedPercent(training.rmse_skill), training.mape ? `mean error ${percent(training.mape)}` : "skill of returns"],
  ]);
}

function drawSkill({ items }) {
  skillChart.set([
    { kind: "points", name: "One session", tone: "muted", points: items.map((one) => ({ x: one.date, y: percentOf(one.skill) })) },
    { kind: "line", name: "20 sessions", tone: "accent", points: items.map((one) => ({ x: one.date, y: percentOf(one.recent_skill) })) },
    { kind: "rule", name: "Persistence", tone: "ink", y: 0 },
  ]);
  coverageChart.set([
    { kind: "points", name: "One session", tone: "muted", points: items.map((one) => ({ x: one.date, y: percentOf(one.coverage_95) })) },
    { kind: "line", name: "20 sessions", tone: "accent", points: items.map((one) => ({ x: one.date, y: percentOf(one.recent_coverage_95) })) },
    { kind: "rule", name: "Aimed at", tone: "warm", y: 95 },
  ]);
}

function drawCalibration({ items }) {
  const bars = (of) => items.map((one) => ({ x: SHORT[one.part], y: percentOf(of(one)) }));
  calibrationChart.set([
    { kind: "bars", name: "Closes", tone: "accent", points: bars((one) => one.observed) },
    { kind: "points", name: "Aimed at", tone: "warm", points: bars((one) => one.expected) },
  ]);
}

function shadowPart({ shadow }) {
  if (!shadow) return card("Challenger and champion", null, empty("Nobody waits", "A version that was trained after the champion and does not serve predicts in shadow: after the next training, or `nepse retrain`."));
  if (!shadow.items.length) return card("Challenger and champion", null, empty(`${shadow.model_version} waits`, "Its first shadow is judged with the next session's closes."));
  shadowChart.set([
    { kind: "line", name: `${shadow.model_version} in shadow`, tone: "warm", points: shadow.items.map((one) => ({ x: one.date, y: one.rmse })) },
    { kind: "line", name: "What was served", tone: "accent", points: shadow.items.map((one) => ({ x: one.date, y: one.baseline_rmse })) },
  ]);
  return shadowChart.element;
}

function calibrationPart({ calibration }) {
  if (!calibration.judged) return card("Calibration of the intervals", null, empty("Nothing judged yet", "It fills with the first closes of sessions that this version predicted."));
  drawCalibration(calibration);
  return calibrationChart.element;
}

function skillPart({ skill }) {
  if (!skill.items.length) return [card("Skill against persistence", null, empty("Nothing judged yet", "The first point comes with the first session after the version began to serve. Persistence itself is not measured."))];
  drawSkill(skill);
  return [skillChart.element, coverageChart.element];
}

function importancePart({ chosen: { training } }) {
  const entries = Object.entries(training.importance ?? {});
  if (!entries.length) return card("Feature importance", null, empty("Not told", "The training of this version said nothing of it; newer ones do."));
  const most = Math.max(...entries.map(([, cost]) => cost), 1e-9);
  importance.set(entries.map(([name, cost]) => ({ name, cost, part: cost / most })));
  return card("Feature importance", "How many percent the error of returns rises when a feature is shuffled, on the hold-out.", importance.element);
}

function trainingPart({ chosen: { training, mlflow, model_version: version } }) {
  const reasons = (training.reasons ?? []).join("; ");
  return card("Training", training.why ?? null, facts([
    ["Sessions", `${day(training.training_start)} to ${day(training.training_end)}`],
    ["Hold-out from", day(training.holdout_start)],
    ["Asked for by", reasons || UNKNOWN],
    ["Features", `${whole(training.features_used?.length ?? null)}, set ${training.feature_set ?? UNKNOWN}`],
    ["Data version", figure(training.data_version)],
    ["Code", training.code_version ?? UNKNOWN],
    ["In MLflow", mlflow ? link(mlflow, `version ${version}`) : UNKNOWN],
  ]));
}

const terms = (items) => items.flatMap((one) => one.terms.map((term) => ({ ...term, version: one.model_version })));

const places = { top: h("div"), skill: h("div", { class: "stack" }), calibration: h("div"), shadow: h("div"), importance: h("div"), training: h("div") };
const versionsCard = card("Versions", "Skill since: on the closes that came after the version began to serve, against persistence on the same ones.", versions.element);
const promotionsCard = card("Promotions", "When a version came into office, and why.", promotions.element);

function render(data, place) {
  const { chosen, items } = data;
  document.title = `Model ${chosen.model_version} · NEPSE loop`;
  document.getElementById("heading").textContent = `Model ${chosen.model_version}`;
  put(places.top, summary(data));
  put(places.skill, skillPart(data));
  put(places.calibration, calibrationPart(data));
  put(places.shadow, shadowPart(data));
  put(places.importance, importancePart(data));
  put(places.training, trainingPart(data));
  versions.set(items);
  promotions.set(terms(items));
  if (place.contains(versionsCard)) return;
  const side = (...parts) => h("div", { class: "columns" }, parts);
  put(place, places.top, places.skill, side(places.calibration, places.shadow), side(places.importance, places.training), versionsCard, promotionsCard);
}

start({ what: "the models", topics: ["models", "errors", "shadows", "predictions"], load, render });
