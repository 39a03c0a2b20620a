"""The admin API of the sandbox's own server: clock, faults, request log.

Clock and faults are the whole server's, so cases that use them run alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlencode, urlsplit

from .rawhttp import Response, exchange


class Admin:
    """One server's."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.address = (parts.hostname or "127.0.0.1", parts.port or 80)
        self.host = parts.netloc

    def request(
        self, method: str, path: str, value: Any = None, query: dict[str, str] | None = None
    ) -> Response:
        """One request, with `value` as JSON."""
        body = b"" if value is None else json.dumps(value).encode()
        headers = [("Host", self.host), ("Content-Length", str(len(body)))]
        if body:
            headers.append(("Content-Type", "application/json"))
        target = f"{path}?{urlencode(query)}" if query else path
        return exchange(self.address, method, target, headers, body)

    def call(self, method: str, path: str, value: Any = None, **query: str) -> Any:
        """The JSON of a successful answer."""
        return json.loads(self.request(method, f"/sandbox/v1/{path}", value, query).ok().body)

    @contextmanager
    def clock_ahead(self, seconds: int) -> Iterator[None]:
        """The server's clock is ahead; lifecycle rules have run at that time."""
        self.call("PUT", "clock", {"offset": f"{seconds}s"})
        try:
            yield
        finally:
            self.call("DELETE", "clock")

    @contextmanager
    def faults(self, *rules: dict[str, Any]) -> Iterator[None]:
        """Requests that match are disturbed."""
        self.call("PUT", "faults", list(rules))
        try:
            yield
        finally:
            self.call("DELETE", "faults")

    def log(self, **query: str) -> list[dict[str, Any]]:
        return self.call("GET", "log", **query)["entries"]
