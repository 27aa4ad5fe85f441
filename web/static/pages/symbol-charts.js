// The charts of the Symbol page: the price with what was expected of it, and the errors.

import { createChart } from "../chart.js";
import { price, signed, whole } from "../format.js";

export const priceChart = createChart({
  title: "Price and forecast",
  description:
    "Each forecast was made after the session before; the shaded ranges are where the close was expected with 80 and 95 percent.",
  x: { kind: "date", title: "Session" },
  y: { format: price, mark: whole },
  height: 340,
});
export const errorChart = createChart({
  title: "Errors",
  description:
    "Forecast minus close, in rupees: above zero the forecast was too high. Warm bars lay outside the range of 95 percent.",
  x: { kind: "date", title: "Session" },
  y: { format: signed, mark: whole },
  height: 200,
});

const oldestFirst = (rows) => [...rows].reverse();

export function drawPrices({ predictions, actuals }) {
  const said = oldestFirst(predictions);
  const ranges = (level) =>
    said.map((row) => ({ x: row.date, low: row[`low_${level}`], high: row[`high_${level}`] }));
  priceChart.set([
    { kind: "band", name: "95 % range", tone: "accent", faint: true, points: ranges(95) },
    { kind: "band", name: "80 % range", tone: "accent", points: ranges(80) },
    {
      kind: "line",
      name: "Close",
      tone: "ink",
      points: oldestFirst(actuals).map((row) => ({ x: row.date, y: row.actual_close })),
    },
    {
      kind: "line",
      name: "Forecast",
      tone: "warm",
      dashed: true,
      points: said.map((row) => ({ x: row.date, y: row.predicted_close })),
    },
    {
      kind: "points",
      name: "Next session",
      tone: "warm",
      points: said.slice(-1).map((row) => ({ x: row.date, y: row.predicted_close })),
    },
  ]);
}

export function drawErrors(rows) {
  errorChart.set([
    {
      kind: "bars",
      name: "Forecast minus close",
      tone: "accent",
      toneOf: (point) => (point.within === false ? "warm" : "accent"),
      points: oldestFirst(rows).map((row) => ({ x: row.date, y: row.error, within: row.within_95 })),
    },
  ]);
}
