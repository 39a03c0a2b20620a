"""The cases by name: how a topic declares them. It runs nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

DEADLINE_S = 60.0


@dataclass(frozen=True)
class Case:
    """One rule with one expectation."""

    group: str
    name: str
    rule: str
    """The operation or section of the S3 API reference that says so."""
    run: Callable[..., None]
    arguments: tuple[Any, ...] = ()
    admin: bool = False
    """Whether it needs the sandbox's admin API."""
    deadline: float = DEADLINE_S

    @property
    def full_name(self) -> str:
        return f"{self.group}.{self.name}"


CASES: dict[str, Case] = {}


class Group:
    """The cases of one topic."""

    def __init__(self, name: str) -> None:
        self.name = name

    def case(self, name: str, rule: str, **options: Any) -> Callable:
        """Declares one case."""

        def declare(run: Callable[..., None]) -> Callable[..., None]:
            _add(Case(self.name, name, rule, run, **options))
            return run

        return declare

    def table(self, rule: str, rows: Mapping[str, tuple[Any, ...]], **options: Any) -> Callable:
        """Declares one case for each row, which is passed as arguments."""

        def declare(run: Callable[..., None]) -> Callable[..., None]:
            for name, row in rows.items():
                _add(Case(self.name, name, rule, run, tuple(row), **options))
            return run

        return declare


def _add(case: Case) -> None:
    if case.full_name in CASES:
        raise ValueError(f"two cases are named `{case.full_name}`")
    if not case.rule:
        raise ValueError(f"`{case.full_name}` names no rule")
    CASES[case.full_name] = case
