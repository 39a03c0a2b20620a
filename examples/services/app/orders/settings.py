"""What the environment says; nothing else in the app reads it.

But for AWS_, OTEL_ and DD_ variables, which their libraries know best.
"""

import os
from dataclasses import dataclass

# What gunicorn takes for "the app cannot be loaded": it ends instead of trying again.
EXIT_SETTINGS = 4


class SettingsError(Exception):
    """A setting is missing or wrong. The text never holds the value, which may be a secret."""


@dataclass(frozen=True)
class Settings:
    database_url: str
    database_sslmode: str
    redis_url: str
    ca_file: str
    cache_seconds: int
    files_dir: str
    files_url: str
    s3_bucket: str
    url_seconds: int
    otlp: bool
    datadog: bool
    port: int
    metrics_port: int
    threads: int
    log_level: str
    pod: str
    node: str

    @classmethod
    def from_env(cls):
        return cls(
            database_url=os.environ.get("DATABASE_URL", ""),
            # "" leaves it to the URL.
            database_sslmode=os.environ.get("DATABASE_SSLMODE", ""),
            redis_url=os.environ.get("REDIS_URL", ""),
            # Certificates of a private CA; without it, the public ones of the system count.
            ca_file=os.environ.get("CA_FILE", ""),
            cache_seconds=_number("CACHE_SECONDS", 60),
            files_dir=os.environ.get("FILES_DIR", "/data"),
            files_url=os.environ.get("FILES_URL", ""),
            s3_bucket=os.environ.get("S3_BUCKET", ""),
            # How long a URL to download a receipt is good.
            url_seconds=_number("URL_SECONDS", 300),
            # Whoever says where to wants to be told.
            otlp=bool(os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT")),
            datadog=bool(os.environ.get("DD_AGENT_HOST")),
            port=_number("PORT", 8080),
            metrics_port=_number("METRICS_PORT", 9090),
            threads=_number("THREADS", 16),
            log_level=os.environ.get("LOG_LEVEL", "info").upper(),
            pod=os.environ.get("POD_NAME") or os.uname().nodename,
            node=os.environ.get("NODE_NAME", ""),
        )


def _number(name, default):
    text = os.environ.get(name, "")
    try:
        return int(text) if text else default
    except ValueError:
        raise SettingsError(f"{name} is not a whole number") from None
