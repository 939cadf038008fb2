"""ECS that runs: RunTask starts the container's command as a process of this machine, and StopTask
stops it.

Of a task definition count: `entryPoint`, `command`, `environment`, `stopTimeout`,
`logConfiguration` and the task's role. The image does not: the command is taken from this machine.
What the process writes goes to moto's CloudWatch, its exit code to the container.
"""

import os
import signal
import subprocess
import threading
import time

from moto.ecs import models as ecs
from moto.logs.models import logs_backends
from moto.moto_api import state_manager

# Not a variable of ECS: how many seconds this ECS takes to start the container.
START_DELAY = "LAB_START_DELAY"

running: dict[str, "Run"] = {}


def run_for_real(events, roles, endpoint: str) -> None:
    # As moto has it, a task goes from state to state by being looked at.
    state_manager.set_transition("ecs::task", {"progression": "manual", "times": 1 << 31})
    backend = ecs.EC2ContainerServiceBackend
    plain = backend.run_task

    def run_task(self, *arguments, **keywords):
        tasks = plain(self, *arguments, **keywords)
        for task in tasks:
            # Which moto leaves out.
            task.created_at = time.time()
            run = running[task.id] = Run(
                task,
                self.describe_task_definition(task.task_definition_arn),
                events,
                roles,
                endpoint,
            )
            events(
                "run_task",
                task=task.id,
                started_by=task.started_by,
                overrides=task.overrides,
                network=getattr(task, "network_configuration", None),
            )
            threading.Thread(target=run.live, daemon=True).start()
        return tasks

    def stop_task(_backend, _cluster, task_str, reason):
        run = running[task_str.rpartition("/")[2]]
        events("stop_task", task=run.task.id, reason=reason)
        run.stop(reason or "Task stopped by user")
        return run.task

    backend.run_task = run_task
    backend.stop_task = stop_task


def kill_all() -> None:
    for run in running.values():
        if run.process and run.process.poll() is None:
            os.killpg(run.process.pid, signal.SIGKILL)


class Run:
    """One task from its start to its end. It has one container."""

    def __init__(self, task, definition, events, roles, endpoint: str) -> None:
        self.task, self.events = task, events
        self.process: subprocess.Popen[str] | None = None
        self.stop_reason: str | None = None
        self.container = definition.container_definitions[0]
        self.role = definition.task_role_arn
        self.roles, self.endpoint = roles, endpoint
        task.last_status = "PROVISIONING"
        task.containers[0].last_status = "PENDING"
        # Without a process there is no exit code, and ECS leaves it out.
        task.containers[0].exitCode = None

    def live(self) -> None:
        environment = self.environment()
        time.sleep(float(environment.pop(START_DELAY, "0.2")))
        if self.stop_reason:
            self.end(None, "UserInitiated", self.stop_reason)
            return
        options = self.container["logConfiguration"]["options"]
        stream = f"{options['awslogs-stream-prefix']}/{self.container['name']}/{self.task.id}"
        logs = logs_backends[self.task._account_id][options["awslogs-region"]]
        try:
            logs.create_log_stream(options["awslogs-group"], stream)
            self.process = subprocess.Popen(
                self.command(),
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                start_new_session=True,
            )
        except OSError as error:
            self.end(None, "TaskFailedToStart", f"CannotStartContainerError: {error}")
            return
        except Exception as error:
            self.end(
                None,
                "TaskFailedToStart",
                f"ResourceInitializationError: failed to validate logger args: {error}",
            )
            return
        self.task.last_status = self.task.containers[0].last_status = "RUNNING"
        self.events("running", task=self.task.id, pid=self.process.pid)
        for line in self.process.stdout:
            event = {"timestamp": int(time.time() * 1000), "message": line.rstrip("\n")}
            logs.put_log_events(options["awslogs-group"], stream, [event])
        status = self.process.wait()
        code = 128 - status if status < 0 else status
        if self.stop_reason:
            self.end(code, "UserInitiated", self.stop_reason)
        else:
            self.end(code, "EssentialContainerExited", "Essential container in task exited")

    def overridden(self) -> dict:
        overrides = self.task.overrides.get("containerOverrides", [])
        return next((one for one in overrides if one.get("name") == self.container["name"]), {})

    def command(self) -> list[str]:
        return [
            *self.container["entryPoint"],
            *(self.overridden().get("command") or self.container.get("command") or []),
        ]

    def environment(self) -> dict[str, str]:
        region = self.task.region_name
        given = [
            *(self.container.get("environment") or []),
            *(self.overridden().get("environment") or []),
        ]
        return {
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "AWS_REGION": region,
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": self.roles.admit(
                self.task.id, self.role, region, self.task._account_id
            ),
            "ECS_CONTAINER_METADATA_URI_V4": f"{self.roles.url}/v4/{self.task.id}",
            # Last, so that a test can take something away.
            **{entry["name"]: entry["value"] for entry in given},
        }

    def stop(self, reason: str) -> None:
        self.stop_reason = reason
        self.task.desired_status = "STOPPED"
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            seconds = self.container.get("stopTimeout", 30)
            threading.Thread(target=self.kill_after, args=(seconds,), daemon=True).start()

    def kill_after(self, seconds: float) -> None:
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)

    def end(self, code: int | None, stop_code: str, reason: str) -> None:
        container = self.task.containers[0]
        container.exitCode = code
        self.task.stop_code, self.task.stopped_reason = stop_code, reason
        self.task.desired_status = "STOPPED"
        container.last_status = "STOPPED"
        # Last: from here on, who looks sees a task that has ended.
        self.task.last_status = "STOPPED"
        self.events(
            "stopped", task=self.task.id, exit_code=code, stop_code=stop_code, reason=reason
        )
