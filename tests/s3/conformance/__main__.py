"""The command line of the suite. It only parses, runs and prints."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from pathlib import Path
from typing import NoReturn

from . import topics
from .context import connect
from .registry import CASES, Case
from .runner import Outcome, run_all


def main() -> int:
    options = _parse()
    topics.load()
    cases = _chosen(options.only)
    if options.list:
        for case in cases:
            print(f"{case.full_name}\t{case.rule}")
        return 0
    if not options.endpoint:
        _usage("--endpoint URL is needed")
    known = _known(options.expected_failures)
    keys = (
        os.environ.get("AWS_ACCESS_KEY_ID", "test"),
        os.environ.get("AWS_SECRET_ACCESS_KEY", "test"),
    )
    endpoint = connect(options.endpoint, options.host_base, options.admin, keys)
    talk = sys.stderr if options.json else sys.stdout
    since = time.monotonic()

    def told(outcome: Outcome) -> None:
        if outcome.status == "failed":
            print(f"FAIL {outcome.name}: {outcome.detail} [{outcome.rule}]", file=talk)
        elif options.verbose:
            print(f"{outcome.status} {outcome.name} {outcome.detail}", file=talk)
        talk.flush()

    outcomes = run_all(endpoint, cases, known, options.jobs, told)
    count = {s: 0 for s in ("passed", "failed", "skipped")}
    for outcome in outcomes:
        count[outcome.status] += 1
    if options.json:
        json.dump([o.as_json() for o in outcomes], sys.stdout, indent=1)
        print()
    skipped = [o for o in outcomes if o.status == "skipped"]
    different = sum(o.detail.startswith("known difference") for o in skipped)
    unasked = len(skipped) - different
    print(
        f"{len(cases)} cases in {time.monotonic() - since:.1f} s; of the skipped, "
        f"{different} failed as {_file(options.expected_failures)} says and "
        f"{unasked} could not be asked (no --admin, or no such name)",
        file=talk,
    )
    print("{passed} passed, {failed} failed, {skipped} skipped".format(**count), file=talk)
    talk.flush()
    return 1 if count["failed"] or not cases else 0


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="conformance", description=__doc__)
    parser.add_argument("--endpoint", help="the S3 endpoint, such as http://127.0.0.1:9000")
    parser.add_argument("--admin", help="the admin API of the sandbox's own server")
    parser.add_argument(
        "--only", action="append", default=[], help="a group or a case; may be repeated"
    )
    parser.add_argument("--expected-failures", type=Path, help="known differences")
    parser.add_argument(
        "--host-base",
        default="s3.localhost",
        help="the domain of virtual hosts (default s3.localhost)",
    )
    parser.add_argument("--jobs", type=int, default=8, help="cases at once (default 8)")
    parser.add_argument("--json", action="store_true", help="every outcome on stdout")
    parser.add_argument("--list", action="store_true", help="name the cases and stop")
    parser.add_argument("--verbose", action="store_true", help="a line for every case")
    return parser.parse_args()


def _chosen(only: list[str]) -> list[Case]:
    if not only:
        return list(CASES.values())
    names = set(only)
    chosen = [c for c in CASES.values() if c.group in names or c.full_name in names]
    found = {c.group for c in chosen} | {c.full_name for c in chosen}
    if unknown := sorted(names - found):
        _usage(f"no group or case is named {', '.join(unknown)}")
    return chosen


def _known(file: Path | None) -> dict[str, str]:
    """Lines of `name: reason`; a name that no case has is an error."""
    if file is None:
        return {}
    known = {}
    for line in file.read_text().splitlines():
        if line.strip() and not line.startswith("#"):
            name, _, reason = line.partition(":")
            if name not in CASES or not reason.strip():
                _usage(f"{file}: `{line}` is not the name of a case and a reason")
            known[name] = reason.strip()
    return known


def _file(file: Path | None) -> str:
    return file.name if file else "no list"


def _usage(text: str) -> NoReturn:
    print(f"error: {text}", file=sys.stderr)
    raise SystemExit(2)


if __name__ == "__main__":
    # A hung case leaves a thread that would keep the process alive.
    code = main()
    sys.stdout.flush()
    os._exit(code)
