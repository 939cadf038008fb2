"""Owns the DAGs: one for each set of settings, and what a DAG of one's own takes from here."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import Any

import pendulum

from .operator import DbtRun
from .outcome import EXIT_CODES, RETRY_EXIT_CODES
from .params import params
from .places import DAG, AirflowFailException, BaseOperator, TaskGroup
from .settings import (
    OPTIONAL,
    VARIABLE,
    Broken,
    SettingsError,
    dag_id,
    is_schedule,
    is_time_zone,
    load_settings,
    read_variable,
)
from .slack import slack

TASK_ID = "dbt"

RUNBOOK = """
### dbt for {project} in {env}

Starts one container on ECS (cluster `{cluster}`, task definition `{task_definition}`), which
fetches the warehouse's login, runs dbt step by step, stops at the first failure and publishes the
docs. This task waits for it, shows its log, and ends as it ended.

| exit code | means | do |
| --- | --- | --- |
{codes}

Airflow tries again by itself ({retries} times) after {retry_codes}, when ECS could not start the
container, and when AWS took it away. After anything else it does not: it would fail again, or build
again what is there. A try that follows a container that was killed (137), taken away or lost
finishes that run (`--resume=last`): what was built is not built again.

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
{docs}* **Ledger**: `runs/<run_id>/` below `destination` of the XCom: results of each step,
  `summary.json`. Also after a failure.
* **Times**: the runner ends the run after {deadline_seconds} s (exit code 124). Should it not get
  that far, because ECS takes long to start it, Airflow stops it after
  {execution_timeout_seconds} s.
* **Settings**: the Airflow variable `{variable}`, made by Terraform. Connections:
  `{aws_connection_id}`, which assumes the role `{role_arn}`, and `{slack_connection_id}`, without
  which nothing is posted.
"""


def timeouts(settings: dict[str, Any]) -> tuple[timedelta, timedelta]:
    """How long Airflow waits for a run, and before it tries again."""
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
    return execution_timeout, retry_delay


def dbt_run(settings: dict[str, Any], *, task_id: str = TASK_ID, **arguments: Any) -> DbtRun:
    """The task for one set of settings, in whatever DAG it stands. Further arguments are the
    operator's: `values={"select": "orders+"}`, `assets`, `outlets`, `trigger_rule`.
    """
    execution_timeout, retry_delay = timeouts(settings)
    given: dict[str, Any] = {
        "aws_conn_id": settings["aws_connection_id"],
        "region_name": settings["region"],
        "role_arn": settings["role_arn"],
        "cluster": settings["cluster"],
        "task_definition": settings["task_definition"],
        "launch_type": "FARGATE",
        # In the place of the launch type, of which ECS takes one.
        "capacity_provider_strategy": settings["capacity_provider_strategy"] or None,
        # For the bill.
        "propagate_tags": "TASK_DEFINITION",
        "container_name": settings["container_name"],
        "overrides": {},  # made from the params, in `execute`
        "network_configuration": {
            "awsvpcConfiguration": {
                "subnets": settings["subnets"],
                "securityGroups": settings["security_groups"],
                "assignPublicIp": "ENABLED" if settings["assign_public_ip"] else "DISABLED",
            }
        },
        "awslogs_group": settings["awslogs_group"],
        "awslogs_region": settings["awslogs_region"],
        # With the container's name, since not every version of the provider adds it after a
        # reattachment; none does twice.
        "awslogs_stream_prefix": "/".join(
            [settings["awslogs_stream_prefix"], settings["container_name"]]
        ),
        "awslogs_fetch_interval": timedelta(seconds=settings["poll_seconds"]),
        "deadline_seconds": settings["deadline_seconds"],
        "stop_timeout_seconds": settings["stop_timeout_seconds"],
        "docs_url": settings["docs_url"],
        "assets": settings["assets"],
        "deployment": f"{settings['project']}/{settings['env']}",
        "execution_timeout": execution_timeout,
        # The provider waits 70 days. A little longer than the timeout, which then comes first.
        "waiter_delay": settings["poll_seconds"],
        "waiter_max_attempts": math.ceil(
            execution_timeout.total_seconds() / settings["poll_seconds"]
        )
        + 6,
        "reattach": True,
        "retries": settings["retries"],
        "retry_delay": retry_delay,
        "on_success_callback": slack(settings["slack_connection_id"], failed=False),
        "on_failure_callback": slack(settings["slack_connection_id"], failed=True),
    }
    return DbtRun(task_id=task_id, **(given | arguments))


def dbt_task_group(
    settings: dict[str, Any], parts: dict[str, dict[str, Any]], *, group_id: str = TASK_ID
) -> TaskGroup:
    """Several runs, one after the other: `{"build": {"steps": ["build"]}, "docs": {"steps":
    ["docs"]}}`. Each is a container of its own, and is tried again by itself.
    """
    with TaskGroup(group_id) as group:
        before = None
        for task_id, values in parts.items():
            task = dbt_run(settings, task_id=task_id, values=values)
            if before is not None:
                before >> task
            before = task
    return group


def build_dag(settings: dict[str, Any], *, schedule: Any = None) -> DAG:
    """The DAG of one set of settings. A schedule given here (assets, a timetable) comes before that
    of the settings.
    """
    execution_timeout, _ = timeouts(settings)
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
            docs=f"* **Docs**: <{settings['docs_url']}>\n" if settings["docs_url"] else "",
            variable=VARIABLE,
            retry_codes=" or ".join(map(str, RETRY_EXIT_CODES)),
            execution_timeout_seconds=int(execution_timeout.total_seconds()),
        ),
        schedule=settings["schedule"] if schedule is None else schedule,
        start_date=pendulum.datetime(2024, 1, 1, tz=settings["timezone"]),
        catchup=False,
        # Two runs would build the same tables at the same time.
        max_active_runs=1,
        params=params(),
        tags=sorted({"dbt", settings["project"], settings["env"], *settings["tags"]}),
    ) as dag:
        dbt_run(settings)
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


def build_dags(text: str | None = None, *, schedule: Any = None) -> list[DAG]:
    """All DAGs of the variable, or of this text. What is wrong with one entry is told by that
    entry's DAG alone.
    """
    good, bad = load_settings(read_variable() if text is None else text)
    return [build_dag(each, schedule=schedule) for each in good] + [broken_dag(it) for it in bad]


def settings_of(project: str, env: str) -> dict[str, Any]:
    """The settings that the variable holds for one project and environment, for a DAG of one's
    own.
    """
    good, bad = load_settings(read_variable())
    for settings in good:
        if (settings["project"], settings["env"]) == (project, env):
            return settings
    wanted = dag_id({"project": project, "env": env})
    faults = [fault for broken in bad if broken.dag_id == wanted for fault in broken.faults]
    raise SettingsError(faults or [f"It has no entry with the project {project} and env {env}."])
