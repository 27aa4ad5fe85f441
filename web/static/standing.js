// How a flow stands, in a word, and how long the oldest event has waited for it.

import { ago, duration } from "./format.js";

export const TONE = {
  stopped: "bad",
  stuck: "bad",
  paused: "caution",
  lagging: "caution",
  working: "chosen",
  idle: "",
  well: "good",
};
export const GRAVITY = { stopped: 6, stuck: 5, paused: 4, lagging: 3, working: 2, well: 1, idle: 0 };
export const MEANING = {
  stopped: "its sensor stopped: a person has to decide",
  stuck: "events wait and nothing is committed",
  paused: "its sensor waits for something that is away",
  lagging: "events wait for longer than 15 s",
  working: "events are being worked on",
  idle: "nothing came yet",
  well: "nothing waits",
};

export const waiting = ({ waiting_since }) =>
  waiting_since ? duration(Math.max(0, (Date.now() - Date.parse(waiting_since)) / 1000)) : "–";
export const since = (text) => (text ? ago(text) : "never");

// Seconds as people say them: short ones with a figure behind the point.
export function seconds(value) {
  if (value === null) return "–";
  return value < 10 ? `${value.toFixed(1)}\u00a0s` : duration(value);
}
