/**
 * The only door to the server: asks its questions and turns the answers into what the views show.
 * Times are milliseconds since the epoch, durations nanoseconds, and within a trace a span's start
 * is nanoseconds since the trace began.
 *
 * @typedef {Record<string, string | number | undefined>} Filter parameters of the query API
 * @typedef {[string, unknown][]} Entries
 * @typedef {{name: string, envs: string[], versions: string[], requests: number, errors: number,
 *   rate: number, p50: number, p95: number, seen: number, calls: string[],
 *   buckets: {requests: number, errors: number}[]}} Service
 * @typedef {{id: string, service: string, name: string, resource: string, start: number,
 *   duration: number, spans: number, errors: number, services: string[]}} TraceSummary
 * @typedef {{id: string, parent: string, service: string, name: string, resource: string,
 *   kind: string, type: string, env: string, version: string, protocol: string, start: number,
 *   duration: number, error: boolean, message: string, attributes: Entries, resourceAttributes: Entries,
 *   events: {name: string, at: number, attributes: Entries}[],
 *   links: {trace: string, span: string}[]}} Span
 * @typedef {{id: string, start: number, duration: number, errors: number, services: string[],
 *   missing: number, spans: Span[], logs: Log[]}} Trace
 * @typedef {{seq: number, time: number, level: string, service: string, source: string,
 *   message: string, trace: string, span: string, env: string, protocol: string,
 *   attributes: Entries, resourceAttributes: Entries}} Log
 * @typedef {{name: string, kind: string, unit: string, description: string, services: string[],
 *   tags: string[], points: number, seen: number}} Metric
 * @typedef {{name: string, points: [number, number][]}} Series
 */

const BASE = '/sandbox/v1';
/** After this the server counts as not answering, in milliseconds. */
const PATIENCE = 20_000;
/** The largest number of things the server gives in one answer. */
const MOST = 10_000;

/** The server refused, or could not be reached (`status` 0). */
class ApiError extends Error {
  /** @param {number} status @param {string} message */
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

/** Of several questions only the last one's answer counts. */
export class Latest {
  /** @type {AbortController | null} */
  #controller = null;

  /**
   * @template T
   * @param {(signal: AbortSignal) => Promise<T>} question
   * @returns {Promise<T | undefined>} nothing when another question came in between
   */
  async ask(question) {
    this.#controller?.abort();
    const controller = new AbortController();
    this.#controller = controller;
    try {
      const answer = await question(controller.signal);
      return controller.signal.aborted ? undefined : answer;
    } catch (error) {
      if (controller.signal.aborted) return undefined;
      throw error;
    }
  }

  cancel() {
    this.#controller?.abort();
  }
}

export class Api {
  /** @param {(ok: boolean) => void} answered told whether the server could be reached */
  constructor(answered) {
    this.answered = answered;
  }

  /**
   * @param {string} since such as `15m`
   * @param {AbortSignal} signal
   * @returns {Promise<{services: Service[]}>}
   */
  async services(since, signal) {
    const body = await this.#get('services', { since }, signal);
    return {
      services: body.services.map((item) => ({
        ...item,
        p50: item.p50_ns ?? NaN,
        p95: item.p95_ns ?? NaN,
        seen: item.last_ms,
        calls: body.edges.filter((edge) => edge.from === item.name && edge.to !== item.name).map((edge) => edge.to),
      })),
    };
  }

  /**
   * @param {Filter} filter
   * @param {AbortSignal} signal
   * @returns {Promise<{total: number, traces: TraceSummary[]}>}
   */
  async traces(filter, signal) {
    const { total, traces } = await this.#get('traces', filter, signal);
    return {
      total,
      traces: traces.map((item) => ({
        id: item.trace_id,
        service: item.root?.service ?? item.services[0] ?? '',
        name: item.root?.name ?? '',
        resource: item.root?.resource ?? '',
        start: item.start_ms,
        duration: item.duration_ns,
        spans: item.spans,
        errors: item.errors,
        services: item.services,
      })),
    };
  }

  /**
   * @param {string} id
   * @param {AbortSignal} signal
   * @returns {Promise<Trace | null>} nothing when no span of it is there
   */
  async trace(id, signal) {
    const body = await this.#get(`traces/${encodeURIComponent(id)}`, {}, signal);
    if (body.spans.length === 0) return null;
    const begin = BigInt(body.start_ns);
    return {
      id: body.trace_id,
      start: body.start_ms,
      duration: body.duration_ns,
      errors: body.errors,
      services: body.services,
      missing: body.missing_parents,
      spans: body.spans.map((item) => span(item, begin)),
      logs: body.logs.map(log),
    };
  }

  /**
   * @param {Filter} filter
   * @param {AbortSignal} signal
   * @returns {Promise<{total: number, logs: Log[]}>} newest first
   */
  async logs(filter, signal) {
    const { total, logs } = await this.#get('logs', filter, signal);
    return { total, logs: logs.map(log) };
  }

  /**
   * @param {string} since
   * @param {AbortSignal} signal
   * @returns {Promise<Metric[]>}
   */
  async metrics(since, signal) {
    const { metrics } = await this.#get('metrics', { since, limit: MOST }, signal);
    return metrics.map((item) => ({ ...item, seen: item.last_ms }));
  }

  /**
   * @param {{name: string, by?: string, agg?: string, since: string, step: string}} wanted
   * @param {AbortSignal} signal
   * @returns {Promise<Series[]>}
   */
  async metric(wanted, signal) {
    const { series } = await this.#get('metrics', { ...wanted, limit: MOST }, signal);
    return series.map((item) => ({
      name: Object.values(item.tags).map(String).join(', '),
      // What is not finite comes as a word and cannot be drawn.
      points: item.points.filter((point) => typeof point[1] === 'number'),
    }));
  }

  /** Addresses, version and what else there is. @returns {Promise<any>} */
  info() {
    return this.#get('info', {});
  }

  /** What is stored and what arrived where. @param {AbortSignal} signal @returns {Promise<any>} */
  stats(signal) {
    return this.#get('stats', {}, signal);
  }

  /** The state of the sandbox, `null` when this is not in one. @param {AbortSignal} [signal] @returns {Promise<any>} */
  sandbox(signal) {
    return orNull(this.#get('sandbox', {}, signal));
  }

  /** `null` without a mock S3. @param {AbortSignal} signal @returns {Promise<any>} */
  buckets(signal) {
    return orNull(this.#get('s3/buckets', {}, signal));
  }

  /**
   * @param {string} bucket
   * @param {Filter} wanted
   * @param {AbortSignal} signal
   * @returns {Promise<any>}
   */
  objects(bucket, wanted, signal) {
    return this.#get(`s3/buckets/${encodeURIComponent(bucket)}/objects`, { delimiter: '/', ...wanted }, signal);
  }

  /** Where an object can be had. @param {string} bucket @param {string} key */
  download(bucket, key) {
    return `${BASE}/s3/object?${new URLSearchParams({ bucket, key })}`;
  }

  /**
   * Opens the event stream.
   *
   * @param {() => void} told something came
   * @param {() => void} lost the stream ended
   * @returns {() => void} closes it
   */
  stream(told, lost) {
    const source = new EventSource(`${BASE}/stream`);
    source.addEventListener('change', told);
    source.addEventListener('error', lost);
    return () => source.close();
  }

  /**
   * @param {string} path
   * @param {Filter} query
   * @param {AbortSignal} [signal]
   * @returns {Promise<any>}
   */
  async #get(path, query, signal) {
    const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== '');
    const search = new URLSearchParams(given.map(([name, value]) => [name, String(value)]));
    const patience = AbortSignal.timeout(PATIENCE);
    let response;
    let body;
    try {
      response = await fetch(`${BASE}/${path}?${search}`, {
        signal: signal ? AbortSignal.any([signal, patience]) : patience,
        cache: 'no-store',
      });
      body = await response.json().catch(() => null);
    } catch {
      if (signal?.aborted) throw new ApiError(0, 'no longer wanted');
      this.answered(false);
      throw new ApiError(0, 'the server does not answer');
    }
    this.answered(true);
    if (!response.ok) throw new ApiError(response.status, body?.error ?? `the server answered ${response.status}`);
    return body ?? {};
  }
}

/** @param {Promise<any>} answer */
async function orNull(answer) {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return null;
    throw error;
  }
}

/** @param {any} item @param {bigint} begin @returns {Span} */
function span(item, begin) {
  return {
    ...item,
    id: item.span_id,
    parent: item.parent_id ?? '',
    start: Number(BigInt(item.start_ns) - begin),
    duration: item.duration_ns,
    message: item.status_message ?? '',
    attributes: entries(item.attributes),
    resourceAttributes: entries(item.resource_attributes),
    events: item.events.map((event) => ({
      name: event.name,
      at: Number(BigInt(event.time_ns) - begin),
      attributes: entries(event.attributes),
    })),
    links: item.links.map((link) => ({ trace: link.trace_id, span: link.span_id })),
  };
}

/** @param {any} item @returns {Log} */
function log(item) {
  return {
    ...item,
    time: item.time_ms,
    trace: item.trace_id ?? '',
    span: item.span_id ?? '',
    attributes: entries(item.attributes),
    resourceAttributes: entries(item.resource_attributes),
  };
}

/** By name. @param {Record<string, unknown> | undefined} value @returns {Entries} */
function entries(value) {
  return Object.entries(value ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
}
