// A chart in SVG: lines, bands, bars and points over sessions or numbers. Zoomed by dragging or by keys, read
// point by point with the arrow keys, saved as SVG, PNG or CSV, and shown as a table for who sees no picture.
//
//   const chart = createChart({
//     title: "Price", description: "One sentence on what to see.",
//     x: { kind: "date" | "number", title: "Session", format },   or { kind: "names", names: ["a", "b"], title }
//     y: { title: "NPR", format: price, zero: true },         zero: the axis reaches 0
//     height: 280,
//   })
//   place.append(chart.element);
//   chart.set([
//     { kind: "line", name: "Close", tone: "ink", points: [{ x: "2024-03-04", y: 505 }] },  y null: a gap
//     { kind: "band", name: "95 %", tone: "accent", points: [{ x, low, high }] },   faint: true for outer ones
//     { kind: "bars", name: "Error", tone: "accent", points: [{ x, y }] },    from 0; toneOf(point) for single ones
//     { kind: "points", name: "Forecast", tone: "warm", points: [{ x, y }] },
//     { kind: "rule", name: "Aimed at", tone: "muted", y: 0.95 },             a level; `dashed: true` for lines
//   ])
//   Tones: ink, accent, warm, muted, up, down. set() again as often as wished: the zoom stays.

import { drawn } from "./chart-draw.js";
import { csv, png, save, svgText, tableOf } from "./chart-export.js";
import { button, h, put, svg } from "./dom.js";
import { day } from "./format.js";
import { extent } from "./scale.js";

const STEP = 0.25;
const LEAST_DRAG = 6;
const HELP =
  "Left and right arrow keys read the values, plus and minus zoom, shift with an arrow key moves, 0 shows everything.";
const marked = ({ dashed, faint }) => (dashed ? " dashed" : "") + (faint ? " faint" : "");
let charts = 0;

export function createChart(options) {
  charts += 1;
  const names = { title: `chart-title-${charts}`, description: `chart-text-${charts}` };
  const state = { series: [], zoom: null, cursor: null, drag: null, width: 640 };
  const picture = svg("svg", { role: "img", "aria-labelledby": `${names.title} ${names.description}` });
  const readout = h("p", { class: "chart-readout", "aria-live": "polite" });
  const stage = h(
    "div",
    { class: "chart-stage", role: "group", tabindex: "0", "aria-label": `${options.title}: ${HELP}` },
    picture,
  );
  const legend = h("ul", { class: "legend" });
  const numbers = h("div");
  const details = h(
    "details",
    { ontoggle: () => details.open && put(numbers, tableOf(options, state.series)) },
    h("summary", {}, "Numbers"),
    numbers,
  );
  const heading = h("h3", {}, options.title);
  const element = h(
    "figure",
    { class: "chart" },
    h("figcaption", {}, heading, h("p", {}, options.description), legend),
    stage,
    readout,
    h("div", { class: "chart-tools" }, zoomTools(), saveTools()),
    details,
  );

  function zoomTools() {
    return h(
      "span",
      { class: "group" },
      button("−", () => zoomBy(1 / (1 - 2 * STEP)), { "aria-label": `Zoom out of ${options.title}` }),
      button("+", () => zoomBy(1 - 2 * STEP), { "aria-label": `Zoom into ${options.title}` }),
      button("All", () => zoomTo(null), { "aria-label": `Show all of ${options.title}` }),
    );
  }

  function saveTools() {
    const name = options.title.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-");
    const tool = (kind, act) =>
      button(kind, act, { class: "quiet", "aria-label": `Save ${options.title} as ${kind}` });
    return h(
      "span",
      { class: "group" },
      tool("SVG", () => save(`${name}.svg`, new Blob([svgText(picture)], { type: "image/svg+xml" }))),
      tool("PNG", async () => save(`${name}.png`, await png(picture))),
      tool("CSV", () => save(`${name}.csv`, new Blob([csv(options, state.series)], { type: "text/csv" }))),
    );
  }

  function everything() {
    return extent(state.series.flatMap(({ points = [] }) => points.map((point) => at(point)))) ?? [0, 1];
  }

  function at(point) {
    if (options.x.kind === "names") return options.x.names.indexOf(point.x);
    return options.x.kind === "date" ? Date.parse(point.x) : point.x;
  }

  function places() {
    const [from, to] = state.zoom ?? everything();
    const found = state.series.flatMap(({ points = [] }) => points.map(at));
    return [...new Set(found)].filter((one) => one >= from && one <= to).sort((a, b) => a - b);
  }

  function draw() {
    const texts = [
      svg("title", { id: names.title }, options.title),
      svg("desc", { id: names.description }, options.description),
    ];
    const view = {
      width: state.width,
      height: options.height ?? 280,
      window: state.zoom ?? everything(),
      at,
    };
    state.scene = drawn(picture, texts, options, state, view);
  }

  function zoomTo(window) {
    const [low, high] = everything();
    const [from, to] = window ?? [low, high];
    state.zoom = window && to - from < high - low ? [Math.max(low, from), Math.min(high, to)] : null;
    if (state.zoom && places().length < 2) state.zoom = null;
    draw();
  }

  function zoomBy(factor) {
    const [from, to] = state.zoom ?? everything();
    const middle =
      state.cursor !== null && state.cursor >= from && state.cursor <= to ? state.cursor : (from + to) / 2;
    zoomTo([middle - (middle - from) * factor, middle + (to - middle) * factor]);
  }

  function move(part) {
    const [from, to] = state.zoom ?? everything();
    const [low, high] = everything();
    const shift = Math.min(high - to, Math.max(low - from, (to - from) * part));
    zoomTo([from + shift, to + shift]);
  }

  function read(place) {
    state.cursor = place;
    draw();
    const told = state.series.flatMap(
      (one) => one.points?.filter((point) => at(point) === place).map((point) => said(one, point)) ?? [],
    );
    put(
      readout,
      h("strong", {}, where(place)),
      told.map((text) => h("span", {}, text)),
    );
  }

  function where(place) {
    if (options.x.kind === "names") return options.x.names[place];
    return options.x.kind === "date"
      ? day(new Date(place).toISOString())
      : (options.x.format?.(place) ?? String(place));
  }

  function said(series, { y, low, high }) {
    const format = options.y.format ?? String;
    return `${series.name} ${series.kind === "band" ? `${format(low)} to ${format(high)}` : format(y)}`;
  }

  function step(by) {
    const every = places();
    const here = every.indexOf(state.cursor);
    if (every.length)
      read(
        every[
          here < 0 ? (by > 0 ? 0 : every.length - 1) : Math.min(every.length - 1, Math.max(0, here + by))
        ],
      );
  }

  const keys = {
    ArrowLeft: (event) => (event.shiftKey ? move(-STEP) : step(-1)),
    ArrowRight: (event) => (event.shiftKey ? move(STEP) : step(1)),
    "+": () => zoomBy(1 - 2 * STEP),
    "=": () => zoomBy(1 - 2 * STEP),
    "-": () => zoomBy(1 / (1 - 2 * STEP)),
    0: () => zoomTo(null),
    Escape: () => zoomTo(null),
  };

  stage.addEventListener("keydown", (event) => {
    if (!Object.hasOwn(keys, event.key) || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    keys[event.key](event);
  });

  const across = (event) => event.clientX - picture.getBoundingClientRect().left;
  const nearest = (pixel) => {
    const wanted = state.scene.x.invert(pixel);
    return places().reduce(
      (best, one) => (best === null || Math.abs(one - wanted) < Math.abs(best - wanted) ? one : best),
      null,
    );
  };

  stage.addEventListener("pointerdown", (event) => {
    if (event.button === 0 && event.pointerType !== "touch")
      state.drag = { from: across(event), to: across(event) };
  });
  stage.addEventListener("pointermove", (event) => {
    if (state.drag) state.drag.to = across(event);
    const place = nearest(across(event));
    if (place !== null) read(place);
  });
  addEventListener("pointerup", () => {
    const { drag } = state;
    state.drag = null;
    if (drag && Math.abs(drag.to - drag.from) >= LEAST_DRAG)
      zoomTo([drag.from, drag.to].sort((a, b) => a - b).map(state.scene.x.invert));
    else if (drag) draw();
  });
  stage.addEventListener("dblclick", () => zoomTo(null));

  new ResizeObserver(([{ contentRect }]) => {
    const width = Math.max(240, Math.round(contentRect.width));
    if (width === state.width) return;
    state.width = width;
    requestAnimationFrame(draw);
  }).observe(stage);

  function set(series) {
    state.series = series;
    put(
      legend,
      series.map((one) =>
        h(
          "li",
          { class: `tone-${one.tone}` },
          h("span", { class: `swatch ${one.kind}${marked(one)}` }),
          one.name,
        ),
      ),
    );
    draw();
    if (details.open) put(numbers, tableOf(options, series));
  }

  return { element, set };
}
