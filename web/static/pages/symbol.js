// Symbol: price with the predicted path, errors, features of the day, and what is behind a forecast.

import { all, get, named, part } from "../api.js";
import { h, link, put } from "../dom.js";
import { UNKNOWN, day, direction, figure, price, share, signedPercent } from "../format.js";
import { lineageCard } from "../lineage.js";
import { start } from "../page.js";
import { card, figures } from "../parts.js";
import { empty } from "../states.js";
import { createTable } from "../table.js";
import { drawErrors, drawPrices, errorChart, priceChart } from "./symbol-charts.js";
import { historyTable, joined } from "./symbol-history.js";

const SESSIONS = 250;
const JUDGED = 60;
const name = named("/symbol");

async function load() {
  const known = await all("/symbols");
  if (!name) return { known: known.items };
  const about = await get(`/symbols/${part(name)}`);
  const wanted = { symbol: about.symbol, limit: SESSIONS };
  const [predictions, actuals, judged] = await Promise.all(
    ["/predictions", "/actuals", "/errors"].map((path) => get(path, wanted)),
  );
  return {
    known: known.items,
    about,
    predictions: predictions.items,
    actuals: actuals.items,
    errors: judged.items,
  };
}

function summary({ about, errors: judged }) {
  const { prediction, actual } = about;
  const recent = judged.slice(0, JUDGED);
  const mean = (of) => {
    const told = recent.map(of).filter((value) => value !== null);
    return told.length ? told.reduce((sum, value) => sum + value, 0) / told.length : null;
  };
  const persistence = ({ baseline_error: error }) => (error === null ? null : Math.abs(error));
  const inside = recent.filter((row) => row.within_95 !== null);
  return figures([
    [
      "Last close",
      price(actual?.actual_close ?? about.vector?.last_close),
      day(actual?.date ?? about.vector?.date),
    ],
    ["Forecast", price(prediction?.predicted_close), `for ${day(prediction?.date)}`],
    [
      "Expected move",
      h(
        "span",
        { class: direction(prediction?.expected_move_pct) },
        signedPercent(prediction?.expected_move_pct),
      ),
      `by ${prediction?.model_version ?? "nobody"}`,
    ],
    [
      "80 % range",
      h(
        "span",
        { class: "range" },
        prediction?.low_80 ? `${price(prediction.low_80)} – ${price(prediction.high_80)}` : UNKNOWN,
      ),
      prediction?.low_95 ? `95 %: ${price(prediction.low_95)} – ${price(prediction.high_95)}` : null,
    ],
    [
      "Mean absolute error",
      price(mean((row) => row.abs_error)),
      `persistence ${price(mean(persistence))}`,
    ],
    [
      "Closes in 95 % range",
      inside.length ? share(inside.filter((row) => row.within_95).length / inside.length) : UNKNOWN,
      `of ${inside.length} sessions`,
    ],
  ]);
}

function features(vector) {
  if (!vector)
    return card(
      "Features",
      null,
      empty("No features yet", "They are computed when the symbol's next session is ingested."),
    );
  const entries = Object.entries(vector.features).sort(([one], [other]) =>
    one.localeCompare(other, "en", { numeric: true }),
  );
  return card(
    "Features",
    `After the session of ${day(vector.date)}, feature set ${vector.feature_set ?? UNKNOWN}, revision ${vector.revision}.`,
    h(
      "dl",
      { class: "facts-columns" },
      entries.map(([key, value]) => h("div", {}, h("dt", {}, key), h("dd", {}, figure(value)))),
    ),
  );
}

const top = h("div");
const vectorPlace = h("div");
const lineage = lineageCard();
const historyCard = card(
  "Session by session",
  "Every forecast beside what came of it.",
  historyTable.element,
);

function render(data, place) {
  showKnown(data.known);
  if (!data.about) {
    put(place, list(data.known));
    return;
  }
  const { about } = data;
  document.title = `${about.symbol} · NEPSE loop`;
  document.getElementById("heading").textContent = about.symbol;
  document.getElementById("lead").textContent = "Price, forecast, errors, and what is behind them.";
  put(top, summary(data));
  put(vectorPlace, features(about.vector));
  if (!place.contains(priceChart.element))
    put(place, top, priceChart.element, errorChart.element, lineage.element, historyCard, vectorPlace);
  drawPrices(data);
  drawErrors(data.errors);
  historyTable.set(joined(data));
  lineage.set(
    about.symbol,
    data.predictions.map((row) => row.date),
  );
}

function showKnown(known) {
  put(
    document.getElementById("known"),
    known.map(({ symbol }) => h("option", { value: symbol })),
  );
}

function list(known) {
  if (!known.length)
    return empty(
      "No symbols yet",
      "They appear here a moment after the first prices were ingested: run `nepse demo`, or `nepse ingest` with files of your own.",
    );
  const table = createTable({
    caption: "Symbols",
    key: (row) => row.symbol,
    columns: [
      {
        name: "symbol",
        title: "Symbol",
        value: (row) => row.symbol,
        cell: (row) => link(`/symbol/${part(row.symbol)}`, row.symbol),
      },
      { name: "date", title: "Newest session", value: (row) => row.date, cell: (row) => day(row.date) },
      {
        name: "close",
        title: "Close",
        number: true,
        value: (row) => row.last_close,
        cell: (row) => price(row.last_close),
      },
    ],
    filter: { label: "Symbol", text: (row) => row.symbol },
  });
  table.set(known);
  return table.element;
}

document.getElementById("pick").addEventListener("submit", (event) => {
  event.preventDefault();
  const wanted = document.getElementById("symbol").value.trim();
  if (wanted) location.assign(`/symbol/${part(wanted)}`);
});

start({
  what: name || "the symbols",
  topics: ["features", "predictions", "actuals", "errors"],
  load,
  render,
});
