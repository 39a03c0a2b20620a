"""The cache and the counter in Redis. The only module that knows keys."""

import json
import ssl
from contextlib import contextmanager

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from orders.errors import Unavailable
from orders.settings import SettingsError

_LIST = "orders:list"
_HITS = "orders:hits"


class Cache:
    def __init__(self, settings):
        if not settings.redis_url:
            raise SettingsError("REDIS_URL is not set")
        options = {}
        if settings.redis_url.startswith("rediss://"):
            options = {"ssl_cert_reqs": "required", "ssl_check_hostname": True}
            if settings.ca_file:
                options["ssl_ca_certs"] = settings.ca_file
        try:
            self._redis = redis.Redis.from_url(
                settings.redis_url,
                decode_responses=True,
                client_name=settings.pod,
                socket_connect_timeout=1,
                socket_timeout=1,
                # One more attempt at once, for connections that a restart of the server broke.
                retry=Retry(NoBackoff(), 1),
                **options,
            )
        except ValueError:
            raise SettingsError("REDIS_URL is not a URL of Redis") from None
        self._seconds = settings.cache_seconds

    def ping(self):
        with _failures():
            self._redis.ping()

    def order(self, order_id):
        return self._get(f"orders:id:{order_id}")

    def keep_order(self, order):
        self._set(f"orders:id:{order['id']}", order)

    def orders(self):
        return self._get(_LIST)

    def keep_orders(self, orders):
        self._set(_LIST, orders)

    def forget_orders(self):
        with _failures():
            self._redis.delete(_LIST)

    def count_hit(self):
        with _failures():
            return self._redis.incr(_HITS)

    def stats(self):
        # INFO and not CONFIG GET, which managed services forbid.
        with _failures():
            info = self._redis.info()
            tls = self._tls()
        return {
            "version": info["redis_version"],
            "maxmemoryPolicy": info["maxmemory_policy"],
            "maxmemory": info["maxmemory"],
        } | tls

    def _tls(self):
        """What this very connection says about itself, not what was asked for."""
        connection = self._redis.connection_pool.get_connection()
        try:
            sock = connection._sock
            if not isinstance(sock, ssl.SSLSocket):
                return {"tls": False, "tlsVersion": None, "verified": False}
            context = sock.context
            return {
                "tls": True,
                "tlsVersion": sock.version(),
                "verified": context.verify_mode == ssl.CERT_REQUIRED and context.check_hostname,
            }
        finally:
            self._redis.connection_pool.release(connection)

    def _get(self, key):
        with _failures():
            text = self._redis.get(key)
        return None if text is None else json.loads(text)

    def _set(self, key, value):
        with _failures():
            self._redis.set(key, json.dumps(value), ex=self._seconds)


@contextmanager
def _failures():
    try:
        yield
    except redis.RedisError as error:
        raise Unavailable("redis", error) from error
