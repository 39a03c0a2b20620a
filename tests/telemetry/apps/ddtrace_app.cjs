// An app instrumented with dd-trace for Node, in the tracer's default settings.
// Prints, as JSON, the spans it made and the traceparent of the outer one.
"use strict";

const tracer = require("dd-trace").init();

const outer = tracer.startSpan("shop.request", {
  tags: {
    "resource.name": "GET /shop",
    "span.type": "web",
    "span.kind": "server",
    "http.status_code": "200",
    depth: 3,
    text: 'grüße 漢字 \u{1f980} "quoted"\n',
  },
});
const inner = tracer.startSpan("shop.query", { childOf: outer, tags: { "resource.name": "SELECT 1" } });
inner.setTag("error", new RangeError("too far"));
tracer.dogstatsd.increment("shop.visits", 2, { shop: "berlin" });
tracer.dogstatsd.flush();
inner.finish();
outer.finish();

const told = (span) => {
  const context = span.context();
  return {
    trace_id: context.toTraceId(true),
    span_id: context.toSpanId(true),
  };
};
process.stdout.write(`${JSON.stringify([outer, inner].map(told))}\n`);
