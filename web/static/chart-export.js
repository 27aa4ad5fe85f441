// What a chart can be taken away as: its picture as SVG or PNG, its numbers as CSV or as a table.
//
// The PNG is painted from the SVG's own shapes onto a canvas: loading the SVG as an image would need the page
// to allow `blob:` addresses, and it allows none but its own.

import { h } from "./dom.js";
import { UNKNOWN, day } from "./format.js";

const STYLES = [
  "fill",
  "fill-opacity",
  "stroke",
  "stroke-width",
  "stroke-opacity",
  "stroke-dasharray",
  "font-family",
  "font-size",
  "text-anchor",
];
const SHARPNESS = 2;
const MOST_ROWS = 400;
const FORMULA = /^[=+\-@\t\r]/;

export function save(name, blob) {
  const address = URL.createObjectURL(blob);
  h("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}

// The picture with its styles within it, as a file of its own has no style sheet.
export function svgText(picture) {
  const copy = picture.cloneNode(true);
  const [from, to] = [picture, copy].map((one) => [
    ...one.querySelectorAll("path, line, rect, circle, text"),
  ]);
  from.forEach((element, at) => {
    const style = getComputedStyle(element);
    for (const name of STYLES) to[at].setAttribute(name, style.getPropertyValue(name));
  });
  const paper = to[0]?.ownerDocument.createElementNS("http://www.w3.org/2000/svg", "rect");
  paper?.setAttribute("width", "100%");
  paper?.setAttribute("height", "100%");
  paper?.setAttribute("fill", background(picture));
  if (paper) copy.prepend(paper);
  return new XMLSerializer().serializeToString(copy);
}

export function png(picture) {
  const { width, height } = picture.viewBox.baseVal;
  const canvas = h("canvas", { width: width * SHARPNESS, height: height * SHARPNESS });
  const paint = canvas.getContext("2d");
  paint.scale(SHARPNESS, SHARPNESS);
  paint.fillStyle = background(picture);
  paint.fillRect(0, 0, width, height);
  for (const element of picture.querySelectorAll("path, line, rect, circle, text")) painted(paint, element);
  return new Promise((done) => canvas.toBlob(done, "image/png"));
}

function painted(paint, element) {
  const style = getComputedStyle(element);
  const value = (name) => Number(element.getAttribute(name));
  if (element.tagName === "text") {
    Object.assign(paint, {
      font: `${style.fontSize} ${style.fontFamily}`,
      fillStyle: style.fill,
      textAlign: { middle: "center", end: "right" }[style.textAnchor] ?? "left",
    });
    paint.fillText(element.textContent, value("x"), value("y"));
    return;
  }
  const shape = new Path2D(element.tagName === "path" ? element.getAttribute("d") : "");
  if (element.tagName === "line") {
    shape.moveTo(value("x1"), value("y1"));
    shape.lineTo(value("x2"), value("y2"));
  }
  if (element.tagName === "rect") shape.rect(value("x"), value("y"), value("width"), value("height"));
  if (element.tagName === "circle") shape.arc(value("cx"), value("cy"), value("r"), 0, 2 * Math.PI);
  fillAndStroke(paint, shape, style);
}

function fillAndStroke(paint, shape, style) {
  if (style.fill !== "none") {
    Object.assign(paint, { fillStyle: style.fill, globalAlpha: Number(style.fillOpacity) });
    paint.fill(shape);
  }
  if (style.stroke !== "none") {
    Object.assign(paint, {
      strokeStyle: style.stroke,
      lineWidth: Number.parseFloat(style.strokeWidth),
      globalAlpha: Number(style.strokeOpacity),
    });
    paint.setLineDash(
      style.strokeDasharray === "none" ? [] : style.strokeDasharray.split(/[ ,]+/).map(Number.parseFloat),
    );
    paint.stroke(shape);
  }
  paint.globalAlpha = 1;
}

const background = (element) => getComputedStyle(element.closest(".chart") ?? document.body).backgroundColor;

function columnsOf(series) {
  return series.flatMap((one) => {
    if (one.kind === "rule") return [];
    const parts = one.kind === "band" ? ["low", "high"] : ["y"];
    return parts.map((part) => ({
      title: part === "y" ? one.name : `${one.name} ${part}`,
      values: new Map(one.points.map((point) => [point.x, point[part]])),
    }));
  });
}

function rowsOf(columns, { kind }) {
  const places = [...new Set(columns.flatMap(({ values }) => [...values.keys()]))];
  if (kind !== "names") places.sort((a, b) => (typeof a === "number" ? a - b : a < b ? -1 : 1));
  return places.map((x) => [x, ...columns.map(({ values }) => values.get(x) ?? null)]);
}

export function csv({ x }, series) {
  const columns = columnsOf(series);
  const lines = [[x.title ?? "x", ...columns.map(({ title }) => title)], ...rowsOf(columns, x)];
  return `${lines.map((line) => line.map(quoted).join(",")).join("\r\n")}\r\n`;
}

// Text that a spreadsheet would take for a formula gets an apostrophe.
function quoted(value) {
  if (value === null || typeof value === "number") return value ?? "";
  const text = FORMULA.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

export function tableOf({ title, x, y }, series) {
  const columns = columnsOf(series);
  const rows = rowsOf(columns, x);
  if (x.kind === "date") rows.reverse();
  const format = (value) => (value === null ? UNKNOWN : (y.format ?? String)(value));
  const where = (value) => (x.kind === "date" ? day(value) : (x.format?.(value) ?? String(value)));
  return h(
    "div",
    { class: "table-scroll numbers", role: "region", tabindex: "0", "aria-label": `${title} as numbers` },
    h(
      "table",
      {},
      h("caption", { class: "hidden-text" }, title),
      h(
        "thead",
        {},
        h(
          "tr",
          {},
          h("th", { scope: "col" }, x.title ?? ""),
          columns.map((one) => h("th", { scope: "col", class: "number" }, one.title)),
        ),
      ),
      h(
        "tbody",
        {},
        rows.slice(0, MOST_ROWS).map(([place, ...values]) =>
          h(
            "tr",
            {},
            h("th", { scope: "row" }, where(place)),
            values.map((value) => h("td", { class: "number" }, format(value))),
          ),
        ),
      ),
    ),
    rows.length > MOST_ROWS && h("p", {}, `The newest ${MOST_ROWS} of ${rows.length}; the CSV has all.`),
  );
}
