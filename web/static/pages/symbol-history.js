// The table of the Symbol page: every forecast beside what came of it.

import { part } from "../api.js";
import { h, link } from "../dom.js";
import { UNKNOWN, day, percent, price, signed } from "../format.js";
import { createTable } from "../table.js";

export const historyTable = createTable({
  caption: "Forecasts and closes",
  key: (row) => `${row.date} ${row.as_of}`,
  columns: [
    { name: "date", title: "Session", value: (row) => row.date, cell: (row) => day(row.date) },
    {
      name: "forecast",
      title: "Forecast",
      number: true,
      value: (row) => row.predicted_close,
      cell: (row) => price(row.predicted_close),
    },
    {
      name: "close",
      title: "Close",
      number: true,
      value: (row) => row.actual,
      cell: (row) => price(row.actual),
    },
    {
      name: "error",
      title: "Error",
      number: true,
      value: (row) => row.error,
      cell: (row) => signed(row.error),
      hint: "Forecast minus close, rupees.",
    },
    {
      name: "percent",
      title: "Error in percent",
      number: true,
      wide: true,
      value: (row) => row.pct_error,
      cell: (row) => percent(row.pct_error),
    },
    {
      name: "base",
      title: "Persistence",
      number: true,
      wide: true,
      value: (row) => row.baseline_error,
      cell: (row) => signed(row.baseline_error),
      hint: "The error of saying that the close stays as it is.",
    },
    { name: "within", title: "In 95 %", value: (row) => withinText(row), cell: (row) => withinBadge(row) },
    {
      name: "model",
      title: "Model",
      wide: true,
      value: (row) => row.model_version,
      cell: (row) => link(`/model/${part(row.model_version)}`, row.model_version),
    },
  ],
  sort: { name: "date", down: true },
  perPage: 15,
});

const withinText = ({ within_95: within }) =>
  within === null || within === undefined ? null : within ? "yes" : "no";
const withinBadge = (row) =>
  withinText(row) === "no" ? h("span", { class: "badge bad" }, "no") : (withinText(row) ?? UNKNOWN);

export function joined({ predictions, errors: judged }) {
  const of = new Map(judged.map((row) => [`${row.date} ${row.as_of}`, row]));
  return predictions.map((row) => ({ ...row, ...pick(of.get(`${row.date} ${row.as_of}`)) }));
}

const pick = (row) =>
  row
    ? {
        actual: row.actual,
        error: row.error,
        pct_error: row.pct_error,
        baseline_error: row.baseline_error,
        within_95: row.within_95,
      }
    : {};
