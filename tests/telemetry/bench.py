"""Measures the telemetry server, and ddapm-test-agent beside it in the same run.
Prints a table and writes the figures as JSON. `scripts/bench-telemetry` sets it up.
"""

import argparse
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

from stub import Process, Stub, TestAgent

# Enough for a million spans, so that questions find all of them.
ROOM = f"--max-bytes={2 << 30}"
# How much more the last third of a soak may take than the first, once the store is
# full and gives up the oldest.
GROWTH = 1.10
SAMPLE_S = 2.0
# A counter that has not moved for so long has all that is to come.
SETTLED_S = 2.0


def load(to: str, kind: str, **options: Any) -> dict[str, Any]:
    arguments = [f"-{name.rstrip('_')}={value}" for name, value in options.items()]
    command = [os.environ["SANDBOX_TELEMETRY_LOAD"], f"-to={to}", *arguments, kind]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


def resident(process: Process) -> float:
    """MiB of memory of a server and its children, without those that only wait for it."""
    total = 0
    for pid in family(process.pid):
        status = pathlib.Path(f"/proc/{pid}/status").read_text()
        total += next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))
    return round(total / 1024, 1)


def family(pid: int) -> list[int]:
    found = [pid]
    for child in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        found += family(int(child))
    return found


def median_of_pairs(length: str, pairs: int, one: Callable[[str], Any], two: Callable[[str], Any]) -> tuple[Any, Any]:
    """Both in turn, so that whatever slows the machine slows both."""
    ours, theirs = [], []
    for _ in range(pairs):
        ours.append(one(length))
        theirs.append(two(length))
    by_rate = [sorted(runs, key=lambda run: run["per_second"])[len(runs) // 2] for runs in (ours, theirs)]
    return by_rate[0], by_rate[1]


def accepted(stub: Stub, run: dict[str, Any], before: dict[str, Any]) -> None:
    """What the generator was told is accepted must be in the store's count."""
    after = stub.call("GET", "stats")["spans"]["received"]
    if after - before["spans"]["received"] != run["spans"]:
        raise AssertionError(f"{run['spans']} spans answered with 200, {after} received")
    if run["refused"]:
        raise AssertionError(f"{run['refused']} requests refused: {run.get('first_refusal')}")


def spans(arguments: argparse.Namespace, folder: pathlib.Path) -> dict[str, Any]:
    stub = Stub.start(folder / "spans")
    agent = TestAgent.start(folder / "agent", test_agent())
    figures: dict[str, Any] = {}
    try:
        ways = {
            "v0.5": (stub.apm_url, agent.apm_url),
            "v0.4": (stub.apm_url, agent.apm_url),
            "grpc": (f"127.0.0.1:{stub.ports.otlp_grpc}", f"127.0.0.1:{agent.otlp_grpc}"),
        }
        for kind, (here, there) in ways.items():

            def measure(length: str, kind: str = kind, here: str = here) -> dict[str, Any]:
                before = stub.call("GET", "stats")
                run = load(here, kind, for_=length)
                accepted(stub, run, before)
                return run

            def measure_agent(length: str, kind: str = kind, there: str = there) -> dict[str, Any]:
                return load(there, kind, for_=length)

            ours, theirs = median_of_pairs(arguments.length, arguments.pairs, measure, measure_agent)
            figures[kind] = {"ours": ours, "test_agent": theirs, "times": ours["per_second"] / theirs["per_second"]}
            say(f"spans/s {kind}", f"{ours['per_second']:,.0f}", f"{theirs['per_second']:,.0f}")
    finally:
        stub.process.stop()
        agent.stop()
    return figures


def packets(arguments: argparse.Namespace, folder: pathlib.Path) -> dict[str, Any]:
    """The highest steady rate at which no packet is lost, found by doubling and halving."""
    stub = Stub.start(folder / "packets")

    def lossless(rate: int) -> dict[str, Any] | None:
        before = stub.endpoint("dogstatsd")["accepted"]
        run = load(f"127.0.0.1:{stub.ports.dogstatsd}", "dogstatsd", rate=rate, for_=arguments.length)
        got = settled(lambda: stub.endpoint("dogstatsd")["accepted"] - before, run["packets"])
        run["lost"] = run["packets"] - got
        reached = run["per_second"] >= 0.97 * rate
        print(f"  dogstatsd {rate:,}/s: {run['per_second']:,.0f}/s sent, {run['lost']} lost", file=sys.stderr)
        return run if run["lost"] == 0 and reached else None

    try:
        good, best, rate = 0, None, 25_000
        while (run := lossless(rate)) is not None:
            good, best, rate = rate, run, rate * 2
        bad = rate
        while bad - good > max(5_000, good // 20):
            middle = (good + bad) // 2
            if (run := lossless(middle)) is not None:
                good, best = middle, run
            else:
                bad = middle
    finally:
        stub.process.stop()
    if best is None:
        raise AssertionError("packets are lost at every rate")
    say("dogstatsd packets/s without loss", f"{best['per_second']:,.0f}")
    return best


def settled(count: Callable[[], int], wanted: int) -> int:
    """The count once it is what is wanted, or has stopped to grow."""
    last, since = count(), time.monotonic()
    while last < wanted and time.monotonic() - since < SETTLED_S:
        time.sleep(0.1)
        if (now := count()) != last:
            last, since = now, time.monotonic()
    return last


def questions(arguments: argparse.Namespace, folder: pathlib.Path) -> dict[str, Any]:
    """Memory without load, then questions over many spans and memory with them."""
    stub = Stub.start(folder / "questions", ROOM)
    try:
        stub.call("GET", "stats")
        figures: dict[str, Any] = {"idle_rss_mib": resident(stub.process), "spans": arguments.spans}
        load(stub.apm_url, "v0.5", count=arguments.spans)
        kept = stub.call("GET", "stats")["spans"]
        figures |= {"stored": kept["stored"], "bytes": kept["bytes"], "loaded_rss_mib": resident(stub.process)}
        if kept["stored"] != arguments.spans:
            raise AssertionError(f"{kept['stored']} of {arguments.spans} spans are stored")
        asked = {
            "service and name": ("spans", {"service": "service-3", "name": "operation.10"}),
            "an attribute": ("spans", {"where": "http.status_code=200"}),
            "what is not there": ("spans", {"where": "nobody=knows"}),
            "traces of a service": ("traces", {"service": "service-3"}),
            "services": ("services", {}),
        }
        figures["questions"] = {}
        for name, (kind, filters) in asked.items():
            times = []
            for _ in range(arguments.asks):
                since = time.perf_counter()
                answer = stub.call("GET", kind, **filters)
                times.append((time.perf_counter() - since) * 1000)
            figures["questions"][name] = {
                "p50_ms": round(statistics.median(times), 2),
                "max_ms": round(max(times), 2),
                "found": answer["total"],
            }
            say(f"{name}: p50 ms", f"{statistics.median(times):.1f}")
    finally:
        stub.process.stop()
    say("RSS MiB idle", f"{figures['idle_rss_mib']}")
    say(f"RSS MiB with {arguments.spans:,} spans", f"{figures['loaded_rss_mib']}")
    return figures


def soak(arguments: argparse.Namespace, folder: pathlib.Path) -> dict[str, Any]:
    """Everything at full speed for a long time: the store evicts and memory stays."""
    stub = Stub.start(folder / "soak", *([f"--max-bytes={arguments.max_bytes}"] if arguments.max_bytes else []))
    program = os.environ["SANDBOX_TELEMETRY_LOAD"]
    common = [f"-for={arguments.soak}"]
    loads = [
        [f"-to={stub.apm_url}", "-connections=2", *common, "v0.5"],
        [f"-to=127.0.0.1:{stub.ports.otlp_grpc}", "-connections=2", *common, "grpc"],
        [f"-to=127.0.0.1:{stub.ports.dogstatsd}", "-rate=20000", *common, "dogstatsd"],
    ]
    filling: list[float] = []
    full: list[float] = []
    running = [subprocess.Popen([program, *one], stdout=subprocess.PIPE, text=True) for one in loads]
    try:
        while any(one.poll() is None for one in running):
            stats = stub.call("GET", "stats")
            evicted = stats["spans"]["evicted"] and stats["points"]["evicted"]
            (full if evicted else filling).append(resident(stub.process))
            time.sleep(SAMPLE_S)
        results = [json.loads(one.communicate()[0]) for one in running]
        stats = stub.call("GET", "stats")
    finally:
        for one in running:
            one.kill()
        stub.process.stop()
    if len(full) < 3:
        raise AssertionError("the store was not full for long enough to say anything")
    third = len(full) // 3
    first, last = max(full[:third]), max(full[-third:])
    figures = {
        "seconds": results[0]["seconds"],
        "spans": sum(one.get("spans", 0) for one in results),
        "refused": sum(one["refused"] for one in results),
        "packets": results[2]["packets"],
        "packets_accepted": stats["endpoints"]["dogstatsd"]["accepted"],
        "stored": {kind: stats[kind] for kind in ("spans", "points", "raw")},
        "filled_after_s": len(filling) * SAMPLE_S,
        "rss_mib": {"first_third": first, "last_third": last, "most": max(filling + full)},
        "bounded": last <= first * GROWTH,
    }
    say("soak: spans", f"{figures['spans']:,}")
    say("soak: RSS MiB, full, first third", f"{first}")
    say("soak: RSS MiB, full, last third", f"{last}")
    return figures


def say(what: str, ours: str, theirs: str = "") -> None:
    print(f"{what:<40}{ours:>16}{theirs:>16}", flush=True)


def test_agent() -> str:
    return str(pathlib.Path(sys.executable).with_name("ddapm-test-agent"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", choices=["spans", "packets", "questions", "soak"])
    parser.add_argument("--length", default="5s", help="of one measurement, as in `5s`")
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--spans", type=int, default=1_000_000, help="that are asked over")
    parser.add_argument("--asks", type=int, default=30)
    parser.add_argument("--soak", metavar="TIME", help="also load everything for so long, as in `10m`")
    parser.add_argument("--max-bytes", type=int, help="of the soak's store")
    parser.add_argument("--json", type=pathlib.Path, help="where the figures go")
    arguments = parser.parse_args()
    parts = arguments.only or ["spans", "packets", "questions"]
    if arguments.soak and "soak" not in parts:
        parts.append("soak")
    arguments.soak = arguments.soak or "10m"

    figures: dict[str, Any] = {"cpus": os.cpu_count(), "machine": platform.machine(), "at": time.strftime("%Y-%m-%d")}
    say("", "ours", "test agent")
    with tempfile.TemporaryDirectory() as folder:
        for part in parts:
            figures[part] = globals()[part](arguments, pathlib.Path(folder))
    if arguments.json:
        arguments.json.parent.mkdir(exist_ok=True)
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n")
    if not figures.get("soak", {"bounded": True})["bounded"]:
        sys.exit("memory grew during the soak")


main()
