// What is shown where there is nothing else to show; each says what to do.
//
//   loading("the market")                 a placeholder that screen readers are told of
//   empty("No predictions yet", "They come after …", link(…))
//   failed(problem, retry)                what went wrong, and a button to try again

import { button, h, withCode } from "./dom.js";

export function loading(what) {
  return h("p", { class: "state loading", role: "status" }, `Loading ${what} …`);
}

export function empty(title, text, ...more) {
  return h(
    "div",
    { class: "state" },
    h("p", { class: "state-title" }, title),
    h("p", {}, withCode(text)),
    more,
  );
}

export function failed(problem, retry) {
  return h(
    "div",
    { class: "state failed", role: "alert" },
    h("p", { class: "state-title" }, title(problem)),
    h("p", {}, withCode(problem.message)),
    retry && button("Try again", retry),
  );
}

function title({ status }) {
  if (status === 404) return "Not found";
  if (status === 0) return "No connection";
  return status === 503 ? "Away for a moment" : "This did not work";
}
