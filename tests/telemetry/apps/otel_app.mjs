// An app with the OpenTelemetry SDK for Node. The first argument names the
// encoding (`json` or `protobuf`), the rest comes from the standard environment
// variables. Prints, as JSON, what it sent.
import { createRequire } from "node:module";

const require = createRequire(`${process.env.NODE_PATH}/`);
const { SpanKind, SpanStatusCode, context, propagation, trace } = require("@opentelemetry/api");
const { defaultResource, detectResources, envDetector } = require("@opentelemetry/resources");
const { BatchLogRecordProcessor, LoggerProvider } = require("@opentelemetry/sdk-logs");
const { MeterProvider, PeriodicExportingMetricReader } = require("@opentelemetry/sdk-metrics");
const { BatchSpanProcessor, NodeTracerProvider } = require("@opentelemetry/sdk-trace-node");

const [encoding, traceparent] = process.argv.slice(2);
const exporters = encoding === "json" ? "http" : "proto";
const { OTLPTraceExporter } = require(`@opentelemetry/exporter-trace-otlp-${exporters}`);
const { OTLPMetricExporter } = require(`@opentelemetry/exporter-metrics-otlp-${exporters}`);
const { OTLPLogExporter } = require(`@opentelemetry/exporter-logs-otlp-${exporters}`);

const resource = defaultResource().merge(detectResources({ detectors: [envDetector] }));
const traces = new NodeTracerProvider({
  resource,
  spanProcessors: [new BatchSpanProcessor(new OTLPTraceExporter())],
});
traces.register();
const logs = new LoggerProvider({ resource, processors: [new BatchLogRecordProcessor({ exporter: new OTLPLogExporter() })] });
const metrics = new MeterProvider({
  resource,
  readers: [new PeriodicExportingMetricReader({ exporter: new OTLPMetricExporter() })],
});

const tracer = traces.getTracer("shop.web", "0.9");
const spans = [];
const above = traceparent ? propagation.extract(context.active(), { traceparent }) : context.active();
tracer.startActiveSpan("GET /shop", { kind: SpanKind.SERVER }, above, (server) => {
  spans.push(server);
  server.setAttributes({
    "http.request.method": "GET",
    "http.response.status_code": 200,
    ratio: 0.5,
    cached: true,
    items: ["a", "b"],
    text: 'grüße 漢字 \u{1f980} "quoted"\n',
  });
  tracer.startActiveSpan("GET /cart", { kind: SpanKind.CLIENT }, (client) => {
    spans.push(client);
    client.addEvent("retry", { number: 1 });
    client.setStatus({ code: SpanStatusCode.ERROR, message: "refused" });
    logs.getLogger("shop").emit({
      severityNumber: 17,
      severityText: "ERROR",
      body: "cart refused",
      attributes: { attempt: 2 },
    });
    const headers = {};
    propagation.inject(context.active(), headers);
    process.stderr.write(`${JSON.stringify(headers)}\n`);
    client.end();
  });
  server.end();
});

const meter = metrics.getMeter("shop.web");
meter.createCounter("shop.visits", { unit: "{visit}" }).add(4, { shop: "berlin" });
meter.createHistogram("shop.time", { unit: "ms" }).record(12.5);

await Promise.all([traces.shutdown(), logs.shutdown(), metrics.shutdown()]);

const nanoseconds = ([seconds, rest]) => BigInt(seconds) * 1_000_000_000n + BigInt(rest);
const told = (span) => ({
  trace_id: span.spanContext().traceId,
  span_id: span.spanContext().spanId,
  parent_id: span.parentSpanContext?.spanId ?? null,
  name: span.name,
  kind: SpanKind[span.kind].toLowerCase(),
  start_ns: nanoseconds(span.startTime).toString(),
  duration_ns: Number(nanoseconds(span.endTime) - nanoseconds(span.startTime)),
  status: SpanStatusCode[span.status.code].toLowerCase(),
  status_message: span.status.message ?? "",
  attributes: span.attributes,
  events: span.events.map((event) => ({
    time_ns: nanoseconds(event.time).toString(),
    name: event.name,
    attributes: event.attributes,
  })),
});
process.stdout.write(`${JSON.stringify(spans.map(told))}\n`);
