// What is told of an alert, in a cell or on its page.

import { part } from "../api.js";
import { h, link } from "../dom.js";
import { day, figure, moment, whole } from "../format.js";
import { card, facts, when } from "../parts.js";

export const TONES = { critical: "bad", warning: "caution", info: "" };
export const GRAVITY = { critical: 3, warning: 2, info: 1 };
const MARKS = { open: "caution", acknowledged: "chosen", resolved: "good" };
const UNITS = { percent: "%" };

export const severity = (alert) =>
  h("span", { class: `badge ${TONES[alert.severity] ?? ""}` }, alert.severity ?? "not told");
export const stateOf = (alert) => h("span", { class: `badge ${MARKS[alert.state]}` }, alert.state);
const withUnit = (value, unit) =>
  value === null ? "–" : `${figure(value)}${unit ? `\u00a0${UNITS[unit] ?? unit}` : ""}`;
export const measured = (alert) =>
  alert.value === null
    ? "–"
    : `${withUnit(alert.value, alert.unit)}${alert.threshold === null ? "" : ` (limit ${figure(alert.threshold)})`}`;

export function about(alert) {
  return card(
    alert.rule,
    null,
    h("p", { class: "reason" }, alert.message || "The rule says nothing more."),
    facts(
      [
        ["State", h("span", {}, stateOf(alert), ended(alert))],
        ["Severity", severity(alert)],
        ["Measured", measured(alert)],
        alert.symbol !== null && ["Symbol", link(`/symbol/${part(alert.symbol)}`, alert.symbol)],
        alert.date !== null && ["Session", day(alert.date)],
        [
          "Raised",
          [
            `${whole(alert.times)}×, first ${moment(alert.first_raised)}, last ${moment(alert.last_raised)} (`,
            when(alert.last_raised),
            ")",
          ],
        ],
        alert.acknowledged_by !== null && [
          "Looked after by",
          h("span", {}, h("strong", {}, alert.acknowledged_by), alert.note && `: ${alert.note}`),
        ],
        ["What to do", runbook(alert)],
      ].filter(Boolean),
    ),
  );
}

function ended(alert) {
  return alert.resolved_at ? ` since ${moment(alert.resolved_at)}` : "";
}

// A runbook is an address, or a file of ours, which is served beside this page.
function runbook(alert) {
  if (!alert.runbook)
    return link("/docs/how-to/write-alert-rules.md", "How alerts work; this rule names no runbook");
  return link(
    /^docs\/[\w/.-]+\.md$/.test(alert.runbook) ? `/${alert.runbook}` : alert.runbook,
    alert.runbook,
  );
}

export function more(alert) {
  const labels = Object.entries(alert.labels);
  const rows = [
    ...labels.map(([name, value]) => [name, value]),
    ["Alert", h("code", {}, alert.alert_id)],
    alert.correlation_id && ["Chain of events", h("code", {}, alert.correlation_id)],
    ["Found while history was worked off", alert.historic ? "yes: nobody was told" : "no"],
  ];
  return card("Labels and ids", null, facts(rows.filter(Boolean)));
}
