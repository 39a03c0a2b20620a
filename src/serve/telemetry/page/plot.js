/**
 * Lines over time, as SVG. Pure: series in, a picture out; colours and fonts are the style sheet's.
 *
 * @typedef {[number, number]} Point milliseconds since the epoch, value
 * @typedef {{name: string, colour: string, points: Point[]}} Line
 */

import { svg } from './dom.js';
import { shortClock } from './format.js';
import { niceCeiling, ticks, timeTicks } from './ticks.js';

const MARGIN = { top: 10, right: 12, bottom: 22, left: 60 };
/** With fewer points than this on a line each one is marked. */
const MARKED = 80;

/**
 * @param {object} wanted
 * @param {Line[]} wanted.lines
 * @param {number} wanted.from
 * @param {number} wanted.to
 * @param {number} wanted.width
 * @param {number} wanted.height
 * @param {string} wanted.label what a screen reader says
 * @param {(value: number) => string} wanted.format
 * @param {number | null} wanted.cursor the moment under the pointer
 */
export function plot({ lines, from, to, width, height, label, format, cursor }) {
  const scale = scales(lines, from, to, width, height);
  const wantedTicks = Math.max(2, Math.floor((width - MARGIN.left) / 90));
  const times = timeTicks(from, to, wantedTicks);
  return svg(
    'svg',
    { class: 'plot', role: 'img', 'aria-label': label, width, height, viewBox: `0 0 ${width} ${height}` },
    ticks(scale.low, scale.high, 4).map((value) => [
      svg('line', { class: 'rule', x1: MARGIN.left, x2: width - MARGIN.right, y1: scale.y(value), y2: scale.y(value) }),
      svg('text', { class: 'tick', x: MARGIN.left - 8, y: scale.y(value) + 4, 'text-anchor': 'end' }, format(value)),
    ]),
    times.at.map((time) =>
      svg('text', { class: 'tick', x: scale.x(time), y: height - 5, 'text-anchor': 'middle' }, shortClock(time, times.step < 60e3)),
    ),
    lines.map((line) => drawn(line, scale)),
    cursor === null
      ? null
      : svg('line', { class: 'cursor', x1: scale.x(cursor), x2: scale.x(cursor), y1: MARGIN.top, y2: height - MARGIN.bottom }),
  );
}

/** The moment at a place of the picture. @param {number} x @param {number} width @param {number} from @param {number} to */
export function momentAt(x, width, from, to) {
  const share = (x - MARGIN.left) / Math.max(1, width - MARGIN.left - MARGIN.right);
  return from + Math.min(1, Math.max(0, share)) * (to - from);
}

/** The point of a line that is nearest in time. @param {Point[]} points @param {number} time */
export function nearest(points, time) {
  /** @type {Point | null} */
  let best = null;
  for (const point of points) {
    if (!best || Math.abs(point[0] - time) < Math.abs(best[0] - time)) best = point;
  }
  return best;
}

/**
 * @param {Line[]} lines
 * @param {number} from
 * @param {number} to
 * @param {number} width
 * @param {number} height
 */
function scales(lines, from, to, width, height) {
  let low = 0;
  let high = 0;
  for (const line of lines) {
    for (const [, value] of line.points) {
      low = Math.min(low, value);
      high = Math.max(high, value);
    }
  }
  high = high > 0 ? niceCeiling(high) : low < 0 ? 0 : 1;
  low = low < 0 ? -niceCeiling(-low) : 0;
  const inner = { width: width - MARGIN.left - MARGIN.right, height: height - MARGIN.top - MARGIN.bottom };
  return {
    low,
    high,
    x: (time) => round(MARGIN.left + ((time - from) / Math.max(1, to - from)) * inner.width),
    y: (value) => round(MARGIN.top + (1 - (value - low) / (high - low)) * inner.height),
  };
}

/**
 * @param {Line} line
 * @param {{x: (time: number) => number, y: (value: number) => number}} scale
 */
function drawn(line, scale) {
  const places = line.points.map(([time, value]) => [scale.x(time), scale.y(value)]);
  return svg(
    'g',
    { key: line.name, class: line.colour },
    svg('polyline', { class: 'line', points: places.map((place) => place.join(',')).join(' ') }),
    places.length > MARKED ? null : places.map(([cx, cy]) => svg('circle', { class: 'point', cx, cy, r: 2 })),
  );
}

/**
 * The shape of a service's traffic, with the part that failed.
 *
 * @param {{requests: number, errors: number}[]} buckets
 * @param {string} label
 */
export function sparkline(buckets, label) {
  const width = 120;
  const height = 24;
  const high = Math.max(1, ...buckets.map((bucket) => bucket.requests));
  const step = width / Math.max(1, buckets.length);
  const bar = (index, value, name) => {
    if (!(value > 0)) return null;
    const size = Math.max(1, round((value / high) * height));
    return svg('rect', { class: name, x: round(index * step), y: height - size, width: round(Math.max(1, step - 1)), height: size });
  };
  return svg(
    'svg',
    { class: 'spark', role: 'img', 'aria-label': label, viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: 'none' },
    svg('rect', { class: 'floor', x: 0, y: height - 1, width, height: 1 }),
    buckets.map((bucket, index) => [bar(index, bucket.requests, 'ok'), bar(index, Math.min(bucket.errors, bucket.requests), 'bad')]),
  );
}

/** Tenths of a pixel are enough. @param {number} value */
function round(value) {
  return Math.round(value * 10) / 10;
}
