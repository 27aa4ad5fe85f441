// Market: what is expected of the newest session, symbol by symbol.

import { all, part } from "../api.js";
import { h, link, put, svg } from "../dom.js";
import { day, direction, percent, price, signedPercent, whole } from "../format.js";
import { linear } from "../scale.js";
import { figures } from "../parts.js";
import { start } from "../page.js";
import { empty } from "../states.js";
import { createTable } from "../table.js";

const CLEAR = { beyond95: "beyond 95 %", beyond80: "beyond 80 %", within: "within" };
const HINTS = {
  width: "Width of the 80 % interval in percent of the forecast: the narrower, the surer.",
  signal:
    "Whether the last close lies outside the forecast's interval: outside of 95 % is the clearest sign of a move.",
};

const outside = (row, level) =>
  row[`low_${level}`] !== null &&
  (row.last_close < row[`low_${level}`] || row.last_close > row[`high_${level}`]);

export function clearness(row) {
  if (row.low_80 === null || row.last_close === null) return null;
  if (outside(row, 95)) return "beyond95";
  return outside(row, 80) ? "beyond80" : "within";
}

const signalOrder = { within: 0, beyond80: 1, beyond95: 2 };
const interval = (row, level) =>
  row[`low_${level}`] === null ? "–" : `${price(row[`low_${level}`])} – ${price(row[`high_${level}`])}`;
const badge = (sign) =>
  sign
    ? h(
        "span",
        { class: `badge ${{ beyond95: "chosen", beyond80: "chosen", within: "" }[sign]}` },
        CLEAR[sign],
      )
    : "–";

const table = createTable({
  caption: "Predictions",
  key: (row) => `${row.symbol} ${row.as_of}`,
  columns: [
    {
      name: "symbol",
      title: "Symbol",
      value: (row) => row.symbol,
      cell: (row) => link(`/symbol/${part(row.symbol)}`, row.symbol),
    },
    {
      name: "move",
      title: "Expected move",
      number: true,
      value: (row) => row.expected_move_pct,
      cell: (row) => signedPercent(row.expected_move_pct),
      tone: (row) => direction(row.expected_move_pct),
    },
    {
      name: "forecast",
      title: "Forecast",
      number: true,
      value: (row) => row.predicted_close,
      cell: (row) => price(row.predicted_close),
    },
    {
      name: "last",
      title: "Last close",
      number: true,
      value: (row) => row.last_close,
      cell: (row) => price(row.last_close),
    },
    {
      name: "picture",
      title: "Range",
      fixed: true,
      wide: true,
      hint: "From left to right: 95 % and 80 % interval, forecast (dot) and last close (dashed), in percent of the last close.",
      value: () => null,
      cell: picture,
    },
    {
      name: "in80",
      title: "80 % interval",
      number: true,
      value: (row) => row.low_80,
      cell: (row) => interval(row, 80),
    },
    {
      name: "in95",
      title: "95 % interval",
      number: true,
      wide: true,
      value: (row) => row.low_95,
      cell: (row) => interval(row, 95),
    },
    {
      name: "width",
      title: "Width of 80 %",
      number: true,
      hint: HINTS.width,
      value: (row) => row.width_80_pct,
      cell: (row) => percent(row.width_80_pct),
    },
    {
      name: "signal",
      title: "Last close lies",
      hint: HINTS.signal,
      value: (row) => signalOrder[clearness(row)] ?? null,
      cell: (row) => badge(clearness(row)),
    },
  ],
  sort: { name: "move", down: true },
  filter: { label: "Symbol", text: (row) => row.symbol },
  choices: [
    {
      label: "Direction",
      options: [
        { title: "all", test: () => true },
        { title: "up", test: (row) => row.expected_move_pct > 0 },
        { title: "down", test: (row) => row.expected_move_pct < 0 },
      ],
    },
    {
      label: "Last close lies",
      options: [
        { title: "anywhere", test: () => true },
        { title: CLEAR.beyond80, test: (row) => outside(row, 80) },
        { title: CLEAR.beyond95, test: (row) => outside(row, 95) },
      ],
    },
  ],
  nothing: "No symbol fits: clear the filter to see all of them.",
});

let reach = 10; // percent of the last close that the pictures show to both sides

function picture(row) {
  if (row.low_95 === null || !row.last_close) return "";
  const x = linear([-reach, reach], [2, 134]);
  const at = (value) => Math.max(1, Math.min(135, x(100 * (value / row.last_close - 1))));
  const range = (name, low, high, top) =>
    svg("rect", {
      class: name,
      x: at(low),
      width: Math.max(1, at(high) - at(low)),
      y: top,
      height: 16 - 2 * top,
      rx: 2,
    });
  return svg(
    "svg",
    { class: "interval", viewBox: "0 0 136 16", "aria-hidden": "true" },
    range("wide-range", row.low_95, row.high_95, 5),
    range("range", row.low_80, row.high_80, 3),
    svg("line", { class: "now", x1: x(0), x2: x(0), y1: 0, y2: 16 }),
    svg("circle", { class: "mark", cx: at(row.predicted_close), cy: 8, r: 3 }),
  );
}

function reachOf(rows) {
  const sides = rows
    .filter((row) => row.last_close && row.low_95 !== null)
    .flatMap((row) => [row.low_95, row.high_95].map((end) => Math.abs(100 * (end / row.last_close - 1))));
  return sides.length ? sides.sort((a, b) => a - b)[Math.floor(0.95 * (sides.length - 1))] : 10;
}

function middle(values) {
  const sorted = values.filter((value) => value !== null).sort((a, b) => a - b);
  return sorted.length ? sorted[Math.floor(sorted.length / 2)] : null;
}

function summary({ session, items }) {
  const moves = items.map((row) => row.expected_move_pct);
  const count = (test) => items.filter(test).length;
  const versions = [...new Set(items.map((row) => row.model_version))];
  return figures([
    ["Session", day(session), `from ${day(items[0].as_of)}`],
    [
      "Symbols",
      whole(items.length),
      `${whole(count((row) => row.expected_move_pct > 0))} up, ${whole(count((row) => row.expected_move_pct < 0))} down`,
    ],
    ["Median move", signedPercent(middle(moves)), "of all symbols"],
    ["Median width of 80 %", percent(middle(items.map((row) => row.width_80_pct))), "of the forecast"],
    [
      "Clear of the last close",
      whole(count((row) => outside(row, 80))),
      `${whole(count((row) => outside(row, 95)))} of them beyond 95 %`,
    ],
    [
      "Model",
      versions.length === 1 ? link(`/model/${part(versions[0])}`, versions[0]) : whole(versions.length),
      versions.length === 1 ? "predicted all of them" : "versions predicted",
    ],
  ]);
}

const head = h("div");

function render(data, place) {
  if (!data.items.length) {
    put(
      place,
      empty(
        "No predictions yet",
        "They appear here a moment after the first prices were ingested: run `nepse demo`, or `nepse ingest` with files of your own.",
      ),
    );
    return;
  }
  document.getElementById("lead").textContent =
    `What is expected of the session of ${day(data.session)}, for each symbol.`;
  reach = reachOf(data.items);
  put(head, summary(data));
  if (!place.contains(table.element)) put(place, head, table.element);
  table.set(data.items);
}

start({ what: "the market", topics: ["predictions"], load: () => all("/predictions"), render });
