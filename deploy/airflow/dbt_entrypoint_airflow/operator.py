"""Owns the operator: starts the container, waits for it, and ends as it ended."""

from __future__ import annotations

import inspect
import math
import time
from datetime import datetime, timedelta, timezone
from typing import Any

from airflow.providers.amazon.aws.operators.ecs import EcsRunTaskOperator
from botocore.exceptions import BotoCoreError, ClientError

from .assets import alias_of, update
from .bucket import read_ledger
from .ledger import table
from .links import LINKS, make_buttons
from .outcome import (
    believed,
    closing_line,
    details,
    ended_before_its_steps,
    exit_code,
    judge,
    places,
    was_cut_off,
)
from .params import command, params
from .places import (
    AirflowException,
    AirflowFailException,
    AirflowTaskTimeout,
)
from .role import check_role

# A variable of the container, by which a later try knows whether it continues an earlier one.
ROUND = "AIRFLOW_MAX_TRIES"
# What is older, the runner by default begins anew.
LONGEST_RESUME = timedelta(hours=6)


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
    operator_extra_links = LINKS

    def __init__(
        self,
        *,
        container_name: str,
        role_arn: str | None,
        deadline_seconds: int,
        stop_timeout_seconds: int,
        values: dict[str, Any] | None = None,
        docs_url: str | None = None,
        assets: list[str] | None = None,
        deployment: str = "",
        **kwargs: Any,
    ) -> None:
        # A deferred task saves a worker's slot, but its trigger does not stop the container when
        # somebody stops the task, Airflow's timeout included. Airflow's own default is not asked.
        if kwargs.setdefault("deferrable", False):
            raise AirflowException(
                "deferrable: neither version 9.2 nor 9.39 of the Amazon provider stops the "
                "container of a deferred task that somebody ends: dbt would go on, and nobody "
                "would wait for it. Leave deferrable out."
            )
        if assets:
            kwargs["outlets"] = [*(kwargs.get("outlets") or []), alias_of(deployment)]
        super().__init__(**kwargs)
        # Patterns of unique ids, and the project/env that they are of.
        self.assets = assets or []
        self.deployment = deployment
        # What this run is told (select, steps, vars, …); it comes before the params of the DAG.
        self.values = values or {}
        # Set here, since earlier versions of the provider take no such argument: they learn the
        # name as they start a task, and have none after a reattachment.
        self.container_name = container_name
        self.role_arn = role_arn
        self.deadline_seconds = deadline_seconds
        self.stop_timeout_seconds = stop_timeout_seconds
        self.docs_url = docs_url
        # Decided in `execute`: the provider would stop a healthy run because ECS could not be asked
        # for a while, also where the next try can find it again; and would leave one running that
        # the last try had found again.
        self.stop_task_on_failure = False
        self.timed_out = False
        # What the run has built, and why that is not known.
        self.built: list[str] = []
        self.why: str | None = None
        # The closing line, where it was found and is believed.
        self.line: dict[str, Any] | None = None
        self.round: str | None = None
        self.context: Any = None
        self.arn: str | None = None

    def execute(self, context: Any) -> dict[str, Any] | None:
        check_role(self)
        self.context = context
        ti = context["ti"]
        # A person who clears the task raises the number of its last try, and wants another run;
        # Airflow that tries again by itself does not.
        self.round = str(ti.max_tries) if ti.try_number > 1 else None
        self.overrides = {
            "containerOverrides": [
                {
                    "name": self.container_name,
                    "command": command(self.told(context["params"]), self.deadline_seconds),
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
        line = self.line = believed(said, code)
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
            self.why = "the closing line was not found in the log"
        else:
            for place in places(line):
                self.log.info("%s", place)
            self.show_nodes(line)
        if self.assets:
            if self.why:
                # Of a task that fails Airflow keeps no result.
                ti.xcom_push(key="return_value", value=line)
            update(context, self, self.built, self.why)
        return line

    def told(self, of_dag: Any) -> dict[str, Any]:
        """What this task was given, held to the same rules as the params of a DAG; and what the DAG
        was triggered with, where its params are these.
        """
        rules = params()
        unknown = sorted(self.values.keys() - rules.keys())
        if unknown:
            raise AirflowFailException(
                f"values: there is no {', '.join(unknown)}; the names are {', '.join(rules)}"
            )
        given = {name: of_dag[name] for name in rules if name in of_dag} | self.values
        return {name: rules[name].resolve(value) for name, value in given.items()}

    def _try_reattach_task(self, started_by: str) -> None:
        """The provider's look for a container that still runs; then for one that has ended while no
        worker was there to see it, whose result is taken over; then for one that was cut off, whose
        run is finished.
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
        if not tasks:
            return
        # Of the same task in the same run of the DAG, the last one first.
        tasks.sort(key=lambda task: str(task.get("createdAt")), reverse=True)
        task, name = tasks[0], self.container_name or ""
        _, retry, message = judge(task, name, None)
        # What was stopped from outside has no result of its own.
        has_result = not retry and task.get("stopCode") == "EssentialContainerExited"
        if self.round == round_of(task) and has_result:
            self.arn = task["taskArn"]
            self.log.info("Taking over what ended unseen: %s: %s", self.arn, message)
            return
        # Whatever ended before its first step has left all as it was.
        begun = next((task for task in tasks if not ended_before_its_steps(task, name)), None)
        if begun and was_cut_off(begun, name):
            # If that run cannot be finished, the runner says why, and runs everything. So it does
            # where that one left no record, and the last run is an older one.
            told = ["--resume=last"]
            if begun.get("createdAt"):
                age = datetime.now(timezone.utc) - begun["createdAt"]
                within = min(age + timedelta(minutes=1), LONGEST_RESUME)
                told.append(f"--resume-within={math.ceil(within.total_seconds())}s")
            overrides: Any = self.overrides
            overrides["containerOverrides"][0]["command"] += told
            _, _, message = judge(begun, name, None)
            self.log.info("Finishing what was cut off: %s: %s", begun["taskArn"], message)

    def _wait_for_task_ended(self) -> None:
        """The provider's wait. When Airflow's timeout ends it, the container is stopped, and waited
        for until it has ended.

        Airflow would stop it too, but not wait: the end of the run would be missing in the log, and
        the next run could begin while dbt still cancels its queries.
        """
        try:
            make_buttons(self.context, self)
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

    def show_nodes(self, line: dict[str, Any]) -> None:
        """The nodes of each step, from the ledger. Whatever happens here, the result stands."""
        found, self.built, self.why = read_ledger(self, line)
        for folder, of_step in found.items():
            if of_step:
                self.log.info("nodes of %s:", folder)
                for row in table(of_step):
                    self.log.info("%s", row)
        # A ledger elsewhere is nothing to be warned of.
        if self.why and str(line.get("destination")).startswith("s3://"):
            self.log.warning("Nodes are missing here: %s.", self.why)

    def fail(
        self, context: Any, line: dict[str, Any] | None, retry: bool, message: str, cause: Exception
    ) -> None:
        if line:
            # The key that a success would have, so that callbacks and later tasks look in one
            # place.
            context["ti"].xcom_push(key="return_value", value=line)
            self.show_nodes(line)
        if self.timed_out:
            retry, message = (
                False,
                f"the execution timeout of {self.execution_timeout} passed; {message}",
            )
        stream = f"{self.awslogs_group}: {self._get_logs_stream_name()}"
        text = "\n".join([message, *details(line), f"log: {stream}"])
        raise (AirflowException if retry else AirflowFailException)(text) from cause
