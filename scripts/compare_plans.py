#!/usr/bin/env python3
"""What one Terraform plan does that another one, which somebody has seen and approved, does not.

    compare_plans.py SHOWN NOW

Both are files that `terraform show -json` wrote. A resource or output of NOW that SHOWN does not
change, or changes in another way or to another value, is a line on stdout. The lines hold no
values, which may be secret. A value that SHOWN could not know yet may turn out to be any.

The exit code is 0 if there is no such line, 1 if there is one, and 2 if a plan cannot be read.
"""

import json
import sys


def changes(plan):
    """Each change of a plan by its name; the name of a deposed object ends in its key."""
    found = {}
    for resource in plan.get("resource_changes", []):
        if resource["mode"] == "managed":
            name = " ".join(filter(None, (resource["address"], resource.get("deposed"))))
            found[name] = resource["change"]
    for output, change in plan.get("output_changes", {}).items():
        found[f"output.{output}"] = change
    return {name: it for name, it in found.items() if it["actions"] != ["no-op"]}


def known(value, unknown):
    """The value without the parts that were unknown; `unknown` is Terraform's `after_unknown`."""
    if unknown is True:
        return None
    if isinstance(value, dict):
        unknown = unknown if isinstance(unknown, dict) else {}
        return {key: known(part, unknown.get(key)) for key, part in value.items()}
    if isinstance(value, list):
        unknown = unknown if isinstance(unknown, list) else []
        unknown = unknown + [None] * (len(value) - len(unknown))
        return [known(part, parts) for part, parts in zip(value, unknown)]
    return value


def without_nulls(value):
    """Terraform leaves out what it does not know, or says null."""
    if isinstance(value, dict):
        parts = {key: without_nulls(part) for key, part in value.items()}
        return {key: part for key, part in parts.items() if part is not None}
    if isinstance(value, list):
        return [without_nulls(part) for part in value]
    return value


def text(value):
    """For comparison: to Python `True` equals 1, to Terraform it does not."""
    return json.dumps(without_nulls(value), sort_keys=True)


def not_shown(shown, now):
    """One line for each change of `now` that `shown` does not announce."""
    before = changes(shown)
    for name, change in changes(now).items():
        was, actions = before.get(name), ",".join(change["actions"])
        if was is None or was["actions"] != change["actions"]:
            yield f"{name} {actions}"
        elif text(was.get("after")) != text(known(change.get("after"), was.get("after_unknown"))):
            yield f"{name} {actions}, with other values"


def read(path):
    with open(path, encoding="utf-8") as file:
        plan = json.load(file)
    # Anything else would count as a plan that changes nothing.
    if not isinstance(plan, dict) or "planned_values" not in plan:
        raise ValueError("is not a plan as `terraform show -json` writes it")
    return plan


def main(arguments):
    if len(arguments) != 2:
        print("usage: compare_plans.py SHOWN NOW", file=sys.stderr)
        return 2
    plans = []
    for path in arguments:
        try:
            plans.append(read(path))
        except (OSError, ValueError) as error:
            print(f"compare_plans.py: {path}: {error}", file=sys.stderr)
            return 2
    try:
        lines = list(not_shown(*plans))
    except (AttributeError, KeyError, TypeError) as error:
        print(f"compare_plans.py: a change is malformed: {error!r}", file=sys.stderr)
        return 2
    for line in lines:
        print(line)
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
