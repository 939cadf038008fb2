"""Owns what a run may be told, and the command that comes of it. Never a shell, never a secret."""

from __future__ import annotations

import json
from typing import Any

from .places import Param

STEPS = [
    "deps",
    "debug",
    "seed",
    "snapshot",
    "compile",
    "run",
    "build",
    "test",
    "freshness",
    "docs",
]
SELECTION = {"type": ["null", "string"], "minLength": 1, "maxLength": 2000}
# ECS and Airflow show the arguments of a task to everybody who may look at it.
NO_SECRETS = {"not": {"pattern": "(?i)password|passwd|secret|token|credential"}}


def params() -> dict[str, Param]:
    return {
        "select": Param(
            None,
            **SELECTION,
            title="--select",
            description="Nodes to include, as in `orders+ tag:daily`",
        ),
        "exclude": Param(None, **SELECTION, title="--exclude", description="Nodes to leave out"),
        "selector": Param(
            None, **SELECTION, title="--selector", description="Name of a selector of selectors.yml"
        ),
        "full_refresh": Param(
            False, type="boolean", title="--full-refresh", description="Rebuild incremental models"
        ),
        "steps": Param(
            [],
            type="array",
            items={"type": "string", "enum": STEPS},
            examples=STEPS,
            title="--steps",
            description="Steps in order; none for those that the image is set to",
        ),
        "vars": Param(
            None,
            type=["null", "object"],
            propertyNames=NO_SECRETS,
            title="--vars",
            description="Variables of the dbt project, as a JSON object. Never a secret: "
            "everybody can read them",
        ),
    }


def command(values: dict[str, Any], deadline_seconds: int) -> list[str]:
    """The container's command. Each value is one argument, in the form `--name=value`, and no shell
    ever sees it.
    """
    arguments = ["run", f"--deadline={deadline_seconds}s"]
    arguments += [
        f"--{name}={values[name]}" for name in ("select", "exclude", "selector") if values.get(name)
    ]
    if values.get("full_refresh"):
        arguments.append("--full-refresh")
    if values.get("steps"):
        arguments.append(f"--steps={','.join(values['steps'])}")
    if values.get("vars"):
        # JSON is YAML, which dbt wants.
        arguments.append(f"--vars={json.dumps(values['vars'])}")
    return arguments
