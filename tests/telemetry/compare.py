"""What a client says it sent beside what is stored."""

from typing import Any

Span = dict[str, Any]


def by_id(spans: list[Span]) -> dict[str, Span]:
    return {span["span_id"]: span for span in spans}


def same_spans(stored: list[Span], sent: list[Span]) -> None:
    """Every field that the client names has the same value, and there is no other span."""
    assert sorted(by_id(stored)) == sorted(by_id(sent))
    assert len(stored) == len(sent)
    for told in sent:
        kept = by_id(stored)[told["span_id"]]
        for field, value in told.items():
            if field == "events":
                same_events(kept["events"], value)
            else:
                assert kept[field] == value, f"{field} of {told['name']}"


def same_events(stored: list[Span], sent: list[Span]) -> None:
    assert len(stored) == len(sent)
    for kept, told in zip(stored, sent, strict=True):
        assert {field: kept[field] for field in told} == told
