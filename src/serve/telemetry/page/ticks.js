/** Round figures for the axes of plots and waterfalls. Pure. */

const MINUTE = 60e3;
const HOUR = 60 * MINUTE;
/** Steps of a clock, in milliseconds. */
const CLOCK = [
  1,
  2,
  5,
  10,
  20,
  50,
  100,
  200,
  500,
  1e3,
  2e3,
  5e3,
  10e3,
  15e3,
  30e3,
  MINUTE,
  2 * MINUTE,
  5 * MINUTE,
  10 * MINUTE,
  15 * MINUTE,
  30 * MINUTE,
  HOUR,
  2 * HOUR,
  3 * HOUR,
  6 * HOUR,
  12 * HOUR,
  24 * HOUR,
];

/**
 * About `wanted` figures of the form 1, 2 or 5 times a power of ten, within the range.
 *
 * @param {number} from
 * @param {number} to
 * @param {number} wanted
 */
export function ticks(from, to, wanted) {
  const step = niceStep((to - from) / Math.max(1, wanted));
  return every(step, from, to);
}

/**
 * Moments at which a clock shows round figures, in milliseconds since the epoch.
 *
 * @param {number} from
 * @param {number} to
 * @param {number} wanted
 */
export function timeTicks(from, to, wanted) {
  const rough = (to - from) / Math.max(1, wanted);
  const day = CLOCK[CLOCK.length - 1];
  const step = CLOCK.find((candidate) => candidate >= rough) ?? Math.ceil(rough / day) * day;
  const zone = new Date(from).getTimezoneOffset() * MINUTE;
  return { step, at: every(step, from - zone, to - zone).map((moment) => moment + zone) };
}

/** The smallest round figure that is not below. @param {number} value */
export function niceCeiling(value) {
  if (!(value > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  const found = [1, 1.5, 2, 3, 4, 5, 6, 8, 10].find((factor) => factor * power >= value * 0.999999);
  return (found ?? 10) * power;
}

/** @param {number} rough */
function niceStep(rough) {
  if (!(rough > 0) || !Number.isFinite(rough)) return 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  const found = [1, 2, 5, 10].find((factor) => factor * power >= rough * 0.999999);
  return (found ?? 10) * power;
}

/**
 * @param {number} step
 * @param {number} from
 * @param {number} to
 */
function every(step, from, to) {
  const found = [];
  const first = Math.ceil(from / step);
  for (let at = first; at * step <= to && found.length < 100; at += 1) found.push(at * step);
  return found;
}
