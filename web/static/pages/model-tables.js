// The tables of the Model page.

import { part } from "../api.js";
import { h, link } from "../dom.js";
import { UNKNOWN, day, percentOf, price, share, signedPercent, whole } from "../format.js";
import { createTable } from "../table.js";

const ROLES = { champion: "chosen", challenger: "caution" };

export const versionsTable = createTable({
  caption: "Versions",
  key: (row) => row.model_version,
  columns: [
    {
      name: "version",
      title: "Version",
      value: (row) => row.model_version,
      cell: (row) => link(`/model/${part(row.model_version)}`, row.model_version),
    },
    { name: "role", title: "Role", value: (row) => row.role, cell: (row) => role(row.role) },
    {
      name: "until",
      title: "Trained until",
      wide: true,
      value: (row) => row.training.training_end,
      cell: (row) => day(row.training.training_end),
    },
    {
      name: "held",
      title: "Skill on the hold-out",
      number: true,
      hint: "By how many percent the error of returns was lower than persistence's on sessions kept from the fit.",
      value: (row) => row.training.rmse_skill,
      cell: (row) => signedPercent(row.training.rmse_skill),
    },
    {
      name: "pairs",
      title: "Judged since",
      number: true,
      wide: true,
      value: (row) => row.measured.pairs,
      cell: (row) => whole(row.measured.pairs),
    },
    {
      name: "skill",
      title: "Skill since",
      number: true,
      value: (row) => row.measured.skill,
      cell: (row) => signedPercent(percentOf(row.measured.skill)),
    },
    {
      name: "mae",
      title: "Mean error",
      number: true,
      wide: true,
      hint: "Mean absolute error, rupees.",
      value: (row) => row.measured.mae,
      cell: (row) => price(row.measured.mae),
    },
    {
      name: "coverage",
      title: "In 95 %",
      number: true,
      value: (row) => row.measured.coverage_95,
      cell: (row) => share(row.measured.coverage_95),
    },
    {
      name: "mlflow",
      title: "MLflow",
      fixed: true,
      wide: true,
      value: () => null,
      cell: (row) => (row.mlflow ? link(row.mlflow, "open") : UNKNOWN),
    },
  ],
  sort: { name: "version", down: true },
  perPage: 12,
});
export const importanceTable = createTable({
  caption: "Feature importance",
  key: (row) => row.name,
  columns: [
    { name: "name", title: "Feature", value: (row) => row.name },
    {
      name: "cost",
      title: "Cost of shuffling it",
      number: true,
      value: (row) => row.cost,
      cell: (row) => signedPercent(row.cost),
    },
    {
      name: "bar",
      title: "Beside the others",
      fixed: true,
      value: () => null,
      cell: (row) => meter(row.part),
    },
  ],
  sort: { name: "cost", down: true },
  perPage: 12,
});
export const promotionsTable = createTable({
  caption: "Promotions",
  key: (row) => row.entry,
  columns: [
    { name: "entry", title: "Entry", value: (row) => row.entry, cell: (row) => h("code", {}, row.entry) },
    {
      name: "version",
      title: "Version",
      value: (row) => row.version,
      cell: (row) => link(`/model/${part(row.version)}`, row.version),
    },
    {
      name: "from",
      title: "Serves from",
      value: (row) => row.valid_from,
      cell: (row) => (row.valid_from ? day(row.valid_from) : "every session"),
    },
    {
      name: "reason",
      title: "Why",
      value: (row) => row.reason,
      cell: (row) => row.reason || UNKNOWN,
      tone: () => "text",
    },
  ],
  sort: { name: "entry", down: true },
  perPage: 10,
  nothing: "No version was promoted yet: persistence serves, which says that a close stays as it is.",
});

export const role = (name) => h("span", { class: `badge ${ROLES[name] ?? ""}` }, name);

function meter(filled) {
  const bar = h("span");
  bar.style.width = `${100 * Math.max(0, Math.min(1, filled))}%`;
  return h("span", { class: "meter", "aria-hidden": "true" }, bar);
}
