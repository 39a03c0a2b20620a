/** What to type so that something arrives here: for whoever sees an empty page. */

import { h } from './dom.js';
import { count } from './format.js';
import { empty, snippet } from './parts.js';

/**
 * @param {string} title
 * @param {any} info the server's addresses, or nothing yet
 * @param {any} stats what has arrived so far, or nothing yet
 */
export function setup(title, info, stats) {
  const port = (name) => /:(\d+)$/.exec(info?.addresses?.[name] ?? '')?.[1];
  const host = location.hostname || '127.0.0.1';
  // A cluster publishes no UDP.
  const metrics = port('dogstatsd') ?? '';
  const otlp = `http://${host}:${port('otlp_http') ?? 4318}`;
  return empty(
    title,
    h('p', null, 'Point the app at this collector by its environment; nothing else has to change. What arrives shows up here by itself.'),
    received(stats),
    h(
      'div',
      { class: 'snippets' },
      snippet('OpenTelemetry', `OTEL_SERVICE_NAME=web\nOTEL_EXPORTER_OTLP_ENDPOINT=${otlp}\nOTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf`),
      snippet(
        'Datadog',
        `DD_SERVICE=web\nDD_ENV=local\nDD_AGENT_HOST=${host}\nDD_TRACE_AGENT_PORT=${port('apm') ?? 8126}${metrics && `\nDD_DOGSTATSD_PORT=${metrics}`}`,
      ),
      snippet(
        'In a pod',
        'env:\n  - name: HOST_IP\n    valueFrom: {fieldRef: {fieldPath: status.hostIP}}\n  - {name: DD_AGENT_HOST, value: $(HOST_IP)}\n  - name: OTEL_EXPORTER_OTLP_ENDPOINT\n    value: "http://$(HOST_IP):4318"',
      ),
      snippet('Try it: one span by hand', sample(otlp)),
    ),
  );
}

/** Says so when something came but could not be used. @param {any} stats */
function received(stats) {
  const lines = Object.entries(stats?.endpoints ?? {}).filter(([, figures]) => figures.malformed > 0 || figures.dropped > 0);
  if (lines.length === 0) return null;
  return h(
    'p',
    { class: 'problem' },
    lines.map(([endpoint, figures]) => `${endpoint}: ${count(figures.malformed)} malformed, ${count(figures.dropped)} dropped. `),
  );
}

/** @param {string} otlp */
function sample(otlp) {
  return `now=$(date +%s)
curl ${otlp}/v1/traces \\
  -H 'Content-Type: application/json' -d '{"resourceSpans": [{
  "resource": {"attributes": [
    {"key": "service.name", "value": {"stringValue": "web"}}]},
  "scopeSpans": [{"spans": [{
    "traceId": "'$(openssl rand -hex 16)'",
    "spanId": "'$(openssl rand -hex 8)'", "name": "GET /", "kind": 2,
    "startTimeUnixNano": "'$now'000000000",
    "endTimeUnixNano": "'$now'012000000"}]}]}]}'`;
}
