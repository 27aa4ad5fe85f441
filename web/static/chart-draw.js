// Draws a chart's picture: axes, series, crosshair and the part that is being dragged over.

import { put, svg } from "./dom.js";
import { day, shortDay } from "./format.js";
import { dayMarks, extent, linear, marks, padded } from "./scale.js";

const MARGIN = { top: 10, right: 14, bottom: 26, left: 58 };
const MARK_PIXELS = 96;
const YEAR_MS = 3.2e10;
const BAR_PART = 0.7;
const MOST_BAR = 26;

// Puts everything into `picture`; returns the scales, for what is pointed at.
export function drawn(picture, texts, options, state, view) {
  const { width, height, window } = view;
  const inner = {
    left: MARGIN.left,
    right: width - MARGIN.right,
    top: MARGIN.top,
    bottom: height - MARGIN.bottom,
  };
  const shown = state.series.map((series) => ({ ...series, points: within(series.points, view) }));
  const roomy =
    options.x.kind === "names"
      ? padded(window, 0.5 / Math.max(1, window[1] - window[0]))
      : shown.some(({ kind }) => kind === "bars")
        ? padded(window, 0.03)
        : padded(window, 0.01);
  const x = linear(roomy, [inner.left, inner.right]);
  const y = linear(heights(shown, options), [inner.bottom, inner.top]);
  const scene = { x, y, inner, view, options };
  picture.setAttribute("viewBox", `0 0 ${width} ${height}`);
  picture.setAttribute("width", width);
  picture.setAttribute("height", height);
  put(
    picture,
    texts,
    axes(scene, roomy),
    svg(
      "g",
      {},
      shown.map((series) => shape(series, scene)),
    ),
    over(state, scene),
  );
  return scene;
}

// Of lines and bands also the neighbours outside the window, so that they run to its edge.
function within(points = [], { window: [from, to], at }) {
  const first = points.findIndex((point) => at(point) >= from);
  const last = points.findLastIndex((point) => at(point) <= to);
  return first < 0 || last < first ? [] : points.slice(first, last + 1);
}

function heights(shown, { y }) {
  const values = shown.flatMap((one) => [
    one.y,
    ...one.points.flatMap((point) => [point.y, point.low, point.high]),
  ]);
  if (y.zero || shown.some(({ kind }) => kind === "bars")) values.push(0);
  return padded(extent(values) ?? [0, 1], 0.06);
}

function axes({ x, y, inner, view, options }, window) {
  const low = y.invert(inner.bottom);
  const high = y.invert(inner.top);
  const levels = Math.max(2, Math.round((inner.bottom - inner.top) / 48));
  const few = marks([low, high], levels);
  const rows = few.length < 3 ? marks([low, high], 2 * levels) : few;
  const count = Math.max(2, Math.floor((inner.right - inner.left) / MARK_PIXELS));
  const columns = {
    date: () => dayMarks(window, count),
    names: () => options.x.names.map((_, at) => at),
    number: () => marks(window, count),
  }[options.x.kind]();
  const long = window[1] - window[0] > YEAR_MS;
  const across = {
    date: (at) => sessionText(at, long),
    names: (at) => options.x.names[at],
    number: (at) => options.x.format?.(at) ?? String(at),
  }[options.x.kind];
  const format = options.y.mark ?? options.y.format ?? String;
  return svg(
    "g",
    { class: "axes" },
    rows.map((at) =>
      svg("line", {
        class: at === 0 ? "zero" : "grid",
        x1: inner.left,
        x2: inner.right,
        y1: y(at),
        y2: y(at),
      }),
    ),
    rows.map((at) => svg("text", { x: inner.left - 8, y: y(at) + 4, "text-anchor": "end" }, format(at))),
    columns
      .filter((at) => at >= window[0] && at <= window[1])
      .map((at) =>
        svg(
          "text",
          {
            x: x(at),
            y: view.height - 7,
            "text-anchor": options.x.kind === "names" ? "middle" : anchor(x(at), inner),
          },
          across(at),
        ),
      ),
  );
}

function anchor(pixel, { left, right }) {
  if (pixel < left + 20) return "start";
  return pixel > right - 20 ? "end" : "middle";
}

function sessionText(at, long) {
  const text = new Date(at).toISOString();
  return long ? day(text).replace(/^\d+\u00a0/, "") : shortDay(text);
}

const shape = (series, scene) =>
  series.points.length || series.kind === "rule" ? SHAPES[series.kind](series, scene) : null;

const SHAPES = {
  line(series, { x, y, view: { at } }) {
    const path = pieces(series.points, ({ y: value }) => known(value))
      .map((piece) => run(piece.map((point) => [x(at(point)), y(point.y)])))
      .join("");
    return svg("path", { class: `line tone-${series.tone}${series.dashed ? " dashed" : ""}`, d: path });
  },
  band(series, { x, y, view: { at } }) {
    const path = pieces(series.points, ({ low, high }) => known(low) && known(high))
      .map((piece) => {
        const sides =
          piece.length === 1
            ? [-4, 4].map((by) => [x(at(piece[0])) + by, piece[0]])
            : piece.map((point) => [x(at(point)), point]);
        const upper = sides.map(([place, point]) => [place, y(point.high)]);
        const lower = sides.map(([place, point]) => [place, y(point.low)]).reverse();
        return `${run([...upper, ...lower])}Z`;
      })
      .join("");
    return svg("path", { class: `band tone-${series.tone}${series.faint ? " faint" : ""}`, d: path });
  },
  bars(series, { x, y, inner, view: { at } }) {
    const room = ((inner.right - inner.left) / Math.max(1, series.points.length)) * BAR_PART;
    const wide = Math.max(1, Math.min(MOST_BAR, room));
    return svg(
      "g",
      {},
      series.points
        .filter(({ y: value }) => known(value))
        .map((point) => {
          const tone = series.toneOf?.(point) ?? series.tone;
          const [top, bottom] = [y(point.y), y(0)].sort((a, b) => a - b);
          return svg("rect", {
            class: `bar tone-${tone}`,
            x: round(x(at(point)) - wide / 2),
            width: round(wide),
            y: round(top),
            height: round(Math.max(1, bottom - top)),
          });
        }),
    );
  },
  points(series, { x, y, view: { at } }) {
    const size = series.points.length > 200 ? 1.6 : 3;
    return svg(
      "g",
      {},
      series.points
        .filter(({ y: value }) => known(value))
        .map((point) =>
          svg("circle", {
            class: `point tone-${series.toneOf?.(point) ?? series.tone}`,
            cx: round(x(at(point))),
            cy: round(y(point.y)),
            r: size,
          }),
        ),
    );
  },
  rule(series, { y, inner }) {
    return svg("line", {
      class: `line dashed tone-${series.tone}`,
      x1: inner.left,
      x2: inner.right,
      y1: y(series.y),
      y2: y(series.y),
    });
  },
};

function over(state, { x, inner }) {
  const place = state.cursor === null ? null : x(state.cursor);
  const cursor =
    place !== null &&
    place >= inner.left &&
    place <= inner.right &&
    svg("line", { class: "cursor", x1: place, x2: place, y1: inner.top, y2: inner.bottom });
  const drag =
    state.drag &&
    svg("rect", {
      class: "drag",
      x: Math.min(state.drag.from, state.drag.to),
      width: Math.abs(state.drag.to - state.drag.from),
      y: inner.top,
      height: inner.bottom - inner.top,
    });
  return [cursor, drag];
}

const known = (value) => value !== null && value !== undefined && Number.isFinite(value);
const round = (pixel) => Math.round(pixel * 10) / 10;
const run = (corners) => corners.map(([x, y], at) => `${at ? "L" : "M"}${round(x)} ${round(y)}`).join("");

function pieces(points, fits) {
  const found = [[]];
  for (const point of points) {
    if (fits(point)) found.at(-1).push(point);
    else if (found.at(-1).length) found.push([]);
  }
  return found.filter((piece) => piece.length);
}
