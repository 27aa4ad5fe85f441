// A few choices of which one holds, as buttons that tell screen readers which one that is.
//
//   const tabs = createTabs("State", { open: "Open", all: "All" }, "open");
//   tabs.element, tabs.chosen, tabs.onchange = () => {}

import { button, h } from "./dom.js";

export function createTabs(label, choices, first) {
  const tabs = { chosen: first, onchange: () => {} };
  const buttons = Object.entries(choices).map(([name, title]) =>
    button(title, () => choose(name), { "data-name": name }),
  );
  tabs.element = h("div", { class: "switch", role: "group", "aria-label": label }, buttons);

  function mark() {
    for (const one of buttons) one.setAttribute("aria-pressed", String(one.dataset.name === tabs.chosen));
  }

  function choose(name) {
    tabs.chosen = name;
    mark();
    tabs.onchange(name);
  }

  mark();
  return tabs;
}
