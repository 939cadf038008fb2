"""The processes that make up an Airflow 3."""

import os
import signal
import subprocess

from support.airflow import PROGRAM
from support.network import free_port


class Services:
    def __init__(self, airflow):
        port = free_port()
        self.home, self.port, self.processes = airflow.home, port, {}
        self.environment = airflow.environment
        self.environment.update(
            {
                "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
                "AIRFLOW__CORE__PARALLELISM": "2",
                "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
                "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{port}/execution/",
                "AIRFLOW__API_AUTH__JWT_SECRET": "a secret of this test, long enough for the "
                "algorithm: 64 bytes or more of it",
                "AIRFLOW__API__SECRET_KEY": "another one",
                "AIRFLOW__API__WORKERS": "1",
                # How soon a scheduler counts as dead, and another one takes its tasks over; the
                # living one says so often enough. The time after which a task without heartbeats
                # counts as dead stays as it is: shorter, it hits those that are well.
                "AIRFLOW__SCHEDULER__JOB_HEARTBEAT_SEC": "2",
                "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": "25",
                "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "5",
            }
        )

    def start(self):
        self._start("api-server", "--port", str(self.port), "--apps", "execution")
        self._start("dag-processor")
        self.start_scheduler()

    def start_scheduler(self):
        self._start("scheduler")

    def kill_scheduler(self):
        """With all that it started: executor and task."""
        process = self.processes.pop("scheduler")
        for pid in descendants(process.pid):
            os.kill(pid, signal.SIGKILL)
        process.wait()

    def task_log(self):
        return "\n".join(
            path.read_text(errors="replace")
            for path in sorted((self.home / "logs").rglob("attempt=*.log"))
        )

    def stop(self):
        for process in self.processes.values():
            for pid in descendants(process.pid):
                os.kill(pid, signal.SIGKILL)
            process.wait()

    def _start(self, *command):
        log = (self.home / f"{command[0]}.log").open("ab")
        self.processes[command[0]] = subprocess.Popen(
            [PROGRAM, *command],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def descendants(pid):
    """The process and all that descend from it, children first to be found, whatever group or
    session they are in.
    """
    found = [pid]
    children = subprocess.run(
        ["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=True
    ).stdout.split()
    pairs = list(zip(map(int, children[::2]), map(int, children[1::2])))
    for parent in found:
        found += [child for child, its_parent in pairs if its_parent == parent]
    return found
