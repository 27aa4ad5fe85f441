// Writes numbers, dates and moments the same way everywhere. What is unknown (null, NaN) is UNKNOWN.
//
//   price(1234.5)          1,234.50          signed(1.5)            +1.50
//   percent(12.345)        12.3 %            signedPercent(-0.4)    −0.40 %
//   share(0.953)           95.3 %            percentOf(0.953)       95.3, a number
//   whole(12345)           12,345
//   figure(0.01234567)     0.01235           bytes(2048)            2.0 kB
//   day("2024-03-04")      4 Mar 2024        shortDay               4 Mar
//   moment("2024-…Z")      4 Mar 2024, 16:45 (Kathmandu)            ago(moment)   3 min ago
//   duration(75)           1 min             direction(x)           "up", "down" or "flat"

export const UNKNOWN = "–";
export const MINUS = "−";
const ZONE = "Asia/Kathmandu";
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

const numbers = (digits, more = {}) =>
  new Intl.NumberFormat("en", { minimumFractionDigits: digits, maximumFractionDigits: digits, ...more });
const plain = { 0: numbers(0), 1: numbers(1), 2: numbers(2) };
const significant = new Intl.NumberFormat("en", { maximumSignificantDigits: 4 });
const moments = new Intl.DateTimeFormat("en-GB", {
  timeZone: ZONE,
  day: "numeric",
  month: "numeric",
  year: "numeric",
  hour: "2-digit",
  minute: "2-digit",
});
const clock = new Intl.DateTimeFormat("en-GB", {
  timeZone: ZONE,
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
});

const known = (value) => value !== null && value !== undefined && Number.isFinite(Number(value));
const written = (value, format) => (known(value) ? format.format(value).replace("-", MINUS) : UNKNOWN);
const withSign = (value, text) => (known(value) && value > 0 && /[1-9]/.test(text) ? `+${text}` : text);
const withUnit = (text, unit) => (text === UNKNOWN ? text : `${text}\u00a0${unit}`);

export const whole = (value) => written(value, plain[0]);
export const price = (value) => written(value, plain[2]);
export const figure = (value) => written(value, significant);
export const signed = (value) => withSign(value, written(value, plain[2]));
export const percent = (value) => withUnit(written(value, plain[1]), "%");
export const signedPercent = (value) => withUnit(withSign(value, written(value, plain[2])), "%");
export const percentOf = (share) => (known(share) ? 100 * share : null);
export const share = (value) => percent(percentOf(value));

export function direction(value) {
  if (!known(value) || value === 0) return "flat";
  return value > 0 ? "up" : "down";
}

export function bytes(value) {
  if (!known(value)) return UNKNOWN;
  const steps = Math.min(3, Math.floor(Math.log2(Math.max(1, value)) / 10));
  const text = steps ? plain[1].format(value / 1024 ** steps) : plain[0].format(value);
  return `${text}\u00a0${["bytes", "kB", "MB", "GB"][steps]}`;
}

export function day(text) {
  const parts = /^(\d{4})-(\d{2})-(\d{2})/.exec(text ?? "");
  return parts ? `${Number(parts[3])}\u00a0${MONTHS[parts[2] - 1]}\u00a0${parts[1]}` : UNKNOWN;
}

export const shortDay = (text) => day(text).replace(/\u00a0\d{4}$/, "");

export function moment(text) {
  const at = new Date(text ?? NaN);
  if (Number.isNaN(at.getTime())) return UNKNOWN;
  const told = Object.fromEntries(moments.formatToParts(at).map(({ type, value }) => [type, value]));
  return `${Number(told.day)}\u00a0${MONTHS[told.month - 1]}\u00a0${told.year}, ${told.hour}:${told.minute}`;
}

export function time(at = new Date()) {
  return clock.format(at);
}

export function duration(seconds) {
  if (!known(seconds)) return UNKNOWN;
  const units = [
    ["d", 86400],
    ["h", 3600],
    ["min", 60],
  ];
  const [unit, size] = units.find(([, one]) => seconds >= one) ?? ["s", 1];
  return `${whole(Math.floor(seconds / size))}\u00a0${unit}`;
}

export function ago(text, now = Date.now()) {
  const at = new Date(text ?? NaN).getTime();
  return Number.isNaN(at) ? UNKNOWN : `${duration(Math.max(0, (now - at) / 1000))} ago`;
}
