"""scripts/compare_plans.py: what counts as shown, and what does not."""

import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

PROGRAM = pathlib.Path(__file__).parents[2] / "scripts/compare_plans.py"

TASK = "module.dbt.aws_ecs_task_definition.this"


def change(actions=("create",), after=None, unknown=None):
    return {"actions": list(actions), "after": after or {}, "after_unknown": unknown or {}}


def resource(address=TASK, mode="managed", deposed=None, **options):
    found = {"address": address, "mode": mode, "change": change(**options)}
    return found | ({"deposed": deposed} if deposed else {})


def plan(*resources, **outputs):
    found = {"format_version": "1.2", "planned_values": {}}
    if resources:
        found["resource_changes"] = list(resources)
    if outputs:
        found["output_changes"] = outputs
    return found


def compare(shown, now):
    """The exit code, the lines on stdout, and stderr. A text is written as it is."""
    with tempfile.TemporaryDirectory() as folder:
        paths = [pathlib.Path(folder, name) for name in ("shown.json", "now.json")]
        for path, content in zip(paths, (shown, now)):
            if content is not None:
                path.write_text(content if isinstance(content, str) else json.dumps(content))
        command = [sys.executable, str(PROGRAM), *map(str, paths)]
        result = subprocess.run(command, capture_output=True, text=True)
    return result.returncode, result.stdout.splitlines(), result.stderr


# What was shown, what is planned now, the lines that are expected.
CASES = {
    "nothing and nothing": (plan(), plan(), []),
    "the same": (plan(resource(after={"cpu": 512})), plan(resource(after={"cpu": 512})), []),
    "less than was shown": (plan(resource(), resource("aws_s3_bucket.docs")), plan(resource()), []),
    "a resource that was not shown": (plan(), plan(resource()), [f"{TASK} create"]),
    "another action": (
        plan(resource(actions=["update"], after={"cpu": 1})),
        plan(resource(actions=["delete", "create"], after={"cpu": 1})),
        [f"{TASK} delete,create"],
    ),
    "an action in place of nothing": (
        plan(resource(actions=["no-op"])),
        plan(resource(actions=["delete"])),
        [f"{TASK} delete"],
    ),
    "nothing in place of an action": (plan(resource()), plan(resource(actions=["no-op"])), []),
    "another value": (
        plan(resource(after={"cpu": 512})),
        plan(resource(after={"cpu": 1024})),
        [f"{TASK} create, with other values"],
    ),
    "another value deep inside": (
        plan(resource(after={"network": [{"subnets": ["a"]}]})),
        plan(resource(after={"network": [{"subnets": ["a", "b"]}]})),
        [f"{TASK} create, with other values"],
    ),
    "a value that was not there": (
        plan(resource(after={})),
        plan(resource(after={"role": "admin"})),
        [f"{TASK} create, with other values"],
    ),
    "true is not 1": (
        plan(resource(after={"public": True})),
        plan(resource(after={"public": 1})),
        [f"{TASK} create, with other values"],
    ),
    "null is as good as absent": (
        plan(resource(after={"cpu": 1, "tags": None})),
        plan(resource(after={"cpu": 1})),
        [],
    ),
    "the order of keys does not count": (
        plan(resource(after={"cpu": 1, "memory": 2})),
        plan(resource(after={"memory": 2, "cpu": 1})),
        [],
    ),
    "what was unknown may be any value": (
        plan(resource(after={"name": "x"}, unknown={"arn": True})),
        plan(resource(after={"name": "x", "arn": "arn:aws:ecs:…"})),
        [],
    ),
    "what is unknown beside it may not": (
        plan(resource(after={"name": "x"}, unknown={"arn": True})),
        plan(resource(after={"name": "y", "arn": "arn:aws:ecs:…"})),
        [f"{TASK} create, with other values"],
    ),
    "unknown deep inside": (
        plan(resource(after={"tags": [{}, {"k": 1}]}, unknown={"tags": [{"id": True}, {}]})),
        plan(resource(after={"tags": [{"id": 7}, {"k": 1}]})),
        [],
    ),
    "a longer list than the one that was unknown in part": (
        plan(resource(after={"tags": [{}]}, unknown={"tags": [{"id": True}]})),
        plan(resource(after={"tags": [{"id": 7}, {"id": 8}]})),
        [f"{TASK} create, with other values"],
    ),
    "a whole value that was unknown": (
        plan(url={"actions": ["create"], "after": None, "after_unknown": True}),
        plan(url={"actions": ["create"], "after": "https://…", "after_unknown": False}),
        [],
    ),
    "an output that was not shown": (plan(), plan(url=change()), ["output.url create"]),
    "an output with another value": (
        plan(url={"actions": ["update"], "after": "a", "after_unknown": False}),
        plan(url={"actions": ["update"], "after": "b", "after_unknown": False}),
        ["output.url update, with other values"],
    ),
    "data that is read changes nothing": (
        plan(),
        plan(resource("data.aws_vpc.this", mode="data", actions=["read"])),
        [],
    ),
    "a deposed object is not the resource": (
        plan(resource(actions=["delete"])),
        plan(resource(actions=["delete"]), resource(actions=["delete"], deposed="0f1e2d3c")),
        [f"{TASK} 0f1e2d3c delete"],
    ),
}


class ComparePlans(unittest.TestCase):
    def test_what_was_not_shown(self):
        for name, (shown, now, expected) in CASES.items():
            with self.subTest(name):
                code, lines, _ = compare(shown, now)
                self.assertEqual((code, lines), (1 if expected else 0, expected))

    def test_no_value_is_printed(self):
        shown = plan(resource(after={"password": "old-secret"}))
        now = plan(resource(after={"password": "new-secret"}))
        _, lines, stderr = compare(shown, now)
        self.assertNotIn("secret", "".join(lines) + stderr)

    def test_a_plan_that_cannot_be_read_is_not_one_without_changes(self):
        for name, broken in {
            "absent": None,
            "empty": "",
            "cut off": json.dumps(plan(resource()))[:-9],
            "something else": "[]",
            "a state": json.dumps({"format_version": "1.0", "values": {}}),
            "without actions": json.dumps(plan({"address": "a", "mode": "managed", "change": {}})),
        }.items():
            for plans in ((broken, plan()), (plan(), broken)):
                with self.subTest(name):
                    code, lines, stderr = compare(*plans)
                    self.assertEqual((code, lines), (2, []))
                    self.assertIn("compare_plans.py: ", stderr)
                    self.assertNotIn("Traceback", stderr)


if __name__ == "__main__":
    unittest.main()
