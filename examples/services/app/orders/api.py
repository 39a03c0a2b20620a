"""The role `orders-api`: orders over HTTP."""

import hashlib
import threading
import time

from flask import request
from opentelemetry import metrics

from orders import VERSION, place, web
from orders.cache import Cache
from orders.database import Database
from orders.errors import Invalid, Unavailable
from orders.files_client import FilesClient
from orders.log import fields

LISTED = 100
LONGEST_BURN_MS = 10_000
_BLOCK = bytes(1 << 20)
_TAKEN = metrics.get_meter("orders").create_counter("orders.taken", "{order}", "Orders that were taken")


def create_app():
    return web.start(_build)


def _build(settings):
    if settings.otlp:
        # Loading it takes a while.
        from orders import otel

        otel.start()
    cache, database, files = Cache(settings), Database(settings), FilesClient(settings)
    app = web.new_app("orders-api", {"redis": cache.ping, "postgres": database.ping})
    if settings.otlp:
        otel.observe(app)
    # Half of the threads are always left for the rest, probes above all.
    burners = threading.BoundedSemaphore(max(1, settings.threads // 2))

    @app.get("/")
    def index():
        return {"app": app.name, "version": VERSION, "pod": settings.pod}

    @app.post("/orders")
    def create_order():
        item, quantity = _wanted(request.get_json(silent=True))
        with database.new_order(item, quantity) as order:
            # Before the commit: without the cache nothing happens at all, so that the client can
            # try again.
            cache.forget_orders()
        try:
            # After it: another request may have filled the cache meanwhile.
            cache.forget_orders()
        except Unavailable:
            app.logger.warning("the list of orders may be old until its time in the cache ends")
        _TAKEN.add(1)
        app.logger.info("order taken", extra=fields(order=order["id"], quantity=quantity))
        try:
            receipt = files.keep_receipt(order)
        except Unavailable as error:
            # The order stands, and its receipt can be made later.
            app.logger.warning("no receipt", extra=fields(order=order["id"], reason=error.reason))
            receipt = None
        return order | {"receipt": receipt}, 201, {"Location": f"/orders/{order['id']}"}

    @app.post("/orders/<uuid:order_id>/receipt")
    def make_receipt(order_id):
        order = database.order(order_id)
        if order is None:
            return {"error": "no such order", "id": str(order_id)}, 404
        return {"id": order["id"], "receipt": files.keep_receipt(order)}, 201

    @app.get("/orders/<uuid:order_id>")
    def get_order(order_id):
        source, order = "cache", cache.order(order_id)
        if order is None:
            source, order = "database", database.order(order_id)
            if order is None:
                return {"error": "no such order", "id": str(order_id)}, 404
            cache.keep_order(order)
        return order | {"source": source}

    @app.get("/orders")
    def list_orders():
        source, orders = "cache", cache.orders()
        if orders is None:
            source, orders = "database", database.orders(LISTED)
            cache.keep_orders(orders)
        return {"source": source, "orders": orders}

    @app.get("/stats")
    def stats():
        return {"hits": cache.count_hit(), "redis": cache.stats(), "postgres": database.stats()}

    @app.get("/burn")
    def burn():
        """Uses one CPU for a while, to see the HPA at work."""
        milliseconds = _milliseconds(request.args.get("ms", "200"))
        if not burners.acquire(blocking=False):
            return {"error": "enough is burning"}, 503, {"Retry-After": "1"}
        try:
            rounds, end = 0, time.monotonic() + milliseconds / 1000
            while time.monotonic() < end:
                # Of blocks this large, hashlib lets other threads go on.
                hashlib.sha256(_BLOCK).digest()
                rounds += 1
        finally:
            burners.release()
        return {"ms": milliseconds, "rounds": rounds, "pod": settings.pod}

    @app.get("/where")
    def where():
        zone = place.zone(settings.node) if settings.node else None
        return {"pod": settings.pod, "node": settings.node or None, "zone": zone}

    return app


def _wanted(body):
    if not isinstance(body, dict):
        raise Invalid("a JSON object with item and quantity is needed")
    item, quantity = body.get("item"), body.get("quantity")
    if not isinstance(item, str) or not 1 <= len(item) <= 200 or not item.isprintable():
        raise Invalid("item must be a text of 1 to 200 printable characters")
    if type(quantity) is not int or not 1 <= quantity <= 1_000_000:
        raise Invalid("quantity must be a whole number from 1 to 1000000")
    return item, quantity


def _milliseconds(text):
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:9]) <= LONGEST_BURN_MS:
        raise Invalid(f"ms must be a whole number from 1 to {LONGEST_BURN_MS}")
    return int(text)
