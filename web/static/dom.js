// Makes elements. Whatever comes from events becomes text nodes and attributes, never markup.
//
//   h("a", { href: "/alerts", class: "quiet" }, "Alerts")     an element with attributes and children
//   svg("path", { d: "M0 0L1 1" })                            the same of SVG
//   put(place, ...children)                                   replaces what a place holds; what is there already
//                                                             stays, and so does the focus
//   link(href, text)          a link; the text alone unless the address is ours or http(s)
//   button(text, act, attributes)
//   withCode("run `nepse up`")           text with what is between backticks as code
//   announce(text)                                            tells screen readers, politely
//
// Attributes: null, undefined and false are left out, true is written empty; `on...` are listeners.
// Children: nodes, strings, numbers, arrays of these; null and false are left out.

const SVG = "http://www.w3.org/2000/svg";

export function h(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

export function svg(tag, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, tag), attributes, children);
}

export function put(place, ...children) {
  const wanted = nodes(children);
  const there = place.childNodes;
  if (wanted.length === there.length && wanted.every((one, at) => one === there[at])) return place;
  const focused = place.contains(document.activeElement) ? document.activeElement : null;
  place.replaceChildren(...wanted);
  if (focused && focused !== place) refocus(place, focused);
  return place;
}

// A node that was moved lost the focus, and so did one that an equal one took the place of.
function refocus(place, focused) {
  const equals = () => [...place.querySelectorAll(focused.localName)].find((one) => one.isEqualNode(focused));
  const now = place.contains(focused) ? focused : equals();
  if (now && now !== document.activeElement) now.focus({ preventScroll: true });
}

export function link(href, text, attributes = {}) {
  if (!isSafe(href)) return h("span", {}, text);
  const away = /^https?:/i.test(href) ? { rel: "noreferrer" } : {};
  return h("a", { href, ...away, ...attributes }, text);
}

export function button(text, act, attributes = {}) {
  return h("button", { type: "button", onclick: act, ...attributes }, text);
}

export function withCode(text) {
  return text.split("`").map((piece, at) => (at % 2 ? h("code", {}, piece) : piece));
}

export function announce(text) {
  const place = document.getElementById("announcements");
  if (place) place.textContent = text;
}

function isSafe(href) {
  return typeof href === "string" && /^(https?:\/\/|\/(?![\\/])|[#?])/i.test(href);
}

function filled(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...nodes(children));
  return element;
}

function nodes(children) {
  return children.flat(Infinity).filter((one) => one !== null && one !== undefined && one !== false);
}
