"""Owns what a step tells the runner of its nodes: which it has selected, and start and end of each.

Of dbt it uses the callbacks that its events go to, and two methods that know the selected nodes.
Where dbt is not as expected, nothing is told; the step never fails for it.
"""

from __future__ import annotations

import json
import os
from typing import Any

from . import seams

#: Far more than is kept: only the runner knows what of it is secret, and half of a secret is not to
#: be recognised. As JSON still short enough for a line.
LONGEST_MESSAGE = 1 << 16


def tell(descriptor: int) -> None:
    """From now on. `descriptor`: of a file, to whose end each event is written as a line."""
    os.set_inheritable(descriptor, False)
    teller = Teller(descriptor)
    try:
        cli = seams.fetch("dbt.cli.main", "cli")
        queue = seams.fetch("dbt.graph.queue", "GraphQueue")
        usual = seams.fetch("dbt.graph.queue", "GraphQueue.get_selected_nodes", ("self",))

        def get_selected_nodes(self: Any) -> Any:
            selected = usual(self)
            teller.plan(self, selected)
            return selected

        # What `dbtRunner(callbacks=…)` hands on: `obj` is what click gives to the command.
        cli.context_settings["obj"] = {"callbacks": [teller.hear]}
        queue.get_selected_nodes = get_selected_nodes
        tell_unit_tests(teller)
    except Exception as error:
        teller.say(t="silent", why=seams.words(error))


def tell_unit_tests(teller: Teller) -> None:
    """Those of a build are in no queue: each model brings its own."""
    try:
        build = seams.fetch("dbt.task.build", "BuildTask")
        name = "BuildTask.build_model_to_unit_test_map"
        usual = seams.fetch("dbt.task.build", name, ("self", "selected_unit_tests"))
    except seams.Missing as error:
        teller.misses_unit_tests = seams.words(error)
        return

    def build_model_to_unit_test_map(self: Any, selected_unit_tests: Any) -> Any:
        teller.unit_tests |= selected_unit_tests
        return usual(self, selected_unit_tests)

    build.build_model_to_unit_test_map = build_model_to_unit_test_map


class Teller:
    def __init__(self, descriptor: int) -> None:
        self.descriptor: int | None = descriptor
        self.planned: set[str] = set()
        self.unit_tests: set[str] = set()
        #: Why unit tests are not told of, if so.
        self.misses_unit_tests: str | None = None

    def say(self, **event: Any) -> None:
        if self.descriptor is None:
            return
        line = json.dumps(event).encode() + b"\n"
        # Threads take turns line by line: a write to the end of a file is one.
        try:
            is_whole = os.write(self.descriptor, line) == len(line)
        except OSError:
            is_whole = False
        if not is_whole:
            self.descriptor = None

    def plan(self, queue: Any, selected: Any) -> None:
        """Some commands select twice. An ephemeral model is no work: dbt counts none, and leaves no
        result of one.
        """
        try:
            known = queue.manifest.nodes
            # Before 1.8 there are none.
            if self.misses_unit_tests and getattr(queue.manifest, "unit_tests", None):
                self.say(t="silent", why=self.misses_unit_tests)
                self.descriptor = None
                return
            new = {
                node
                for node in self.unit_tests.union(selected)
                if node not in self.planned
                and not (node in known and known[node].is_ephemeral_model)
            }
            if new or not self.planned:
                self.planned |= new
                self.say(t="plan", ids=sorted(new))
        except Exception:
            self.descriptor = None

    def hear(self, event: Any) -> None:
        name = event.info.name
        if name not in ("NodeStart", "NodeFinished"):
            return
        try:
            node = event.data.node_info.unique_id
            if node not in self.planned:
                return
            said = {"id": node, "ts": event.info.ts.ToJsonString(), "thread": event.info.thread}
            if name == "NodeStart":
                self.say(t="start", **said)
                return
            result = event.data.run_result
            said["thread"] = result.thread or said["thread"]
            self.say(
                t="end",
                **said,
                status=result.status,
                s=round(result.execution_time, 3),
                rows=rows_of(result),
                msg=result.message[:LONGEST_MESSAGE] or None,
            )
        except Exception:
            # An end that nobody hears of is no success; but to tell half of them helps nobody.
            self.descriptor = None


def rows_of(result: Any) -> int | None:
    """How many a model has written, or a test has found; `None` where nobody says."""
    try:
        return int(float(result.adapter_response["rows_affected"]))
    except Exception:
        return int(result.num_failures) if result.num_failures else None
