// Runs a page: loads what it shows, shows it, and loads it anew when the topics that it is made of move.
//
//   start({
//     what: "the market",                  named while it loads
//     topics: ["predictions"],             of the stream; see docs/how-to/use-the-api.md
//     load: async () => data,              asks the API; throws Problem
//     render: (data, place) => {},         shows data in `place` (#content); the first time `place` is empty,
//                                          later it holds what the last render put there
//     calm: true,                          screen readers are not told of each change: the page says what matters
//   })  -> reload()                        loads and shows once more, after a command for instance
//
// Of overlapping loads the one that was begun last counts: an older answer, or failure, is not shown.
// Moments told as "3 min ago" are told anew now and then. A failure of the first load takes the page's place; a later one is told above what was shown before.

import { announce, h, put } from "./dom.js";
import { ago, time } from "./format.js";
import { follow } from "./live.js";
import { failed, loading } from "./states.js";

const OLDER_MS = 10_000;

export function start({ what, topics, load, render, calm = false }) {
  const content = document.getElementById("content");
  const trouble = h("div");
  const place = h("div", { class: "stack" });
  let shown = null;
  let turn = 0;
  put(content, trouble, place);
  put(trouble, loading(what));

  function show(data) {
    const told = JSON.stringify(data);
    if (told === shown) return; // the stream's first word, or a topic's change that we show nothing of
    render(data, place);
    if (shown !== null && !calm) announce(`Updated at ${time()}`);
    shown = told;
  }

  async function reload() {
    turn += 1;
    const mine = turn;
    try {
      const data = await load();
      if (mine !== turn) return;
      show(data);
      put(trouble);
    } catch (problem) {
      if (mine !== turn) return;
      if (problem.status === undefined) console.error(problem); // a fault of ours
      put(trouble, failed(problem, reload));
    }
    content.setAttribute("aria-busy", "false");
  }

  setInterval(renewTimes, OLDER_MS);
  reload().then(() => follow(topics, reload));
  return reload;
}

function renewTimes() {
  for (const one of document.querySelectorAll("time[datetime]")) {
    const told = ago(one.dateTime);
    if (one.textContent !== told) one.textContent = told;
  }
}
