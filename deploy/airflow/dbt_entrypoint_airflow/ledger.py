"""Owns what the ledger of a run says of its nodes, and their table. Never asks AWS, and takes all
that is there for data that can be wrong.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

# Of each step.
MOST_ROWS = 200
# dbt's words, which differ between its versions, by what they mean.
FAILED = {"error", "errored", "fail", "failed", "runtime error", "partial success"}
BUILT = {"success", "succeeded"}
# Ours, of nodes of which no end is known.
NOT_RUN, NOT_ENDED = "not run", "not ended"
OPEN = (NOT_RUN, NOT_ENDED)
KINDS = ("model.", "seed.", "snapshot.")
# Commands that build. `compile` and `docs` call a node a success that they have only rendered.
BUILD = {"build", "clone", "retry", "run", "seed", "snapshot"}
COMMANDS = BUILD | {"compile", "docs", "list", "ls", "parse", "run-operation", "source", "test"}

# Gives an object of the run's folder; None if there is none.
Read = Callable[[str], bytes | None]


class Node(NamedTuple):
    id: str
    status: str
    seconds: float
    rows: int | None
    message: str


def bucket_and_folder(line: dict[str, Any]) -> tuple[str, str] | None:
    """Where the run's ledger lies; None if not in a bucket that is called by its name."""
    place = re.fullmatch(r"s3://([a-z0-9][a-z0-9.-]+)(?:/(.*))?", str(line.get("destination")))
    if not place:
        return None
    return place[1], "/".join(
        filter(None, [(place[2] or "").strip("/"), "runs", str(line["run_id"])])
    )


def folders(line: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The folder of each step, and the step."""
    for number, step in enumerate(line["steps"], 1):
        yield f"{number:02}-{step['name']}", step


def nodes(read: Read, line: dict[str, Any]) -> dict[str, list[Node] | None]:
    """The nodes of each step by its folder; None for a step that had nodes, and nothing of them can
    be read.
    """
    found: dict[str, list[Node] | None] = {}
    for folder, step in folders(line):
        # Without counts are steps without nodes, and such as were ended before they left any.
        has_counts = isinstance(step.get("nodes"), dict)
        if not has_counts and step["status"] in ("success", "resumed", "skipped"):
            continue
        # The first is small, and tells also what never ran; a dbt that runs as one process for each
        # step leaves none.
        content = read(f"{folder}/nodes.ndjson")
        told = None if content is None else of_events(content)
        # dbt may fall silent, but one that has ended by itself leaves whole results.
        is_whole = step["status"] in ("success", "warned", "failed", "resumed")
        is_open = is_whole and any(node.status in OPEN for node in told or [])
        if has_counts and (told is None or is_open):
            results = (read(f"{folder}/{name}.json") for name in ("run_results", "sources"))
            content = next((it for it in results if it is not None), None)
            left = None if content is None else of_results(content)
            told = completed(told, left or []) if told else left
        if has_counts or told is not None:
            found[folder] = told
    return found


def completed(told: list[Node], left: list[Node]) -> list[Node]:
    """What dbt told of its nodes, and what it has left of those of which it told no end."""
    ends = {node.id: node for node in left}
    return [ends.get(node.id, node) if node.status in OPEN else node for node in told]


def of_events(content: bytes) -> list[Node]:
    """What a step had selected, and what has become of it. A line that is cut off says nothing."""
    found: dict[str, Node] = {}
    for text in content.splitlines():
        try:
            event = json.loads(text)
        except ValueError:
            continue
        if not isinstance(event, dict):
            continue
        if event.get("t") == "plan" and isinstance(event.get("ids"), list):
            for one in event["ids"]:
                found.setdefault(str(one), Node(plain(one), NOT_RUN, 0, None, ""))
        elif event.get("t") == "start":
            found[str(event.get("id"))] = Node(plain(event.get("id")), NOT_ENDED, 0, None, "")
        elif event.get("t") == "end":
            found[str(event.get("id"))] = Node(
                plain(event.get("id")),
                plain(event.get("status")).lower(),
                number(event.get("s")),
                whole(event.get("rows")),
                plain(event.get("msg")),
            )
    return list(found.values())


def of_results(content: bytes) -> list[Node]:
    """The nodes of run_results.json or sources.json."""
    document = json.loads(content)
    results = document.get("results") if isinstance(document, dict) else None
    found = []
    for result in results if isinstance(results, list) else []:
        if isinstance(result, dict):
            response = result.get("adapter_response")
            of_model = response.get("rows_affected") if isinstance(response, dict) else None
            found.append(
                Node(
                    plain(result.get("unique_id")),
                    plain(result.get("status")).lower(),
                    number(result.get("execution_time")),
                    whole(of_model if result.get("failures") is None else result["failures"]),
                    plain(result.get("message") or result.get("error")),
                )
            )
    return found


def built(read: Read, found: dict[str, list[Node] | None]) -> list[str]:
    """The models, seeds and snapshots that the steps have built, each once."""
    record = read("run.json")
    if record is None:
        raise ValueError("run.json is not there, or may not be read")
    builds = set()
    for step in json.loads(record)["steps"]:
        # Options of dbt may stand before its command.
        command = next((word for word in step["command"] if word in COMMANDS), None)
        if command in BUILD:
            builds.add(f"{step['n']:02}-{step['name']}")
    nodes_of = (of_step or [] for folder, of_step in found.items() if folder in builds)
    return list(
        dict.fromkeys(
            node.id
            for of_step in nodes_of
            for node in of_step
            if node.status in BUILT and node.id.startswith(KINDS)
        )
    )


def plain(text: Any) -> str:
    """One line of a log: what dbt printed may hold line ends, or colours."""
    printed = re.sub(r"\x1b\[[0-9;]*m|[\x00-\x1f\x7f-\x9f]", " ", str(text or ""))
    return " ".join(printed.split())[:500]


def number(value: Any) -> float:
    is_number = isinstance(value, int | float) and math.isfinite(value)
    return max(float(value), 0.0) if is_number else 0.0


def whole(value: Any) -> int | None:
    # A warehouse that does not know says -1.
    return value if isinstance(value, int) and value >= 0 else None


def table(found: list[Node]) -> list[str]:
    """The nodes of a step for people: what failed, then the slowest."""
    found = sorted(found, key=lambda node: (node.status not in FAILED, -node.seconds))
    shown, rest = found[:MOST_ROWS], found[MOST_ROWS:]
    width = max((len(node.status) for node in shown), default=0)
    lines = []
    for node in shown:
        rows = "" if node.rows is None else f"{node.rows} rows"
        said = f"  {node.message[:200]}" if node.status in FAILED | {"warn"} else ""
        lines.append(f"{node.status:{width}}  {node.seconds:8.1f} s  {rows:>15}  {node.id}{said}")
    if rest:
        counts = Counter(node.status for node in rest)
        lines.append(
            f"and {len(rest)} more: {', '.join(f'{n} {status}' for status, n in counts.items())}"
        )
    return lines
