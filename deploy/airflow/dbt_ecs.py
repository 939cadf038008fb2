"""Run dbt on ECS: one DAG for each project and environment that the Airflow variable `dbt_ecs`
names.

For Airflow 3, and for 2.10 with version 9 or later of the Amazon provider, which is all that it
needs (`airflow[amazon]`). The settings come from the output `airflow_variable` of the Terraform
module. `RUNBOOK` below is what an operator sees beside the DAG.
"""

from __future__ import annotations

import inspect
import json
import logging
import math
import os
import re
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any, NamedTuple

import jsonschema
import pendulum
import requests
from airflow.providers.amazon.aws.operators.ecs import EcsRunTaskOperator
from botocore.exceptions import BotoCoreError, ClientError
from croniter import croniter

try:
    from airflow.sdk import DAG, BaseOperator, Param, Variable
except ImportError:  # Airflow 2
    from airflow.models import DAG, BaseOperator, Param, Variable
try:
    from airflow.sdk import BaseHook
except ImportError:  # Airflow 2, and 3.0
    from airflow.hooks.base import BaseHook
try:
    from airflow.sdk.exceptions import (
        AirflowException,
        AirflowFailException,
        AirflowNotFoundException,
        AirflowTaskTimeout,
    )
except ImportError:  # Airflow 2, and 3.0 and 3.1
    from airflow.exceptions import (
        AirflowException,
        AirflowFailException,
        AirflowNotFoundException,
        AirflowTaskTimeout,
    )

log = logging.getLogger(__name__)

VARIABLE = "dbt_ecs"
TASK_ID = "dbt"

# ---- settings ------------------------------------------------------------------------------------

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


# ---- what a run may be told ----------------------------------------------------------------------

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


# ---- what became of it ---------------------------------------------------------------------------

# What the runner's exit codes mean and what to do: the table of the runner's README.
EXIT_CODES = {
    1: (
        "a model or a test failed, or dbt could not connect",
        "Mend what is named below, then run it again.",
    ),
    2: (
        "dbt could not go on",
        "Look at the end of the log: mostly the project does not parse, or dbt was interrupted.",
    ),
    64: (
        "the command line or a setting is wrong",
        "Mend what the message names: a param, or the task definition's environment.",
    ),
    65: (
        "the warehouse's login cannot be had",
        "The Glue Connection, secret or parameter is missing, incomplete or malformed.",
    ),
    69: (
        "AWS could not be reached, or kept throttling",
        "Nothing has run. If retries do not help: VPC endpoints, NAT, AWS's health.",
    ),
    70: ("a fault in the runner itself", "Report it, with the log."),
    74: (
        "dbt was done, but its artifacts could not be published",
        "The data are there; a retry would build all of it again. Look at "
        "the message: bucket, its policy, or a secret that was found in an artifact.",
    ),
    77: ("AWS denied access to the login", "Allow the task role what the message names."),
    124: (
        "the deadline or a step's timeout passed",
        "Find what is slow, or raise deadline_seconds with Terraform.",
    ),
    126: ("the program cannot be run", "The image is broken: look at how it was built."),
    127: ("the program was not found", "The image is broken: look at how it was built."),
    130: ("it was interrupted", "Somebody stopped it. Run it again when that is right."),
    137: (
        "it was killed",
        "Memory ran out (raise it with Terraform, or use fewer threads), "
        "or stopTimeout was too short.",
    ),
    143: (
        "it was stopped",
        "Somebody stopped it, or Airflow did. Run it again when that is right.",
    ),
}
UNKNOWN_CODE = ("a step ended with this code of its own", "Look at the end of the log.")

# The login could not be fetched because AWS did not answer: nothing has run, so trying again is
# safe and may help.
RETRY_EXIT_CODE = 69
# AWS took the machine away, which is nobody's decision about this run. It ends what runs there by
# SIGTERM, then SIGKILL: a container with another code had ended before.
TAKEN_AWAY_STOP_CODES = {"SpotInterruption", "TerminationNotice"}
TAKEN_AWAY_EXIT_CODES = {None, 137, 143}


def container_of(task: dict[str, Any], name: str) -> dict[str, Any]:
    return next((c for c in task.get("containers", []) if c.get("name") == name), {})


def exit_code(task: dict[str, Any], container_name: str) -> int | None:
    return container_of(task, container_name).get("exitCode")


def judge(
    task: dict[str, Any], container_name: str, line: dict[str, Any] | None
) -> tuple[int | None, bool, str]:
    """From what ECS says of a stopped task, and the closing line: the exit code, whether to try
    again, and what to tell people.
    """
    container = container_of(task, container_name)
    code = container.get("exitCode")
    reason = (
        "; ".join(filter(None, [task.get("stoppedReason"), container.get("reason")]))
        or "no reason given"
    )
    stop_code = task.get("stopCode", "")
    if code == 0:
        return code, False, "success"
    if stop_code == "TaskFailedToStart":
        return code, True, f"ECS could not start the container: {reason}"
    if stop_code in TAKEN_AWAY_STOP_CODES and code in TAKEN_AWAY_EXIT_CODES:
        return code, True, f"AWS took the container away ({stop_code}): {reason}"
    if code is None and stop_code == "UserInitiated":
        return code, False, f"it was stopped before it began: {reason}"
    if code is None:
        # It was neither ended nor stopped: the machine below it is gone.
        return code, True, f"the container was lost ({stop_code or 'no stop code'}): {reason}"
    # A step's own code is handed on, also one that has a meaning of the runner's.
    of_a_step = code == RETRY_EXIT_CODE and line is not None and line["status"] != "error"
    meaning, remedy = UNKNOWN_CODE if of_a_step else EXIT_CODES.get(code, UNKNOWN_CODE)
    return (
        code,
        code == RETRY_EXIT_CODE and not of_a_step,
        f"exit code {code}: {meaning} ({reason}). {remedy}",
    )


def closing_line(messages: list[str]) -> dict[str, Any] | None:
    """The runner's closing line, which is the last that it writes."""
    for message in reversed(messages):
        if not message.lstrip().startswith("{"):
            continue
        try:
            line = json.loads(message)
        except ValueError:
            continue
        if is_closing_line(line):
            return line
    return None


def is_closing_line(line: Any) -> bool:
    """Whether it has what is read of it here. Whoever prints something like it must not make the
    task fail in another way than it did.
    """
    texts = {"steps": ("name", "status"), "failed": ("step", "node", "message")}
    return (
        isinstance(line, dict)
        and {"status", "exit_code", "run_id"} <= line.keys()
        and all(
            isinstance(line.get(key), list)
            and all(
                isinstance(entry, dict) and all(isinstance(entry.get(name), str) for name in names)
                for entry in line[key]
            )
            for key, names in texts.items()
        )
        and all(isinstance(step.get("seconds"), int | float | None) for step in line["steps"])
    )


def believed(line: dict[str, Any] | None, code: int | None) -> dict[str, Any] | None:
    """The line, unless it contradicts the exit code: that is the word of ECS, and what looks like a
    closing line may be from a step.
    """
    return line if line and line["exit_code"] == code else None


def details(line: dict[str, Any] | None) -> list[str]:
    """What the closing line says of a failure, one item a line."""
    if line is None:
        return ["No closing line of the runner was found."]
    said = [f"runner: {line['error']}"] if line.get("error") else []
    steps = [f"{step['name']} ({step['status']})" for step in unhappy_steps(line)]
    said += [f"steps: {', '.join(steps)}"] if steps else []
    said += [f"{node['step']}: {node['node']}: {node['message']}" for node in line["failed"]]
    ledger = line.get("destination")
    return said + ([f"ledger: {ledger}/runs/{line['run_id']}/"] if ledger else [])


def unhappy_steps(line: dict[str, Any]) -> list[dict[str, Any]]:
    return [step for step in line["steps"] if step["status"] not in ("success", "skipped")]


# ---- the task ------------------------------------------------------------------------------------

# A variable of the container, by which a later try knows whether it continues an earlier one.
ROUND = "AIRFLOW_MAX_TRIES"


def round_of(task: dict[str, Any]) -> str | None:
    for container in task.get("overrides", {}).get("containerOverrides", []):
        for variable in container.get("environment") or []:
            if variable["name"] == ROUND:
                return variable["value"]
    return None


class DbtRun(EcsRunTaskOperator):
    """`EcsRunTaskOperator` for the runner: its exit code decides about retries, its closing line
    goes to XCom.

    The provider's operator fails in one way whatever the exit code, and hands a log line on only
    after a success.
    """

    # How often, and how many seconds apart, to look for the closing line: CloudWatch shows a line a
    # little after it was written.
    looks = (0, 2, 4)

    def __init__(
        self,
        *,
        container_name: str,
        role_arn: str | None,
        deadline_seconds: int,
        stop_timeout_seconds: int,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        # Set here, since earlier versions of the provider take no such argument: they learn the
        # name as they start a task, and have none after a reattachment.
        self.container_name = container_name
        self.role_arn = role_arn
        self.deadline_seconds = deadline_seconds
        self.stop_timeout_seconds = stop_timeout_seconds
        # Decided in `execute`: the provider would stop a healthy run because ECS could not be asked
        # for a while, also where the next try can find it again; and would leave one running that
        # the last try had found again.
        self.stop_task_on_failure = False
        self.timed_out = False
        self.round: str | None = None
        self.arn: str | None = None

    def execute(self, context: Any) -> dict[str, Any] | None:
        self.check_role()
        ti = context["ti"]
        # A person who clears the task raises the number of its last try, and wants another run;
        # Airflow that tries again by itself does not.
        self.round = str(ti.max_tries) if ti.try_number > 1 else None
        self.overrides = {
            "containerOverrides": [
                {
                    "name": self.container_name,
                    "command": command(context["params"], self.deadline_seconds),
                    "environment": [{"name": ROUND, "value": str(ti.max_tries)}],
                }
            ]
        }
        failure = task = None
        try:
            # Unwrapped, since Airflow 2 takes a call of the parent's `execute` for one from outside
            # of a task, and warns.
            inspect.unwrap(EcsRunTaskOperator.execute)(self, context)
        except Exception as error:
            failure = error
            task = self.stopped_task()
            if task is None:
                self.let_go(context)
                if self.timed_out:
                    raise AirflowFailException(
                        f"the execution timeout of {self.execution_timeout} passed, "
                        f"and whether the container has ended is not known: "
                        f"{error}\nLook in ECS for {self.arn}."
                    ) from error
                raise
        said = self.closing_line()
        code = exit_code(task, self.container_name) if task else 0
        line = believed(said, code)
        if said and not line:
            self.log.warning(
                "What looks like the closing line says exit code %s, and the container ended "
                "with %s: it is not believed.",
                said["exit_code"],
                code,
            )
        if failure and task:
            code, retry, message = judge(task, self.container_name, line)
            if code != 0:
                self.fail(context, line, retry, message, failure)
        if line is None:
            self.log.warning(
                "The run succeeded, but its closing line was not found in the log: "
                "XCom has nothing."
            )
        return line

    def check_role(self) -> None:
        """The connection has to assume the role of the settings, or all would be done with whatever
        rights the worker has.
        """
        extra = json.dumps(
            {
                key: value
                for key, value in (("role_arn", self.role_arn), ("region_name", self.region_name))
                if value
            }
        )
        add = f"airflow connections add {self.aws_conn_id} --conn-type aws --conn-extra '{extra}'"
        try:
            role = BaseHook.get_connection(self.aws_conn_id).extra_dejson.get("role_arn")
        except AirflowNotFoundException:
            raise AirflowFailException(
                f"There is no connection {self.aws_conn_id!r}. Remedy: {add}"
            ) from None
        if role != self.role_arn:
            raise AirflowFailException(
                f"The connection {self.aws_conn_id!r} assumes {role or 'no role'}, "
                f"and role_arn in the variable {VARIABLE!r} is "
                f"{self.role_arn or 'null'}: they have to be the same. Remedy: "
                # What is there is not overwritten.
                f"airflow connections delete {self.aws_conn_id} && {add}"
            )

    def _try_reattach_task(self, started_by: str) -> None:
        """The provider's look for a container that still runs; then for one that has ended while no
        worker was there to see it, whose result is taken over.
        """
        super()._try_reattach_task(started_by)
        if self.arn or not self.round:
            return
        arns = self.client.list_tasks(
            cluster=self.cluster, desiredStatus="STOPPED", startedBy=started_by
        )["taskArns"]
        if not arns:
            return
        tasks = self.client.describe_tasks(cluster=self.cluster, tasks=arns[:100])["tasks"]
        tasks = [task for task in tasks if self.round == round_of(task)]
        for task in sorted(tasks, key=lambda task: str(task.get("createdAt")))[-1:]:
            _, retry, message = judge(task, self.container_name or "", None)
            # What was stopped from outside has no result of its own.
            if not retry and task.get("stopCode") == "EssentialContainerExited":
                self.arn = task["taskArn"]
                self.log.info("Taking over what ended unseen: %s: %s", self.arn, message)

    def _wait_for_task_ended(self) -> None:
        """The provider's wait. When Airflow's timeout ends it, the container is stopped, and waited
        for until it has ended.

        Airflow would stop it too, but not wait: the end of the run would be missing in the log, and
        the next run could begin while dbt still cancels its queries.
        """
        try:
            super()._wait_for_task_ended()
        except AirflowTaskTimeout:
            self.timed_out = True
            self.log.warning(
                "The execution timeout of %s passed: stopping the container.",
                self.execution_timeout,
            )
            self.client.stop_task(
                cluster=self.cluster, task=self.arn, reason="Airflow's execution timeout passed"
            )
            self.waiter_max_attempts = math.ceil(
                (self.stop_timeout_seconds + 60) / self.waiter_delay
            )
            super()._wait_for_task_ended()

    def _check_success_task(self) -> None:
        arn = self.arn
        try:
            super()._check_success_task()
        finally:
            # Version 9.2 of the provider forgets it where the container could not start, and nobody
            # could look why.
            self.arn = arn

    def stopped_task(self) -> dict[str, Any] | None:
        """What ECS says of the task, if it was started, has stopped, and ECS answers."""
        if not self.arn:
            return None
        try:
            tasks = self.client.describe_tasks(cluster=self.cluster, tasks=[self.arn])["tasks"]
        except (BotoCoreError, ClientError):
            return None
        return next((task for task in tasks if task.get("lastStatus") == "STOPPED"), None)

    def let_go(self, context: Any) -> None:
        """ECS cannot be asked any more. While tries are left the container goes on, and the next
        one finds it; else it is stopped.
        """
        tries_left = context["ti"].try_number <= context["ti"].max_tries and not self.timed_out
        if not self.arn or tries_left:
            return
        try:
            self.on_kill()
        except (BotoCoreError, ClientError):
            self.log.exception(
                "The container %s may go on, and nobody waits for it: look in ECS.", self.arn
            )

    def closing_line(self) -> dict[str, Any] | None:
        if not self.task_log_fetcher:
            return None
        for seconds in self.looks:
            time.sleep(seconds)
            try:
                line = closing_line(
                    self.task_log_fetcher.get_last_log_messages(self.number_logs_exception)
                )
            except (BotoCoreError, ClientError) as error:
                self.log.warning("The end of the log cannot be read: %s", error)
                return None
            if line:
                return line
        return None

    def fail(
        self, context: Any, line: dict[str, Any] | None, retry: bool, message: str, cause: Exception
    ) -> None:
        if line:
            # The key that a success would have, so that callbacks and later tasks look in one
            # place.
            context["ti"].xcom_push(key="return_value", value=line)
        if self.timed_out:
            retry, message = (
                False,
                f"the execution timeout of {self.execution_timeout} passed; {message}",
            )
        stream = f"{self.awslogs_group}: {self._get_logs_stream_name()}"
        text = "\n".join([message, *details(line), f"log: {stream}"])
        raise (AirflowException if retry else AirflowFailException)(text) from cause


# ---- Slack ---------------------------------------------------------------------------------------


def escape(text: Any) -> str:
    """Text that Slack shows as it is: neither links and mentions (`<`), nor the end of the code
    that it stands in (a backtick).
    """
    text = str(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return text.replace("`", "'")


# Of a task whose worker vanished Airflow knows no exception: the DAG processor makes the callback,
# with a context without one.
WORKER_LOST = "the worker was lost; the container may go on: look in ECS"


def slack_text(context: Any, line: dict[str, Any] | None, failed: bool) -> str:
    """The message: of a success one line, of a failure the steps and nodes as well."""
    dag, run = escape(context["dag"].dag_id), escape(context["run_id"])
    if not failed:
        seconds = sum(step["seconds"] or 0 for step in line["steps"]) if line else 0
        warned = [escape(step["name"]) for step in unhappy_steps(line)] if line else []
        warnings = f" Warnings in: {', '.join(warned)}." if warned else ""
        return f":white_check_mark: *{dag}* succeeded in {seconds:.0f} s (`{run}`).{warnings}"
    # A traceback is of no use to whom this reaches, and an exception may be long.
    reason = escape(str(context.get("exception") or WORKER_LOST).partition("\n")[0])[:500]
    body = escape("\n".join(details(line)))[:2500]
    link = getattr(context["ti"], "log_url", None)
    more = f"\n<{escape(link)}|Log>" if link else ""
    return f":x: *{dag}* failed (`{run}`): `{reason}`\n```{body}```{more}"


def webhook(connection_id: str) -> str | None:
    """The URL, from a connection of the type Slack Incoming Webhook or HTTP: its host, and its
    password as the token.
    """
    try:
        connection = BaseHook.get_connection(connection_id)
    except AirflowNotFoundException:
        return None
    token = connection.password or ""
    if token.startswith(("https://", "http://")):
        return token
    base = connection.host or "https://hooks.slack.com/services"
    if "://" not in base:
        base = f"{connection.schema or 'https'}://{base}" + (
            f":{connection.port}" if connection.port else ""
        )
    return f"{base.rstrip('/')}/{token.lstrip('/')}".rstrip("/")


def pushed_line(ti: Any) -> dict[str, Any] | None:
    try:
        return ti.xcom_pull(task_ids=ti.task_id, key="return_value")
    except Exception:
        # A failure that can be told in part is told: not every Airflow lets the DAG processor read
        # XCom.
        log.exception("XCom cannot be read: Slack is told without the closing line.")
        return None


def slack(connection_id: str, *, failed: bool) -> Callable[[Any], None]:
    """A callback that posts to Slack where that connection exists. Whatever happens in it, the
    task's result stands.

    One for failures and one for successes, since the context of a call does not say which of both
    it is.
    """

    def post(context: Any) -> None:
        try:
            url = webhook(connection_id)
            if url is None:
                log.info("No connection %r: nothing is posted to Slack.", connection_id)
                return
            line = pushed_line(context["ti"])
            # Plainly by `requests`, which comes with the Amazon provider: the HTTP provider's hook
            # logs the URL, and this URL is a secret. A Slack provider would be one more thing to
            # install.
            requests.post(
                url, json={"text": slack_text(context, line, failed)}, timeout=10
            ).raise_for_status()
        except requests.RequestException as error:
            # The kind alone, since the message has the URL in it.
            status = error.response.status_code if error.response is not None else "no answer"
            log.warning(
                "Slack could not be told: %s (%s). The task's result stands.",
                type(error).__name__,
                status,
            )
        except Exception:
            log.exception("Slack could not be told. The task's result stands.")

    return post


# ---- the DAGs ------------------------------------------------------------------------------------

RUNBOOK = """
### dbt for {project} in {env}

Starts one container on ECS (cluster `{cluster}`, task definition `{task_definition}`), which
fetches the warehouse's login, runs dbt step by step, stops at the first failure and publishes the
docs. This task waits for it, shows its log, and ends as it ended.

| exit code | means | do |
| --- | --- | --- |
{codes}

Airflow tries again by itself ({retries} times) after {retry_code}, when ECS could not start the
container, and when AWS took it away. After anything else it does not: it would fail again, or build
again what is there.

* **What failed**: the end of the task's log, and Slack. The same is in XCom as `return_value`:
  `failed`, `steps`, `error`.
* **Run a part again**: *Trigger*, and fill in the params: `select` = `orders+`, `steps` = `run`,
  `test`. By the command line:
  `airflow dags trigger {dag_id} --conf '{{"select": "orders+", "steps": ["run", "test"]}}'`.
  No secrets there: all can read them. A run that is only to be repeated: *Clear* the task.
* **Stop**: mark the task as failed. The container gets SIGTERM, dbt cancels its queries, the ledger
  is written; that takes up to {stop_timeout_seconds} s. Wait for that before you start the next
  one. One run at a time: a second one waits.
* **A worker died**: the container goes on. The next try finds it and waits for it, or, if it has
  ended by then, takes over its result. (ECS remembers what has ended for an hour.) Without a try
  left nobody waits for it, and Slack says that the worker was lost: look
  in ECS, and let it end (or stop it) before you start the next run.
* **Log**: CloudWatch, group `{awslogs_group}`, streams
  `{awslogs_stream_prefix}/{container_name}/<ECS task id>`.
* **Ledger**: `runs/<run_id>/` below `destination` of the XCom: results of each step,
  `summary.json`. Also after a failure.
* **Times**: the runner ends the run after {deadline_seconds} s (exit code 124). Should it not get
  that far, because ECS takes long to start it, Airflow stops it after
  {execution_timeout_seconds} s.
* **Settings**: the Airflow variable `{variable}`, made by Terraform. Connections:
  `{aws_connection_id}`, which assumes the role `{role_arn}`, and `{slack_connection_id}`, without
  which nothing is posted.
"""


def build_dag(settings: dict[str, Any]) -> DAG:
    # The runner ends by itself at its deadline and within the stop timeout, so this strikes only
    # where it never got to run.
    execution_timeout = timedelta(
        seconds=sum(
            settings[f"{what}_seconds"] for what in ("start_timeout", "deadline", "stop_timeout")
        )
    )
    # A container that Airflow stopped may take its stop timeout to end, and the next try must not
    # begin before.
    retry_delay = timedelta(
        seconds=settings["retry_delay_seconds"] or settings["stop_timeout_seconds"] + 60
    )
    codes = "\n".join(
        f"| {code} | {meaning} | {remedy} |" for code, (meaning, remedy) in EXIT_CODES.items()
    )
    with DAG(
        dag_id(settings),
        description=f"dbt for {settings['project']} in {settings['env']}, on ECS",
        doc_md=RUNBOOK.format(
            **settings,
            codes=codes,
            dag_id=dag_id(settings),
            variable=VARIABLE,
            retry_code=RETRY_EXIT_CODE,
            execution_timeout_seconds=int(execution_timeout.total_seconds()),
        ),
        schedule=settings["schedule"],
        start_date=pendulum.datetime(2024, 1, 1, tz=settings["timezone"]),
        catchup=False,
        # Two runs would build the same tables at the same time.
        max_active_runs=1,
        params=params(),
        tags=sorted({"dbt", settings["project"], settings["env"], *settings["tags"]}),
    ) as dag:
        DbtRun(
            task_id=TASK_ID,
            aws_conn_id=settings["aws_connection_id"],
            region_name=settings["region"],
            role_arn=settings["role_arn"],
            cluster=settings["cluster"],
            task_definition=settings["task_definition"],
            launch_type="FARGATE",
            # In the place of the launch type, of which ECS takes one.
            capacity_provider_strategy=settings["capacity_provider_strategy"] or None,
            # For the bill.
            propagate_tags="TASK_DEFINITION",
            container_name=settings["container_name"],
            overrides={},  # made from the params, in `execute`
            network_configuration={
                "awsvpcConfiguration": {
                    "subnets": settings["subnets"],
                    "securityGroups": settings["security_groups"],
                    "assignPublicIp": "ENABLED" if settings["assign_public_ip"] else "DISABLED",
                }
            },
            awslogs_group=settings["awslogs_group"],
            awslogs_region=settings["awslogs_region"],
            # With the container's name, since not every version of the provider adds it after a
            # reattachment; none does twice.
            awslogs_stream_prefix=f"{settings['awslogs_stream_prefix']}/{settings['container_name']}",
            awslogs_fetch_interval=timedelta(seconds=settings["poll_seconds"]),
            deadline_seconds=settings["deadline_seconds"],
            stop_timeout_seconds=settings["stop_timeout_seconds"],
            execution_timeout=execution_timeout,
            # The provider waits 70 days. A little longer than the timeout, which then comes first.
            waiter_delay=settings["poll_seconds"],
            waiter_max_attempts=math.ceil(
                execution_timeout.total_seconds() / settings["poll_seconds"]
            )
            + 6,
            reattach=True,
            # A deferred task saves a worker's slot, but nothing stops its container when somebody
            # stops the task, Airflow's timeout included, its log appears only at the end, and it
            # wants aiobotocore.
            deferrable=False,
            retries=settings["retries"],
            retry_delay=retry_delay,
            on_success_callback=slack(settings["slack_connection_id"], failed=False),
            on_failure_callback=slack(settings["slack_connection_id"], failed=True),
        )
    return dag


class Misconfigured(BaseOperator):
    """The task of a DAG whose settings cannot be used: it says what is wrong with them."""

    def __init__(self, *, faults: list[str], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.faults = faults

    def execute(self, context: Any) -> None:  # noqa: ARG002 Airflow hands it by its name.
        raise AirflowFailException(str(SettingsError(self.faults)))


def broken_dag(broken: Broken) -> DAG:
    """In the place of a DAG that cannot be made. One that vanished in silence would be found when
    its data are missed; this one keeps its schedule, if that can be read, and fails by it.
    """
    entry = broken.entry
    schedule = entry.get("schedule")
    zone = entry.get("timezone", "UTC")
    slack_connection = entry.get("slack_connection_id")
    if not isinstance(slack_connection, str):
        slack_connection = OPTIONAL["slack_connection_id"]["default"]
    with DAG(
        broken.dag_id,
        description="Its settings cannot be used: its task says what is wrong",
        doc_md=f"```text\n{SettingsError(broken.faults)}\n```",
        schedule=schedule if isinstance(schedule, str) and is_schedule(schedule) else None,
        start_date=pendulum.datetime(2024, 1, 1, tz=zone if is_time_zone(zone) else "UTC"),
        catchup=False,
        max_active_runs=1,
        tags=["dbt", "misconfigured"],
    ) as dag:
        Misconfigured(
            task_id=TASK_ID,
            faults=broken.faults,
            on_failure_callback=slack(slack_connection, failed=True),
        )
    return dag


def build_dags(text: str) -> None:
    """All DAGs of the variable. What is wrong with one entry is told by that one's DAG alone."""
    good, bad = load_settings(text)
    for settings in good:
        build_dag(settings)
    for broken in bad:
        broken_dag(broken)


build_dags(read_variable())
