"""Logs as JSON, one object a line, on stdout."""

import json
import logging
import os
from datetime import datetime, timezone

from opentelemetry import trace

# What `ddtrace-run` adds to a record.
_DATADOG = ("dd.trace_id", "dd.span_id", "dd.service", "dd.env", "dd.version")


class JsonFormatter(logging.Formatter):
    def format(self, record):
        entry = {
            "time": datetime.fromtimestamp(record.created, timezone.utc).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            "pod": os.environ.get("POD_NAME") or os.uname().nodename,
        }
        span = trace.get_current_span().get_span_context()
        if span.is_valid:
            entry |= {"trace_id": f"{span.trace_id:032x}", "span_id": f"{span.span_id:016x}"}
        for name in _DATADOG:
            value = getattr(record, name, None)
            # "0" is outside of any trace.
            if value and value != "0":
                entry[name] = value
        entry.update(getattr(record, "fields", {}))
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return json.dumps(entry, default=str)


def config(level):
    """For `logging.config.dictConfig`, which gunicorn calls too."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"json": {"()": "orders.log.JsonFormatter"}},
        "handlers": {
            "stdout": {"class": "logging.StreamHandler", "formatter": "json", "stream": "ext://sys.stdout"}
        },
        "root": {"level": level, "handlers": ["stdout"]},
        "loggers": {
            "gunicorn.error": {"level": "INFO", "handlers": ["stdout"], "propagate": False},
            # The app tells itself why a connection fails, once and not for each attempt.
            "psycopg.pool": {"level": "ERROR"},
            # It tells where it found each of its settings.
            "botocore": {"level": "WARNING"},
            # One line for each packet that does not arrive says no more than the first of them.
            "datadog.dogstatsd": {"level": "ERROR"},
            # Named, so that it has no handler of its own, whose lines are not JSON.
            "ddtrace": {"level": "WARNING"},
        },
    }


def fields(**values):
    """Extra fields of one entry: `logger.info("text", extra=fields(order=id))`."""
    return {"fields": values}
