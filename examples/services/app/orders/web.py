"""What every role of the app has over HTTP: probes, errors as JSON, request logs, metrics."""

import logging
import sys
import time

from flask import Flask, g, jsonify, request
from opentelemetry.instrumentation.utils import suppress_instrumentation
from prometheus_client import Counter, Histogram, start_http_server
from werkzeug.exceptions import HTTPException

from orders import VERSION
from orders.errors import Invalid, Unavailable
from orders.log import fields
from orders.settings import EXIT_SETTINGS, Settings, SettingsError

logger = logging.getLogger(__name__)
REQUESTS = Counter("orders_http_requests_total", "Answers", ["method", "route", "status"])
SECONDS = Histogram("orders_http_request_seconds", "Time to answer", ["method", "route"])
PROBES = ("/healthz", "/readyz")


def start(build):
    """Makes an app: `build(settings)` gives the Flask app. Wrong settings end the process."""
    try:
        settings = Settings.from_env()
        app = build(settings)
    except SettingsError as error:
        logger.critical("wrong settings", extra=fields(reason=str(error)))
        sys.exit(EXIT_SETTINGS)
    if settings.metrics_port:
        # A port of its own, which no Ingress leads to.
        start_http_server(settings.metrics_port)
    logger.info("started", extra=fields(app=app.name, version=VERSION))
    return app


def new_app(name, readiness):
    """A Flask app with all that is not its own business.

    `readiness` names what the app cannot do without: a function for each part, which raises
    `Unavailable`.
    """
    app = Flask(name, static_folder=None)
    app.json.sort_keys = False
    # Orders and notes are small.
    app.config["MAX_CONTENT_LENGTH"] = 64 * 1024
    _probes(app, readiness)
    _errors(app)
    _observe(app)
    return app


def _probes(app, readiness):
    @app.get("/healthz")
    def healthz():
        """The process answers. Says nothing about others: a restart would not help them."""
        return {"status": "ok"}

    @app.get("/readyz")
    def readyz():
        failed = {}
        for part, ping in readiness.items():
            try:
                # Spans of it would be traces of their own.
                with suppress_instrumentation():
                    ping()
            except Unavailable as error:
                failed[part] = error.reason
        if failed:
            logger.warning("not ready", extra=fields(failed=failed))
            return {"status": "unavailable", "failed": failed}, 503
        return {"status": "ok", "parts": list(readiness)}


def _errors(app):
    @app.errorhandler(Unavailable)
    def unavailable(error):
        logger.warning("unavailable", extra=fields(part=error.part, reason=error.reason))
        return {"error": f"{error.part} is unavailable"}, 503, {"Retry-After": "1"}

    @app.errorhandler(Invalid)
    def invalid(error):
        return {"error": str(error)}, 400

    @app.errorhandler(HTTPException)
    def http(error):
        answer = jsonify(error=error.name.lower(), path=request.path)
        return answer, error.code, error.get_headers()[1:]

    @app.errorhandler(Exception)
    def unexpected(error):
        logger.exception("a bug", exc_info=error, extra=fields(path=request.path))
        return {"error": "internal error"}, 500


def _observe(app):
    @app.before_request
    def begin():
        g.begin = time.perf_counter()

    @app.after_request
    def end(answer):
        seconds = time.perf_counter() - g.begin
        route = request.url_rule.rule if request.url_rule else "none"
        answer.headers.setdefault("Cache-Control", "no-store")
        if request.path not in PROBES:
            REQUESTS.labels(request.method, route, answer.status_code).inc()
            SECONDS.labels(request.method, route).observe(seconds)
            told = fields(
                method=request.method,
                path=request.path,
                status=answer.status_code,
                ms=round(seconds * 1000, 1),
                # By ingress-nginx.
                request=request.headers.get("X-Request-ID"),
            )
            logger.info("request", extra=told)
        return answer
