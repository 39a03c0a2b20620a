/** Figures as people read them. Pure. */

/**
 * A duration, to three digits: `840 ns`, `12.3 µs`, `1.20 s`, `2 min 5 s`.
 *
 * @param {number} ns
 */
export function duration(ns) {
  if (!Number.isFinite(ns)) return '–';
  const size = Math.abs(ns);
  if (size >= 59.95e9) {
    const seconds = Math.round(size / 1e9);
    const sign = ns < 0 ? '-' : '';
    if (seconds < 3600) return `${sign}${two(seconds, 60, 'min', 's')}`;
    return `${sign}${two(Math.floor(seconds / 60), 60, 'h', 'min')}`;
  }
  if (size >= 999.5e6) return `${digits(ns / 1e9)} s`;
  if (size >= 999.5e3) return `${digits(ns / 1e6)} ms`;
  if (size >= 999.5) return `${digits(ns / 1e3)} µs`;
  return `${Math.round(ns)} ns`;
}

/** A duration without the noughts that align a column: `5 ms`. @param {number} ns */
export function roundDuration(ns) {
  return ns === 0 ? '0' : duration(ns).replace(/\.0+ /, ' ');
}

/** @param {number} value @param {number} per @param {string} large @param {string} small */
function two(value, per, large, small) {
  const rest = value % per;
  return `${Math.floor(value / per)} ${large}${rest ? ` ${rest} ${small}` : ''}`;
}

/**
 * What somebody typed into a duration field, in nanoseconds: `250`, `250ms`, `1.5 s`, `80us`.
 * A bare number is milliseconds. Nothing, or not a duration, is `null`.
 *
 * @param {string} text
 * @returns {number | null}
 */
export function parseDuration(text) {
  const found = /^\s*(\d+(?:\.\d+)?)\s*(ns|us|µs|ms|s|m|min)?\s*$/i.exec(text);
  if (!found) return null;
  const scale = { ns: 1, us: 1e3, µs: 1e3, ms: 1e6, s: 1e9, m: 60e9, min: 60e9 };
  const unit = /** @type {keyof scale} */ ((found[2] ?? 'ms').toLowerCase());
  return Number(found[1]) * scale[unit];
}

/** Three significant digits without an exponent. @param {number} value */
function digits(value) {
  const size = Math.abs(value);
  if (size >= 99.95 || value === 0) return String(Math.round(value));
  if (size >= 9.995) return value.toFixed(1);
  return value.toFixed(2);
}

/**
 * Any figure: `0`, `0.004`, `12.5`, `1.20k`, `3.40M`.
 *
 * @param {number} value
 */
export function number(value) {
  if (!Number.isFinite(value)) return '–';
  const size = Math.abs(value);
  if (size >= 1e15) return value.toExponential(2);
  if (size >= 1e9) return `${digits(value / 1e9)}G`;
  if (size >= 1e6) return `${digits(value / 1e6)}M`;
  if (size >= 1e4) return `${digits(value / 1e3)}k`;
  if (Number.isInteger(value)) return String(value);
  if (size !== 0 && size < 0.001) return value.toExponential(1);
  if (size < 0.1) return String(Number(value.toPrecision(2)));
  return String(Number(digits(value)));
}

/** A count in full, in groups of three. @param {number} value */
export function count(value) {
  return Number.isFinite(value) ? Math.round(value).toLocaleString('en-US') : '–';
}

/** `1 span`, `2 spans`. @param {number} value @param {string} word */
export function plural(value, word) {
  return `${count(value)} ${word}${value === 1 ? '' : 's'}`;
}

/** Events a second. @param {number} perSecond */
export function rate(perSecond) {
  if (!Number.isFinite(perSecond)) return '–';
  if (perSecond === 0) return '0';
  if (perSecond < 0.01) return '<0.01';
  return perSecond < 9.995 ? perSecond.toFixed(2) : number(Math.round(perSecond * 10) / 10);
}

/** A share of 1. @param {number} share */
export function percent(share) {
  if (!Number.isFinite(share)) return '–';
  if (share === 0) return '0%';
  if (share < 0.001) return '<0.1%';
  return share < 0.0995 ? `${(share * 100).toFixed(1)}%` : `${Math.round(share * 100)}%`;
}

/** @param {number} size */
export function bytes(size) {
  if (!Number.isFinite(size)) return '–';
  if (Math.abs(size) < 999.5) return `${Number.isInteger(size) ? size : digits(size)} B`;
  const units = ['kB', 'MB', 'GB', 'TB', 'PB'];
  let value = size / 1000;
  let unit = 0;
  while (Math.abs(value) >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${digits(value)} ${units[unit]}`;
}

/** `14:03:59.120`, in the reader's time zone. @param {number} ms since the epoch */
export function clock(ms) {
  const date = new Date(ms);
  if (Number.isNaN(date.getTime())) return '–';
  return `${hms(date)}.${String(date.getMilliseconds()).padStart(3, '0')}`;
}

/** `14:03` or, when it matters, `14:03:59`. @param {number} ms @param {boolean} seconds */
export function shortClock(ms, seconds) {
  const text = hms(new Date(ms));
  return seconds ? text : text.slice(0, 5);
}

/** `2026-11-25 14:03:59.120`. @param {number} ms */
export function dateTime(ms) {
  const date = new Date(ms);
  if (Number.isNaN(date.getTime())) return '–';
  const day = [date.getMonth() + 1, date.getDate()].map((n) => String(n).padStart(2, '0'));
  return `${date.getFullYear()}-${day.join('-')} ${clock(ms)}`;
}

/** `now`, `12 s ago`, `3 min ago`. @param {number} ms @param {number} [now] */
export function ago(ms, now = Date.now()) {
  const seconds = Math.round((now - ms) / 1000);
  if (!Number.isFinite(seconds)) return '–';
  if (seconds < 2) return 'now';
  if (seconds < 90) return `${seconds} s ago`;
  if (seconds < 90 * 60) return `${Math.round(seconds / 60)} min ago`;
  if (seconds < 36 * 3600) return `${Math.round(seconds / 3600)} h ago`;
  return `${Math.round(seconds / 86400)} d ago`;
}

/** Units of time and size that metrics come in, in nanoseconds or bytes. @type {Record<string, number>} */
const TIMES = { ns: 1, nanosecond: 1, us: 1e3, µs: 1e3, microsecond: 1e3, ms: 1e6, millisecond: 1e6, s: 1e9, second: 1e9 };
/** @type {Record<string, number>} */
const SIZES = { By: 1, byte: 1, bytes: 1, KiBy: 1024, MiBy: 1024 ** 2, kBy: 1e3, MBy: 1e6 };

/**
 * How values of a unit are written; the unit is in UCUM, as OpenTelemetry has it, or a word.
 *
 * @param {string} unit
 * @returns {(value: number) => string}
 */
export function formatter(unit) {
  if (Object.hasOwn(TIMES, unit)) return (value) => roundDuration(value * TIMES[unit]);
  if (Object.hasOwn(SIZES, unit)) return (value) => bytes(value * SIZES[unit]);
  return number;
}

/** @param {Date} date */
function hms(date) {
  return [date.getHours(), date.getMinutes(), date.getSeconds()].map((n) => String(n).padStart(2, '0')).join(':');
}
