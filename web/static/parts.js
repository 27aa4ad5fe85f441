// Small parts that several pages show.
//
//   figures([["Session", "4 Mar 2024", "from 3 Mar"], …])   figures side by side: name, value, a remark or nothing
//   facts([["Reason", text], …])                            names and values below each other
//   when(text)                                              how long ago a moment is; page.js keeps it true
//   card("Heading", "What it is", ...content)               a part of a page with a heading of its own

import { h } from "./dom.js";
import { UNKNOWN, ago, moment } from "./format.js";

export function figures(every) {
  return h(
    "dl",
    { class: "figures" },
    every.map(([name, value, remark]) =>
      h("div", {}, h("dt", {}, name), h("dd", {}, value), remark && h("dd", {}, remark)),
    ),
  );
}

export function facts(every) {
  return h(
    "dl",
    { class: "facts-list" },
    every.map(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]),
  );
}

export function when(text) {
  return text ? h("time", { datetime: text, title: moment(text) }, ago(text)) : UNKNOWN;
}

export function card(heading, text, ...content) {
  return h("section", { class: "card" }, h("h2", {}, heading), text && h("p", {}, text), content);
}
