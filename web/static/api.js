// Asks the API.
//
//   await get("/predictions", { date: "2024-03-04" })   the answer's JSON
//   await all("/predictions", { date })                 the first page's JSON with the items of all pages
//   await post("/alerts/a1/acknowledge", { by }, token) a command; the token is sent in the header, never kept
//   await post(path, {}, token, key)                    one that starts a run: with the same key only one
//
// A failure is thrown as Problem: `status` (0: no answer at all) and `message`, a sentence to be shown.
// Answers have ETags: the browser sends them back by itself, and what did not change is not sent again.

const API = "/api/v1";
const PAGE = 500;
const MOST_PAGES = 20;
const PATIENCE_MS = 30_000;

export class Problem extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

export async function get(path, parameters = {}) {
  return asked(address(path, parameters), {});
}

export async function all(path, parameters = {}) {
  const first = await get(path, { limit: PAGE, ...parameters });
  let { next } = first;
  for (let pages = 1; next && pages < MOST_PAGES; pages += 1) {
    const page = await get(path, { limit: PAGE, ...parameters, after: next });
    first.items.push(...page.items);
    next = page.next;
  }
  return { ...first, next };
}

export async function post(path, body, token, key) {
  const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
  if (key) headers["idempotency-key"] = key;
  return asked(API + path, { method: "POST", headers, body: JSON.stringify(body ?? {}) });
}

// A name within a path: slashes of symbols stay (`NICAD85/86`), all else is escaped.
export const part = (text) => String(text).split("/").map(encodeURIComponent).join("/");

// What a page's address names behind its prefix, as in `/symbol/NABIL`; "" where it names nothing.
export function named(prefix) {
  const text = location.pathname.startsWith(`${prefix}/`) ? location.pathname.slice(prefix.length + 1) : "";
  try {
    return decodeURIComponent(text).trim();
  } catch {
    return text; // no escapes that anybody could read
  }
}

function address(path, parameters) {
  const told = Object.entries(parameters).filter(([, value]) => value !== null && value !== undefined);
  const query = new URLSearchParams(told).toString();
  return API + path + (query ? `?${query}` : "");
}

async function asked(url, options) {
  let answer;
  try {
    answer = await fetch(url, { ...options, signal: AbortSignal.timeout(PATIENCE_MS) });
  } catch {
    throw new Problem(
      0,
      "The server does not answer. Is the stack running? `nepse status` tells, `nepse up` starts it.",
    );
  }
  const told = await answer.json().catch(() => null);
  if (answer.ok && told !== null) return told;
  throw new Problem(answer.status, told?.detail || `The server answered ${answer.status}.`);
}
