"""What a case says when the answer is not the expected one."""

from __future__ import annotations

import re
from collections.abc import Callable, Container
from typing import Any

from botocore.exceptions import ClientError


class Unexpected(AssertionError):
    """Expected one thing, got another."""


class Skipped(Exception):
    """The endpoint cannot be asked this."""


def equal(got: Any, want: Any, what: str) -> None:
    if got != want:
        raise Unexpected(f"{what}: expected {short(want)}, got {short(got)}")


def one_of(got: Any, wanted: Container[Any], what: str) -> None:
    if got not in wanted:
        raise Unexpected(f"{what}: expected one of {short(wanted)}, got {short(got)}")


def true(condition: Any, what: str) -> None:
    if not condition:
        raise Unexpected(f"expected {what}")


def matches(got: str | None, pattern: str, what: str) -> None:
    if got is None or not re.search(pattern, got):
        raise Unexpected(f"{what}: expected `{pattern}`, got {short(got)}")


def refused(status: int, code: str, call: Callable[..., Any], **arguments: Any) -> ClientError:
    """The call of an SDK must fail in this way. For the answer of a HEAD, which
    has no body, `code` is the status."""
    try:
        answer = call(**arguments)
    except ClientError as error:
        got = (
            error.response["ResponseMetadata"]["HTTPStatusCode"],
            error.response["Error"].get("Code"),
        )
        equal(got, (status, code), "error")
        return error
    answered = answer.get("ResponseMetadata", {}).get("HTTPStatusCode")
    raise Unexpected(f"error: expected {status} {code}, got {answered}")


def short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 300 else text[:297] + "..."
