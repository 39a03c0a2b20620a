/** Telemetry as an OpenTelemetry SDK puts it into JSON. */

import { randomBytes } from 'node:crypto';

/** @param {number} bytes */
const id = (bytes) => randomBytes(bytes).toString('hex');
/** @param {number} ms */
const nanoseconds = (ms) => (BigInt(Math.round(ms * 1000)) * 1000n).toString();

/** @param {Record<string, string | number>} attributes */
function keyValues(attributes) {
  return Object.entries(attributes).map(([key, value]) => ({
    key,
    value: typeof value === 'number' ? { doubleValue: value } : { stringValue: value },
  }));
}

/** @param {string} service */
function resource(service) {
  return {
    attributes: keyValues({
      'service.name': service,
      'service.version': '1.2.3',
      'deployment.environment.name': 'test',
    }),
  };
}

/**
 * @typedef {object} SpanOptions
 * @property {string} service
 * @property {string} name
 * @property {string} [parent] name of the span above it
 * @property {number} [start] milliseconds after the trace began
 * @property {number} [duration] milliseconds
 * @property {boolean} [error]
 * @property {string} [message] of the error
 * @property {number} [kind]
 * @property {Record<string, string | number>} [attributes]
 * @property {{name: string, attributes: Record<string, string | number>}[]} [events]
 */

/**
 * @param {SpanOptions[]} spans
 * @param {number} [begin] milliseconds since the epoch
 */
export function trace(spans, begin = Date.now() - 1000) {
  const traceId = id(16);
  const ids = new Map(spans.map((span) => [span.name, id(8)]));
  const resourceSpans = spans.map((span) => {
    const start = begin + (span.start ?? 0);
    const end = start + (span.duration ?? 10);
    return {
      resource: resource(span.service),
      scopeSpans: [
        {
          spans: [
            {
              traceId,
              spanId: ids.get(span.name),
              parentSpanId: span.parent ? ids.get(span.parent) : '',
              name: span.name,
              kind: span.kind ?? (span.parent ? 3 : 2),
              startTimeUnixNano: nanoseconds(start),
              endTimeUnixNano: nanoseconds(end),
              attributes: keyValues(span.attributes ?? {}),
              events: (span.events ?? []).map((event) => ({
                timeUnixNano: nanoseconds(end),
                name: event.name,
                attributes: keyValues(event.attributes),
              })),
              status: span.error ? { code: 2, message: span.message ?? '' } : {},
            },
          ],
        },
      ],
    };
  });
  return { id: traceId, spanId: (/** @type {string} */ name) => ids.get(name) ?? '', body: { resourceSpans } };
}

/**
 * @param {{service: string, message: string, level?: string, traceId?: string, spanId?: string,
 *   attributes?: Record<string, string | number>}[]} lines
 */
export function logs(lines) {
  const now = Date.now();
  return {
    resourceLogs: lines.map((line, index) => ({
      resource: resource(line.service),
      scopeLogs: [
        {
          logRecords: [
            {
              timeUnixNano: nanoseconds(now - lines.length + index),
              severityNumber: { debug: 5, info: 9, warn: 13, error: 17 }[line.level ?? 'info'],
              severityText: (line.level ?? 'info').toUpperCase(),
              body: { stringValue: line.message },
              attributes: keyValues(line.attributes ?? {}),
              traceId: line.traceId ?? '',
              spanId: line.spanId ?? '',
            },
          ],
        },
      ],
    })),
  };
}

/**
 * A gauge of one service.
 *
 * @param {string} name
 * @param {{value: number, at: number, attributes?: Record<string, string>}[]} points `at` is
 *   milliseconds since the epoch
 * @param {string} [service]
 */
export function gauge(name, points, service = 'web') {
  return {
    resourceMetrics: [
      {
        resource: resource(service),
        scopeMetrics: [
          {
            metrics: [
              {
                name,
                unit: 'ms',
                gauge: {
                  dataPoints: points.map((point) => ({
                    timeUnixNano: nanoseconds(point.at),
                    asDouble: point.value,
                    attributes: keyValues(point.attributes ?? {}),
                  })),
                },
              },
            ],
          },
        ],
      },
    ],
  };
}
