"""What the API tells about itself, by OpenTelemetry: traces, metrics, and its logs once more.

Where to, how much and under which name is said by OTEL_ variables, which the SDK reads itself. All
is sent by threads of its own: what does not arrive is dropped and never holds up a request.
"""

from opentelemetry import metrics, trace
from opentelemetry._logs import set_logger_provider
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.flask import FlaskInstrumentor
from opentelemetry.instrumentation.logging import LoggingInstrumentor
from opentelemetry.instrumentation.psycopg import PsycopgInstrumentor
from opentelemetry.instrumentation.redis import RedisInstrumentor
from opentelemetry.instrumentation.urllib3 import URLLib3Instrumentor
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from orders.web import PROBES

# The agent is on the same node. When it is away, the end of a process waits this long three times.
_SECONDS = 2


def start():
    """For the process that answers requests, before it connects to anything: threads do not
    survive a fork, and only connections that are made afterwards are seen."""
    resource = Resource.create()
    traces = TracerProvider(resource=resource)
    traces.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(timeout=_SECONDS)))
    trace.set_tracer_provider(traces)
    reader = PeriodicExportingMetricReader(OTLPMetricExporter(timeout=_SECONDS))
    metrics.set_meter_provider(MeterProvider(resource=resource, metric_readers=[reader]))
    logs = LoggerProvider(resource=resource)
    logs.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter(timeout=_SECONDS)))
    set_logger_provider(logs)
    for library in (LoggingInstrumentor, PsycopgInstrumentor, RedisInstrumentor, URLLib3Instrumentor):
        library().instrument()


def observe(app):
    """A span for each request but those of probes."""
    FlaskInstrumentor.instrument_app(app, excluded_urls=",".join(PROBES))
