"""python3 -m unittest discover scripts/bench-engines: what the figures rest on."""

import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

import group
import projects

PROFILES = pathlib.Path(__file__).resolve().parents[2] / "dbt" / "profiles.yml"
# One second of CPU time in a process that nobody waits for, behind two that end at once.
ORPHAN = """
import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        while time.process_time() < 1: pass
"""
# 80 MB that two processes share, for longer than it takes to be seen.
SHARED = """
import os, time
block = b"x" * 80_000_000
child = os.fork()
time.sleep(0.5)
if child: os.wait()
"""


NO_LIMIT = group.Limit()


class Groups(unittest.TestCase):
    def setUp(self):
        self.log = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory())) / "log"

    def use(
        self, program: str, limit: group.Limit = NO_LIMIT, look=lambda _place: None
    ) -> group.Used:
        try:
            place = group.Group(limit)
        except group.Unable as error:
            self.skipTest(str(error))
        with place:
            used = place.run(
                [sys.executable, "-c", program], dict(os.environ), pathlib.Path("/"), self.log
            )
            look(place)
            return used

    def test_cpu_time_of_orphans_counts(self):
        used = self.use(ORPHAN)
        self.assertEqual(used.code, 0)
        self.assertGreater(used.cpu, 1)
        self.assertLess(used.cpu, 1.5)

    def test_a_page_counts_once_however_many_share_it(self):
        used = self.use(SHARED)
        self.assertGreater(used.peak, 80_000_000)
        self.assertLess(used.peak, 120_000_000)

    def test_a_group_is_held_to_its_share(self):
        # On a busy machine a process is slow in any case, so what counts is that the kernel held it
        # back.
        for cpus, held in [(0.25, True), (None, False)]:
            throttled: list[int] = []
            self.use(
                "import time\nwhile time.process_time() < 0.5: pass",
                group.Limit(cpus=cpus),
                lambda place, seen=throttled: seen.append(place.throttled()),
            )
            self.assertEqual(throttled[0] > 0, held, cpus)

    def test_a_group_is_held_to_its_memory(self):
        used = self.use("block = b'x' * 80_000_000", group.Limit(memory=40_000_000))
        self.assertEqual(used.code, -9)

    def test_nothing_is_left_of_a_group(self):
        try:
            # Held back, and with much to give back: it takes a while to end.
            with group.Group(group.Limit(cpus=0.05)) as place:
                command = [
                    sys.executable,
                    "-c",
                    "block = b'x' * 300_000_000\nprint(flush=True)\nwhile True: pass",
                ]
                busy = subprocess.Popen(command, preexec_fn=place.enter, stdout=subprocess.PIPE)
                self.assertEqual(busy.stdout.readline(), b"\n")
                self.assertEqual(place.processes(), [busy.pid])
        except group.Unable as error:
            self.skipTest(str(error))
        self.assertEqual(busy.wait(), -9)
        busy.stdout.close()
        self.assertEqual(
            [directory for directory in place.kernel.directories if directory.exists()], []
        )


class Projects(unittest.TestCase):
    def write(self, models: int) -> dict[str, str]:
        directory = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        projects.Project(models).write(directory, PROFILES)
        return {
            str(path.relative_to(directory)): path.read_text()
            for path in sorted(directory.rglob("*"))
            if path.is_file()
        }

    def test_a_project_is_the_same_each_time(self):
        self.assertEqual(self.write(300), self.write(300))

    def test_a_project_has_as_many_models_as_it_should(self):
        for models in [10, 30, 37, 300, 1000]:
            files = self.write(models)
            self.assertEqual(
                sum(path.startswith("models/") and path.endswith(".sql") for path in files), models
            )
            described = sum(
                text.count("\n  - name: ")
                for path, text in files.items()
                if path.startswith("models/") and "sources" not in path
            )
            self.assertEqual(described, models)

    def test_every_tenth_mart_is_incremental(self):
        files = self.write(100)
        self.assertEqual(sum("materialized='incremental'" in text for text in files.values()), 4)


if __name__ == "__main__":
    unittest.main()
