"""Runs cases side by side, or alone where they must be, and judges what they said."""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import asdict, dataclass

from botocore.exceptions import BotoCoreError, ClientError

from .context import S3, Endpoint
from .expect import Skipped, Unexpected
from .registry import Case

CLEANING_S = 30.0


@dataclass
class Outcome:
    """What came of a case."""

    name: str
    rule: str
    status: str
    """`passed`, `failed` or `skipped`."""
    detail: str = ""
    seconds: float = 0.0

    def as_json(self) -> dict:
        return asdict(self)


def run_all(
    endpoint: Endpoint,
    cases: list[Case],
    known: dict[str, str],
    jobs: int,
    told: Callable[[Outcome], None],
) -> list[Outcome]:
    """In the order of `cases`; `told` hears of each as it ends."""
    begun: dict[str, float] = {}
    outcomes: dict[str, Outcome] = {}
    lock = threading.Lock()

    def finish(outcome: Outcome) -> None:
        with lock:
            if outcome.name not in outcomes:
                outcomes[outcome.name] = outcome
                told(outcome)

    def work(case: Case) -> None:
        begun[case.full_name] = time.monotonic()
        outcome = _run(endpoint, case)
        finish(_judge(outcome, known.get(case.full_name)))

    def drive(chosen: list[Case], workers: int) -> None:
        pool = ThreadPoolExecutor(max_workers=workers)
        waiting: dict[Future, Case] = {pool.submit(work, case): case for case in chosen}
        while waiting:
            done, _ = wait(waiting, timeout=1.0)
            for future in done:
                del waiting[future]
                future.result()
            for future, case in list(waiting.items()):
                since = begun.get(case.full_name)
                limit = case.deadline + CLEANING_S
                if since is not None and time.monotonic() - since > limit:
                    # The thread cannot be stopped; its socket time-outs end it.
                    hung = Outcome(case.full_name, case.rule, "failed")
                    hung.detail = f"expected an end within {limit:.0f} s, got none"
                    finish(_judge(hung, known.get(case.full_name)))
                    del waiting[future]
        pool.shutdown(wait=False, cancel_futures=True)

    drive([case for case in cases if not case.admin], jobs)
    # What moves the clock or disturbs requests is felt by all, so it comes alone.
    drive([case for case in cases if case.admin], 1)
    return [outcomes[case.full_name] for case in cases]


def _run(endpoint: Endpoint, case: Case) -> Outcome:
    outcome = Outcome(case.full_name, case.rule, "passed")
    if case.admin and endpoint.admin is None:
        outcome.status, outcome.detail = "skipped", "needs --admin"
        return outcome
    since = time.monotonic()
    s3 = S3(endpoint, case.deadline)
    problem = _said(lambda: case.run(s3, *case.arguments))
    unclean = _said(s3.clean)
    outcome.seconds = round(time.monotonic() - since, 3)
    if isinstance(problem, Skipped):
        outcome.status, outcome.detail = "skipped", str(problem)
    elif problem is not None:
        outcome.status, outcome.detail = "failed", _text(problem)
    elif unclean is not None:
        outcome.status = "failed"
        outcome.detail = f"its bucket cannot be removed: {_text(unclean)}"
    return outcome


def _said(call: Callable[[], None]) -> Exception | None:
    try:
        call()
    except Exception as error:  # noqa: BLE001 - each must become one line
        return error
    return None


def _text(error: Exception) -> str:
    if isinstance(error, Unexpected):
        return str(error)
    if isinstance(error, ClientError):
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
        return f"expected success, got {status} {error}"
    if isinstance(error, BotoCoreError):
        return f"expected an answer, got {error}"
    where = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {error} ({where.name}, line {where.lineno})"


def _judge(outcome: Outcome, known: str | None) -> Outcome:
    if known is None or outcome.status == "skipped":
        return outcome
    if outcome.status == "failed":
        outcome.status = "skipped"
        outcome.detail = f"known difference: {known} ({outcome.detail})"
    else:
        outcome.status = "failed"
        outcome.detail = f"it passes, but is listed as a known difference: {known}"
    return outcome
