"""Measures the engines beside the shell script that dbt-entrypoint takes the place of, for
`scripts/bench engines`.

Each round runs all five, in another order each time; ratios are taken round by round, so that a
slow hour of the machine meets both sides. Every run is noted at once in target/bench/engines.jsonl:
broken off and started again, the measuring goes on where it was, for as long as the runner is the
same build. It judges nothing; the goals stand beside the figures.
"""

import argparse
import datetime
import hashlib
import json
import os
import pathlib
import random
import signal
import sys
import tempfile

import group
import lab

import report


class Records:
    """What was measured with this build of the runner."""

    def __init__(self, path: pathlib.Path, build: str):
        self.path, self.build = path, build
        lines = path.read_text().splitlines() if path.exists() else []
        self.all = [record for record in map(json.loads, lines) if record["build"] == build]

    def has(self, key: dict) -> bool:
        return any(key.items() <= record.items() for record in self.all)

    def add(self, record: dict) -> None:
        self.all.append(record)
        with open(self.path, "a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")


def measure(
    records: Records, bench: lab.Lab, project: str, warehouse: str, limits: list[str], rounds: int
) -> None:
    wanted = [(number, limit) for number in range(1, rounds + 1) for limit in limits]
    key = {"project": project, "warehouse": warehouse}
    wanted = [
        (number, limit)
        for number, limit in wanted
        if not all(
            records.has({**key, "limit": limit, "round": number, "contender": name})
            for name in lab.CONTENDERS
        )
    ]
    if not wanted:
        return
    say(f"{project} on {warehouse}: preparing")
    case = lab.Case(bench, project, warehouse)
    case.run("cached", "none", first=True)
    for number, limit in wanted:
        # A round that was broken off is measured anew as a whole, or its ratios would be of
        # different hours.
        records.all = [
            record
            for record in records.all
            if not {**key, "limit": limit, "round": number}.items() <= record.items()
        ]
        order = list(lab.CONTENDERS)
        random.Random(f"{project} {warehouse} {limit} {number}").shuffle(order)
        for name in order:
            load = os.getloadavg()[0]
            used = case.run(name, limit)
            now = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
            records.add(
                {
                    "build": records.build,
                    "at": now,
                    "load": load,
                    **key,
                    "limit": limit,
                    "round": number,
                    "contender": name,
                    "wall": used.wall,
                    "cpu": used.cpu,
                    "peak": used.peak,
                }
            )
            say(
                f"{project} on {warehouse}, limit {limit}, round {number}, {name}: "
                f"{used.wall:.1f} s, {used.cpu:.1f} CPU seconds, "
                f"{used.peak / 1e6:.0f} MB"
            )


def say(text: str) -> None:
    print(f"scripts/bench: {text}", file=sys.stderr, flush=True)


def listed(kinds: list[str] | None = None):
    """A type for argparse: a list with commas, of these or of numbers of models."""

    def read(text: str) -> list[str]:
        words = text.split(",")
        for word in words:
            if kinds is not None and word not in kinds:
                raise argparse.ArgumentTypeError(f"{word!r} is none of {', '.join(kinds)}")
            if kinds is None and word != "sample" and not (word.isdecimal() and int(word) >= 10):
                raise argparse.ArgumentTypeError(
                    f"{word!r} is neither 'sample' nor a number of models from 10 on"
                )
        return words

    return read


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="scripts/bench engines",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--projects",
        type=listed(),
        default="sample,30,300,1000",
        help="'sample' or numbers of models (%(default)s)",
    )
    parser.add_argument(
        "--warehouses",
        type=listed(["duckdb", "redshift"]),
        default="duckdb,redshift",
        help="(%(default)s)",
    )
    parser.add_argument(
        "--limits",
        type=listed(list(lab.LIMITS)),
        default="none,half",
        help="none: all cores; half: 0.5 CPU and 1 GB (%(default)s)",
    )
    parser.add_argument(
        "--rounds",
        type=int,
        default=5,
        help="how many there should be in the end, earlier ones included (%(default)s)",
    )
    parser.add_argument(
        "--runner",
        type=pathlib.Path,
        default=lab.ROOT / "target/release/dbt-entrypoint",
        help="the build (%(default)s)",
    )
    parser.add_argument(
        "--report",
        action="store_true",
        help="measure nothing, write the table and the plot of what there is",
    )
    arguments = parser.parse_args()
    # Stopped by a signal, the servers are stopped, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    out = lab.ROOT / "target" / "bench"
    out.mkdir(parents=True, exist_ok=True)
    runner = arguments.runner.resolve()
    records = Records(out / "engines.jsonl", hashlib.sha256(runner.read_bytes()).hexdigest()[:12])
    try:
        if not arguments.report:
            with tempfile.TemporaryDirectory(
                prefix="dbt-entrypoint-bench-", ignore_cleanup_errors=True
            ) as work:
                directory = pathlib.Path(work).resolve()
                directory.chmod(0o755)
                bench = lab.Lab(runner, directory)
                try:
                    for project in arguments.projects:
                        for warehouse in arguments.warehouses:
                            measure(
                                records,
                                bench,
                                project,
                                warehouse,
                                arguments.limits,
                                arguments.rounds,
                            )
                finally:
                    bench.stop()
    except group.Unable as error:
        raise SystemExit(f"scripts/bench: {error}") from error
    if not records.all:
        raise SystemExit("scripts/bench: nothing has been measured with this build of the runner")
    report.write(records.all, out)


if __name__ == "__main__":
    main()
