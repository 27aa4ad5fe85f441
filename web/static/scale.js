// The arithmetic of charts: from data to pixels, and round marks on axes.
//
//   linear([0, 10], [0, 300])(5) === 150        .invert(150) === 5
//   marks([0, 97], 5)      [0, 20, 40, 60, 80]
//   dayMarks([ms, ms], 6)  midnights (UTC) at the beginning of days, months or years
//   padded([2, 4], 0.1)    [1.8, 4.2]

const DAY_MS = 86_400_000;

export function linear([from, to], [start, end]) {
  const span = to - from || 1;
  const scale = (value) => start + ((value - from) / span) * (end - start);
  scale.invert = (pixel) => from + ((pixel - start) / (end - start || 1)) * span;
  return scale;
}

export function padded([low, high], part) {
  const pad = (high - low || Math.abs(high) || 1) * part;
  return [low - pad, high + pad];
}

export function extent(values) {
  const known = values.filter((value) => value !== null && value !== undefined && Number.isFinite(value));
  return known.length ? [Math.min(...known), Math.max(...known)] : null;
}

export function marks([low, high], count) {
  const rough = (high - low) / Math.max(1, count);
  const power = 10 ** Math.floor(Math.log10(rough || 1));
  const step = [1, 2, 5, 10].map((one) => one * power).find((one) => one >= rough) ?? power;
  const first = Math.ceil(low / step);
  const last = Math.floor(high / step + 1e-9);
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, at) =>
    Number(((first + at) * step).toPrecision(12)),
  );
}

export function dayMarks([low, high], count) {
  const days = (high - low) / DAY_MS;
  if (days / count <= 20) return everyDays(low, high, Math.max(1, Math.ceil(days / count)));
  const months = Math.max(1, Math.ceil(days / 30.4 / count));
  const step = [1, 2, 3, 6, 12].find((one) => one >= months) ?? Math.ceil(months / 12) * 12;
  const start = new Date(low);
  const found = [];
  for (let month = Math.ceil(start.getUTCMonth() / step) * step; ; month += step) {
    const at = Date.UTC(start.getUTCFullYear(), month, 1);
    if (at > high) return found;
    if (at >= low) found.push(at);
  }
}

function everyDays(low, high, step) {
  const first = Math.ceil(low / DAY_MS) * DAY_MS;
  const count = Math.max(0, Math.floor((high - first) / (step * DAY_MS)) + 1);
  return Array.from({ length: count }, (_, at) => first + at * step * DAY_MS);
}
