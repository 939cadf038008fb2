"""Owns the settings: from one variable to complete values, all faults at once. Never a DAG."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import jsonschema
import pendulum
from croniter import croniter

from .places import Variable

VARIABLE = "dbt_ecs"

TEXT: dict[str, Any] = {"type": "string", "minLength": 1}
NAME: dict[str, Any] = {
    "type": "string",
    "pattern": r"^[A-Za-z0-9][A-Za-z0-9_.-]*$",
    "maxLength": 100,
}
SECONDS = {"type": "integer", "minimum": 1}

REQUIRED: dict[str, dict[str, Any]] = {
    "project": {
        **NAME,
        "description": "the project's name, as PROJECT_NAME in the task definition",
    },
    "env": {**NAME, "description": "the environment, as ENV in the task definition: dev, live"},
    "cluster": {**TEXT, "description": "name or ARN of the ECS cluster"},
    "task_definition": {
        **TEXT,
        "description": "family of the task definition; without a revision, ECS takes the newest",
    },
    "container_name": {**TEXT, "description": "name of dbt's container in the task definition"},
    "subnets": {
        "type": "array",
        "minItems": 1,
        "items": {"type": "string", "pattern": "^subnet-"},
        "description": "ids of the subnets, as a list",
    },
    "security_groups": {
        "type": "array",
        "minItems": 1,
        "items": {"type": "string", "pattern": "^sg-"},
        "description": "ids of the security groups, as a list",
    },
    "assign_public_ip": {
        "type": "boolean",
        "description": "true in subnets whose only way out is an internet gateway",
    },
    "awslogs_group": {**TEXT, "description": "awslogs-group of the container"},
    "awslogs_stream_prefix": {**TEXT, "description": "awslogs-stream-prefix of the container"},
    "awslogs_region": {**TEXT, "description": "awslogs-region of the container"},
    "region": {**TEXT, "description": "region of the cluster"},
    "role_arn": {
        "type": ["string", "null"],
        "pattern": r"^arn:aws[a-z-]*:iam::\d{12}:role/.+",
        "description": "ARN of the role that the AWS connection assumes, "
        "or null where Airflow's own role has the rights",
    },
    "deadline_seconds": {
        **SECONDS,
        "description": "after which the runner ends the run by itself, in seconds",
    },
    "stop_timeout_seconds": {**SECONDS, "description": "stopTimeout of the container, in seconds"},
}

OPTIONAL: dict[str, dict[str, Any]] = {
    "schedule": {
        "type": ["string", "null"],
        "default": None,
        "description": "a cron line, a preset as @daily, or null for none",
    },
    "timezone": {
        **TEXT,
        "default": "UTC",
        "description": "in which the schedule counts: Europe/Berlin",
    },
    "retries": {
        "type": "integer",
        "minimum": 0,
        "maximum": 10,
        "default": 2,
        "description": "tries after the first",
    },
    "retry_delay_seconds": {
        **SECONDS,
        "default": None,
        "description": "between two tries, in seconds",
    },
    "start_timeout_seconds": {
        **SECONDS,
        "default": 600,
        "description": "in which ECS starts the container, in seconds",
    },
    "poll_seconds": {
        **SECONDS,
        "default": 10,
        "description": "between two looks at the container, in seconds",
    },
    "aws_connection_id": {
        **TEXT,
        "default": "aws_dbt",
        "description": "id of the Airflow connection to AWS",
    },
    "slack_connection_id": {
        **TEXT,
        "default": "slack_dbt",
        "description": "id of the Airflow connection to Slack",
    },
    "docs_url": {
        "type": ["string", "null"],
        "pattern": r"^https?://[^\s<>\"]+$",
        "default": None,
        "description": "address of the docs in a browser, or null where they are not shown",
    },
    "assets": {
        "type": "array",
        "items": TEXT,
        "default": [],
        "description": "patterns of the unique ids of models, seeds and snapshots that are assets, "
        "as a list: model.shop.fct_*",
    },
    "capacity_provider_strategy": {
        "type": "array",
        "items": {"type": "object", "required": ["capacityProvider"]},
        "default": [],
        "description": "on what capacity ECS runs the task, as RunTask takes it; "
        "none for plain Fargate",
    },
    "tags": {
        "type": "array",
        "items": TEXT,
        "default": [],
        "description": "tags of the DAG, as a list",
    },
}

KEYS = REQUIRED | OPTIONAL

# Airflow's names of schedules: an unknown one makes an error of cron that names neither the setting
# nor the remedy.
PRESETS = [
    "@once",
    "@continuous",
    "@hourly",
    "@daily",
    "@weekly",
    "@monthly",
    "@quarterly",
    "@yearly",
]


class SettingsError(ValueError):
    """All faults of the settings at once. Raised while the file is parsed if no DAG can be named,
    so that Airflow shows it as an import error; else by the task of the DAG that is broken.
    """

    def __init__(self, faults: list[str]) -> None:
        remedy = (
            "Set it to the output `airflow_variable` of the Terraform module, "
            "or mend the keys named here."
        )
        super().__init__(
            "\n".join([f"The Airflow variable {VARIABLE!r} cannot be used.", *faults, remedy])
        )


def read_variable() -> str:
    """The text of the variable, from the environment or from Airflow.

    A variable at the top of a DAG file is asked for at every parse, so it should be few and cheap.
    Here it cannot be a template that is rendered later, because the settings say which DAGs there
    are: hence one variable for all of them. The environment comes first, and past Airflow's own
    look-up, which would ask a secrets backend (AWS charges for that) before it. Whoever can set
    AIRFLOW_VAR_DBT_ECS saves even the one look-up.
    """
    text = os.environ.get(f"AIRFLOW_VAR_{VARIABLE.upper()}") or Variable.get(VARIABLE, None)
    if not text:
        raise SettingsError(
            [
                f"It is not set, neither in Airflow nor as AIRFLOW_VAR_{VARIABLE.upper()} in "
                f"the environment.",
                "(Commands of Airflow 3 that parse DAGs by themselves, "
                "such as `airflow dags test`, see only the environment.)",
            ]
        )
    return text


class Broken(NamedTuple):
    """An entry of the variable that cannot be used."""

    dag_id: str
    entry: dict[str, Any]
    faults: list[str]


def load_settings(text: str) -> tuple[list[dict[str, Any]], list[Broken]]:
    """One set of settings for each DAG, and the entries that make none. The variable holds one such
    object, or several under names of their own.
    """
    try:
        value = json.loads(text)
    except ValueError as error:
        raise SettingsError([f"It is not JSON: {error}"]) from None
    if not isinstance(value, dict) or not value:
        raise SettingsError(["It is not a JSON object with settings."])
    # No setting is an object itself, so an object inside can only be a set of settings.
    several = any(isinstance(entry, dict) for entry in value.values())
    entries = value if several else {"": value}
    ids = {name: dag_id_of(name, entry) for name, entry in entries.items()}
    defaults = {key: rule["default"] for key, rule in OPTIONAL.items()}
    good: list[dict[str, Any]] = []
    bad: dict[str, Broken] = {}
    for name, entry in entries.items():
        faults = list(faults_of(name, entry))
        if list(ids.values()).count(ids[name]) > 1:
            faults.append(f"{ids[name]}: two entries have this project and env")
        if not faults:
            good.append(defaults | entry)
        elif not several and ids[name] == "dbt_":
            raise SettingsError(faults)
        else:
            broken = Broken(ids[name], entry if isinstance(entry, dict) else {}, faults)
            known = bad.setdefault(ids[name], broken)
            known.faults.extend(fault for fault in faults if fault not in known.faults)
    return good, list(bad.values())


def dag_id_of(name: str, entry: Any) -> str:
    """The id of the DAG that an entry makes, or would make if it were right: of its own project and
    environment where they can be read, so that it is the DAG that people know.
    """
    known = isinstance(entry, dict) and all(
        isinstance(entry.get(key), str) and re.fullmatch(NAME["pattern"], entry[key])
        for key in ("project", "env")
    )
    if known and len(dag_id(entry)) <= 200:
        return dag_id(entry)
    return re.sub(r"[^A-Za-z0-9_.-]", "_", f"dbt_{name}")[:200]


def faults_of(name: str, entry: Any) -> Iterator[str]:
    place = f"{name}." if name else ""
    if not isinstance(entry, dict):
        yield f"{name}: not an object with settings"
        return
    for key in REQUIRED.keys() - entry.keys():
        yield f"{place}{key}: missing; it is {REQUIRED[key]['description']}"
    for key in entry.keys() - KEYS.keys():
        yield f"{place}{key}: unknown; the keys are {', '.join(KEYS)}"
    for key in KEYS.keys() & entry.keys():
        for error in jsonschema.Draft202012Validator(KEYS[key]).iter_errors(entry[key]):
            yield f"{place}{key}: {error.message}; it is {KEYS[key]['description']}"
    schedule = entry.get("schedule")
    if isinstance(schedule, str) and not is_schedule(schedule):
        yield (
            f"{place}schedule: {schedule!r} is neither a cron line nor one of {', '.join(PRESETS)}"
        )
    if not is_time_zone(entry.get("timezone", "UTC")):
        yield (
            f"{place}timezone: there is no time zone {entry['timezone']!r}; "
            f"it is a name such as Europe/Berlin"
        )


def is_schedule(text: str) -> bool:
    return text in PRESETS if text.startswith("@") else croniter.is_valid(text)


def is_time_zone(name: Any) -> bool:
    try:
        pendulum.timezone(str(name))
    except (ValueError, OSError):
        return False
    return True


def dag_id(settings: dict[str, Any]) -> str:
    return f"dbt_{settings['project']}_{settings['env']}"
