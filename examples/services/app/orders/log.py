"""Logs as JSON, one object a line, on stdout."""

import json
import logging
import os
from datetime import datetime, timezone


class JsonFormatter(logging.Formatter):
    def format(self, record):
        entry = {
            "time": datetime.fromtimestamp(record.created, timezone.utc).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            "pod": os.environ.get("POD_NAME") or os.uname().nodename,
        }
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
        },
    }


def fields(**values):
    """Extra fields of one entry: `logger.info("text", extra=fields(order=id))`."""
    return {"fields": values}
