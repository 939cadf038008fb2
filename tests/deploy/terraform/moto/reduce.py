#!/usr/bin/env python3
"""Copy the module without what the AWS provider 3.39 does not know.

    reduce.py MODULE COPY

What is left out is listed here, piece by piece, and every piece has to be found: so nothing else is
lost on the way, and a piece that has moved is an error and not a test of less.
"""

import pathlib
import re
import shutil
import sys

# Resources that came with later versions. absent.tf stands in for what others want to know of them.
FILES = [
    "bucket_settings.tf",
    "cdn.tf",
    "ecs_capacity.tf",
    "network_rules.tf",
    "schedule.tf",
    "versions.tf",
]
# Blocks and arguments that came with later versions; `terraform fmt` has laid them out, so a block
# ends where its indentation comes back.
PIECES = [
    ("ecr.tf", "  force_delete "),
    ("ecs_task.tf", "  skip_destroy "),
    ("ecs_task.tf", "  runtime_platform {"),
    ("ecs_task.tf", '  dynamic "ephemeral_storage" {'),
    ("schedule_queue.tf", "  sqs_managed_sse_enabled "),
    ("schedule_restart.tf", "  state "),
    ("schedule_restart.tf", "    propagate_tags "),
    ("schedule_restart.tf", '    dynamic "capacity_provider_strategy" {'),
]


def without(text, start, origin):
    lines = text.splitlines(keepends=True)
    found = [number for number, line in enumerate(lines) if line.startswith(start)]
    if len(found) != 1:
        sys.exit(
            f"{origin}: expected one line that begins with {start!r}, found {len(found)}; "
            f"mend the list in reduce.py"
        )
    first = last = found[0]
    if start.endswith("{"):
        end = re.match(" *", start)[0] + "}\n"
        last = next(number for number in range(first, len(lines)) if lines[number] == end)
    return "".join(lines[:first] + lines[last + 1 :])


def main():
    module, copy = map(pathlib.Path, sys.argv[1:])
    shutil.rmtree(copy, ignore_errors=True)
    copy.mkdir(parents=True)
    for name in FILES:
        if not (module / name).is_file():
            sys.exit(f"{module} holds no {name}; mend the list in reduce.py")
    for path in module.iterdir():
        if path.suffix in (".tf", ".js") and path.name not in FILES:
            shutil.copy(path, copy)
    for name, start in PIECES:
        text = (copy / name).read_text(encoding="utf-8")
        (copy / name).write_text(without(text, start, module / name), encoding="utf-8")
    shutil.copy(pathlib.Path(__file__).with_name("absent.tf"), copy)


if __name__ == "__main__":
    main()
