"""HTTP without help: what a case writes is what goes over the wire."""

from __future__ import annotations

import http.client
import xml.etree.ElementTree as ET
from dataclasses import dataclass, field

from .expect import Unexpected, equal

TIMEOUT_S = 15.0


@dataclass
class Response:
    """A whole answer."""

    status: int
    headers: dict[str, str]
    body: bytes
    _root: ET.Element | None = field(default=None, repr=False)

    def __getitem__(self, header: str) -> str | None:
        return self.headers.get(header.lower())

    @property
    def xml(self) -> ET.Element:
        """The document, its names without their namespace."""
        if self._root is None:
            try:
                root = ET.fromstring(self.body)
            except ET.ParseError as error:
                raise Unexpected(
                    f"expected XML, got {self.status} {self.body[:200]!r} ({error})"
                ) from error
            for element in root.iter():
                element.tag = element.tag.rpartition("}")[2]
            self._root = root
        return self._root

    def text(self, path: str) -> str | None:
        """The text of the first element of that path below the root."""
        found = self.xml.find(path)
        return None if found is None else (found.text or "")

    def texts(self, path: str) -> list[str]:
        return [found.text or "" for found in self.xml.findall(path)]

    @property
    def code(self) -> str | None:
        return self.text("Code") if self.body else None

    def ok(self, status: int = 200) -> Response:
        if self.status != status:
            raise Unexpected(f"status: expected {status}, got {self.status} {self.body[:300]!r}")
        return self

    def error(self, status: int, code: str) -> Response:
        """It must be this error, as XML."""
        got = (self.status, self.code if self.status >= 300 else None)
        equal(got, (status, code), "error")
        return self


def exchange(
    address: tuple[str, int],
    method: str,
    target: str,
    headers: list[tuple[str, str]],
    body: bytes | None,
    *,
    timeout: float = TIMEOUT_S,
) -> Response:
    """Sends exactly these headers; `Content-Length` is the caller's business."""
    connection = http.client.HTTPConnection(*address, timeout=timeout)
    try:
        connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
        for name, value in headers:
            connection.putheader(name, value)
        try:
            connection.endheaders(body)
        except (BrokenPipeError, ConnectionResetError):
            # A server may answer and close before it has read the whole body.
            pass
        answer = connection.getresponse()
        folded = {name.lower(): value for name, value in answer.getheaders()}
        return Response(answer.status, folded, answer.read())
    except (OSError, http.client.HTTPException) as error:
        raise Unexpected(f"{method} {target[:80]}: no answer ({error!r})") from error
    finally:
        connection.close()
