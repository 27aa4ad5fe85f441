// Model: skill against persistence over time, whether intervals keep what they say, who serves, who waits, and why.

import { get, named, part } from "../api.js";
import { h, link, put } from "../dom.js";
import { UNKNOWN, day, moment, percent, percentOf, price, share, signedPercent, whole } from "../format.js";
import { start } from "../page.js";
import { card, facts, figures } from "../parts.js";
import { empty } from "../states.js";
import {
  calibrationChart,
  coverageChart,
  drawCalibration,
  drawShadow,
  drawSkill,
  shadowChart,
  skillChart,
} from "./model-charts.js";
import { importanceTable, promotionsTable, role, versionsTable } from "./model-tables.js";

const CHALLENGER = "challenger";
const asked = named("/model");

async function load() {
  const { items } = await get("/models");
  const chosen = asked
    ? (items.find((one) => one.model_version === asked) ?? (await get(`/models/${part(asked)}`)))
    : shown(items);
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
    [
      "Skill since then",
      signedPercent(percentOf(measured.skill)),
      `${whole(measured.pairs)} forecasts judged`,
    ],
    ["Mean absolute error", price(measured.mae), `persistence ${price(measured.baseline_mae)}`],
    ["Closes in 95 % range", share(measured.coverage_95), "95 % is aimed at"],
    [
      "On the hold-out",
      signedPercent(training.rmse_skill),
      training.mape ? `mean error ${percent(training.mape)}` : "skill of returns",
    ],
  ]);
}

function shadowPart({ shadow }) {
  if (!shadow)
    return card(
      "Challenger and champion",
      null,
      empty(
        "Nobody waits",
        "A version that was trained after the champion and does not serve predicts in shadow; `nepse models list` tells of all.",
      ),
    );
  if (!shadow.items.length)
    return card(
      "Challenger and champion",
      null,
      empty(`${shadow.model_version} waits`, "Its first shadow is judged with the next session's closes."),
    );
  drawShadow(shadow);
  return shadowChart.element;
}

function calibrationPart({ calibration }) {
  if (!calibration.judged)
    return card(
      "Calibration of the intervals",
      null,
      empty("Nothing judged yet", "It fills with the first closes of sessions that this version predicted."),
    );
  drawCalibration(calibration);
  return calibrationChart.element;
}

function skillPart({ skill }) {
  if (!skill.items.length)
    return [
      card(
        "Skill against persistence",
        null,
        empty(
          "Nothing judged yet",
          "The first point comes with the first session after the version began to serve. Persistence itself is not measured.",
        ),
      ),
    ];
  drawSkill(skill);
  return [skillChart.element, coverageChart.element];
}

function importancePart({ chosen: { training } }) {
  const entries = Object.entries(training.importance ?? {});
  if (!entries.length)
    return card(
      "Feature importance",
      null,
      empty("Not told", "The training of this version said nothing of it; newer ones do."),
    );
  const most = Math.max(...entries.map(([, cost]) => cost), 1e-9);
  importanceTable.set(entries.map(([name, cost]) => ({ name, cost, part: cost / most })));
  return card(
    "Feature importance",
    "How many percent the error of returns rises when a feature is shuffled, on the hold-out.",
    importanceTable.element,
  );
}

function trainingPart({ chosen: { training, mlflow, model_version: version } }) {
  const { training_start: first, training_end: last, features_used: used } = training;
  return card(
    "Training",
    training.why,
    facts(
      [
        ["Sessions", last && `${day(first)} to ${day(last)}`],
        ["Hold-out from", training.holdout_start && day(training.holdout_start)],
        ["Asked for by", training.reasons?.join("; ")],
        ["Features", used?.length && `${whole(used.length)}, set ${training.feature_set ?? UNKNOWN}`],
        ["Data version", training.data_version],
        ["Code", training.code_version],
        ["In MLflow", mlflow && link(mlflow, `version ${version}`)],
      ].filter(([, value]) => value !== undefined && value !== null && value !== "" && value !== 0),
    ),
  );
}

const terms = (items) =>
  items.flatMap((one) => one.terms.map((term) => ({ ...term, version: one.model_version })));

const places = {
  top: h("div"),
  skill: h("div", { class: "stack" }),
  calibration: h("div"),
  shadow: h("div"),
  importance: h("div"),
  training: h("div"),
};
const versionsCard = card(
  "Versions",
  "Skill since: on the closes that came after the version began to serve, against persistence on the same ones.",
  versionsTable.element,
);
const promotionsCard = card(
  "Promotions",
  "When a version came into office, and why.",
  promotionsTable.element,
);

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
  versionsTable.set(items);
  promotionsTable.set(terms(items));
  if (place.contains(versionsCard)) return;
  const side = (...parts) => h("div", { class: "columns" }, parts);
  put(
    place,
    places.top,
    places.skill,
    side(places.calibration, places.shadow),
    side(places.importance, places.training),
    versionsCard,
    promotionsCard,
  );
}

start({ what: "the models", topics: ["models", "errors", "shadows", "predictions"], load, render });
