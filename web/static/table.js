// A table that is sorted, filtered and cut into pages in the browser, and changes in place.
//
//   const table = createTable({
//     caption: "Predictions",              told to screen readers
//     key: (row) => row.symbol,            what makes a row itself, so that updates change it in place
//     columns: [{
//       name: "move", title: "Move",       name is unique; title is the heading
//       value: (row) => row.move,          what is sorted by: a number, a string or null (always last)
//       cell: (row) => signed(row.move),   what is shown: text or a node; without it the value as text
//       number: true,                      right-aligned, first sorted from the top
//       hint: "…", wide: true,             a tooltip; left out on narrow screens
//       tone: (row) => "up",               a class of the cell
//       fixed: true, calm: true,           this column can't be sorted by; does not light up when it changes
//     }],
//     sort: { name: "move", down: true },  the order at first
//     filter: { label: "Filter", text: (row) => row.symbol },              one field of free text
//     choices: [{ label: "State", options: [{ title: "All", test: () => true }, …] }],  selects
//     perPage: 50,
//     nothing: "No row fits the filter.",
//   })
//   place.append(table.element); table.set(rows);   set() again as often as wished: order, filter, page and
//                                                   focus stay, cells whose text changed light up for a moment

import { button, h, put } from "./dom.js";
import { UNKNOWN, whole } from "./format.js";

const collator = new Intl.Collator("en", { numeric: true });

export function createTable(options) {
  const { caption, columns, key, perPage = 50, nothing = "No row fits the filter." } = options;
  const state = { rows: [], page: 0, sort: options.sort ?? { name: columns[0].name, down: false } };
  const kept = new Map(); // by key: the row's element and its cells' texts
  const controls = tools(options, () => refresh(0));
  const heads = new Map(columns.map((column) => [column.name, head(column, sortBy)]));
  const body = h("tbody");
  const status = h("p", { class: "table-status", role: "status" });
  const pager = createPager((step) => refresh(state.page + step));
  const element = h(
    "section",
    { class: "table-block", "aria-label": caption },
    h("div", { class: "table-tools" }, controls.elements, status),
    h(
      "div",
      { class: "table-scroll", role: "region", "aria-label": `${caption}, scrollable`, tabindex: "0" },
      h(
        "table",
        {},
        h("caption", { class: "hidden-text" }, caption),
        h("thead", {}, h("tr", {}, [...heads.values()])),
        body,
      ),
    ),
    pager.element,
  );

  function sortBy(column) {
    const down = state.sort.name === column.name ? !state.sort.down : Boolean(column.number);
    state.sort = { name: column.name, down };
    refresh(0);
  }

  function refresh(page = state.page) {
    const found = ordered(state.rows.filter(controls.test), columns, state.sort);
    const pages = Math.max(1, Math.ceil(found.length / perPage));
    state.page = Math.min(Math.max(0, page), pages - 1);
    const shown = found.slice(state.page * perPage, (state.page + 1) * perPage);
    put(
      body,
      shown.length
        ? shown.map(line)
        : h("tr", {}, h("td", { colspan: columns.length, class: "none" }, nothing)),
    );
    status.textContent = counted(found.length, state.rows.length);
    pager.show(state.page, pages);
    for (const column of columns) markSorted(heads.get(column.name), column, state.sort);
  }

  function line(row) {
    const before = kept.get(key(row));
    const now = before ?? { element: h("tr", {}, columns.map(cellOf)), texts: [] };
    columns.forEach((column, at) => renew(now, at, column, row, Boolean(before)));
    kept.set(key(row), now);
    return now.element;
  }

  function set(rows) {
    state.rows = rows;
    const keys = new Set(rows.map(key));
    for (const one of kept.keys()) if (!keys.has(one)) kept.delete(one);
    refresh();
  }

  return { element, set };
}

function head(column, sortBy) {
  const content = column.fixed
    ? column.title
    : button(column.title, () => sortBy(column), { title: column.hint });
  return h("th", { scope: "col", class: classes(column), title: column.fixed ? column.hint : null }, content);
}

function cellOf(column, at) {
  return h(at === 0 ? "th" : "td", { scope: at === 0 ? "row" : null, class: classes(column) });
}

function classes(column, tone) {
  return [column.number && "number", column.wide && "wide", tone].filter(Boolean).join(" ") || null;
}

function renew(kept, at, column, row, wasThere) {
  const cell = kept.element.children[at];
  const content = column.cell ? column.cell(row) : (column.value(row) ?? UNKNOWN);
  const text = content instanceof Node ? content.textContent + (content.href ?? "") : String(content);
  if (kept.texts[at] === text) {
    if (content instanceof Node && !cell.contains(document.activeElement)) put(cell, content);
    return;
  }
  put(cell, content);
  cell.className = classes(column, column.tone?.(row)) ?? "";
  if (wasThere && !column.calm) lightUp(cell);
  kept.texts[at] = text;
}

function lightUp(cell) {
  cell.classList.add("changed");
  cell.addEventListener("animationend", () => cell.classList.remove("changed"), { once: true });
}

function markSorted(element, column, sort) {
  if (column.fixed) return;
  const here = sort.name === column.name;
  element.setAttribute("aria-sort", here ? (sort.down ? "descending" : "ascending") : "none");
}

function ordered(rows, columns, sort) {
  const { value } = columns.find(({ name }) => name === sort.name);
  const known = (one) => one !== null && one !== undefined && !Number.isNaN(one);
  return [...rows].sort((one, other) => {
    const [a, b] = [value(one), value(other)];
    if (!known(a) || !known(b)) return known(b) - known(a);
    const order = typeof a === "number" ? a - b : collator.compare(a, b);
    return sort.down ? -order : order;
  });
}

function counted(found, all) {
  const rows = `${whole(all)} ${all === 1 ? "row" : "rows"}`;
  return found === all ? rows : `${whole(found)} of ${rows}`;
}

function tools({ filter, choices = [] }, changed) {
  const field =
    filter && h("input", { type: "search", maxlength: "100", spellcheck: "false", oninput: changed });
  const selects = choices.map(({ options }) =>
    h(
      "select",
      { onchange: changed },
      options.map(({ title }, at) => h("option", { value: at }, title)),
    ),
  );
  const named = (label, control) => h("label", { class: "tool" }, h("span", {}, label), control);
  const fits = (row) =>
    !field?.value || filter.text(row).toLowerCase().includes(field.value.trim().toLowerCase());
  return {
    elements: [
      field && named(filter.label, field),
      choices.map(({ label }, at) => named(label, selects[at])),
    ],
    test: (row) => fits(row) && choices.every(({ options }, at) => options[selects[at].value].test(row)),
  };
}

function createPager(turn) {
  const back = button("Previous", () => turn(-1));
  const on = button("Next", () => turn(1));
  const where = h("span", { role: "status" });
  const element = h("nav", { class: "pager", "aria-label": "Pages of the table" }, back, where, on);
  return {
    element,
    show(page, pages) {
      element.hidden = pages === 1;
      back.disabled = page === 0;
      on.disabled = page === pages - 1;
      where.textContent = `Page ${page + 1} of ${pages}`;
    },
  };
}
