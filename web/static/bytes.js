// Shows foreign bytes: as printable ASCII and as hexadecimal, never as markup and never as more than asked for.
//
//   createBytes("Value", base64, { size: 1234, truncated: false })  -> element
//   hexLines(bytes)      "00000010  6e 65 …  |ne…|", sixteen bytes a line
//   printable(bytes)     ASCII as it is, whatever else as a dot; line ends stay

import { button, h, put } from "./dom.js";
import { bytes, whole } from "./format.js";

const WIDTH = 16;
const FIRST = 2_048; // bytes that are shown before somebody asks for more
const SHOWN = { text: "Text", hex: "Hex" };

export function decoded(base64) {
  return Uint8Array.from(atob(base64), (one) => one.charCodeAt(0));
}

const visible = (one) => (one >= 0x20 && one < 0x7f ? String.fromCharCode(one) : "·");

export function printable(data) {
  return Array.from(data, (one) => (one === 0x0a ? "\n" : visible(one))).join("");
}

export function hexLines(data) {
  const lines = [];
  for (let at = 0; at < data.length; at += WIDTH) {
    const part = data.subarray(at, at + WIDTH);
    const hex = Array.from(part, (one) => one.toString(16).padStart(2, "0"))
      .join(" ")
      .padEnd(3 * WIDTH - 1);
    lines.push(`${at.toString(16).padStart(8, "0")}  ${hex}  |${Array.from(part, visible).join("")}|`);
  }
  return lines.join("\n");
}

export function createBytes(name, base64, { size = null, truncated = false } = {}) {
  if (base64 === null)
    return h(
      "section",
      { class: "bytes" },
      h("h3", {}, name),
      h("p", { class: "muted" }, "There is none (null)."),
    );
  const data = decoded(base64);
  const state = { shown: "text", most: FIRST };
  const pre = h("pre", { tabindex: "0", role: "region", "aria-label": `${name} of the record` });
  const note = h("p", { class: "muted small" });
  const switches = Object.entries(SHOWN).map(([shown, title]) =>
    button(title, () => show({ shown }), { "data-shown": shown }),
  );
  const more = button("Show all that was sent", () => show({ most: data.length }), { class: "quiet" });

  function show(change) {
    Object.assign(state, change);
    const part = data.subarray(0, state.most);
    pre.textContent =
      data.length === 0 ? "(empty)" : state.shown === "hex" ? hexLines(part) : printable(part);
    pre.className = `dump ${state.shown}`;
    for (const one of switches) one.setAttribute("aria-pressed", String(one.dataset.shown === state.shown));
    more.hidden = part.length === data.length;
    note.textContent = told(part.length, size ?? data.length, truncated);
  }

  show({});
  return h(
    "section",
    { class: "bytes" },
    h(
      "div",
      { class: "bytes-head" },
      h("h3", {}, name),
      h(
        "div",
        { class: "switch", role: "group", "aria-label": `How ${name.toLowerCase()} is shown` },
        switches,
      ),
    ),
    pre,
    put(h("div", { class: "bytes-end" }), note, more),
  );
}

function told(shown, size, truncated) {
  if (shown === size) return `${bytes(size)}. What is no printable ASCII is a dot.`;
  const rest = truncated ? " More than that is not sent to a page: `nepse dlq show` has it." : "";
  return `The first ${whole(shown)} of ${whole(size)} bytes.${rest}`;
}
