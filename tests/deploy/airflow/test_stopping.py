"""Runs that are stopped, and those that lose sight of their container."""

import signal

from support import network
from support.aws import wait_for


def hang(project):
    """dbt goes on until it is interrupted. Returns the file that says it has begun."""
    project.script(("run", "until-sigint", "2 0"))
    return project.shared / "ready-run"


def test_execution_timeout(scheduler, project, lab, slack):
    """ECS takes long to start the container, so Airflow's timeout comes before the runner's deadline: stopped, and waited for."""
    hang(project)
    project.environment["LAB_START_DELAY"] = "16"
    settings = project.settings(retries=2, start_timeout_seconds=1, deadline_seconds=10)
    output = scheduler.run(settings)
    assert scheduler.state() == ("failed", 1), output
    (stop,) = lab.events("stop_task", task=project.tasks()[0]["task"])
    assert stop["reason"] == "Airflow's execution timeout passed"
    assert "AirflowFailException: the execution timeout of 0:00:23 passed; exit code 143" in output
    # What dbt says after the stop is in the task's log, too.
    assert "run: cancelled" in output
    line = scheduler.xcom()
    assert (line["status"], line["exit_code"]) == ("cancelled", 143)
    assert project.summary() == line
    (post,) = slack.posts
    assert "the execution timeout" in post["text"]


def test_deadline(scheduler, project, lab):
    """The runner ends by itself at the deadline that the settings name, and that is not tried again."""
    hang(project)
    output = scheduler.run(project.settings(retries=2, deadline_seconds=4))
    assert scheduler.state() == ("failed", 1), output
    assert "exit code 124: the deadline or a step's timeout passed" in output
    assert not lab.events("stop_task", task=project.tasks()[0]["task"])
    assert project.summary()["status"] == "timed_out"


def test_task_is_killed(scheduler, project, lab):
    """Who marks the task as failed makes Airflow send SIGTERM to it: the container is stopped, in order."""
    ready = hang(project)
    process, output = scheduler.start(project.settings(retries=2))
    wait_for(ready.exists, "dbt's start")
    process.send_signal(signal.SIGTERM)
    process.wait(60)
    (task,) = project.tasks()
    wait_for(lambda: lab.events("stopped", task=task["task"], exit_code=143), "the container's end")
    assert lab.events("stop_task", task=task["task"])[0]["reason"] == "Task killed by the user"
    assert project.summary()["status"] == "cancelled", output.read_text()


def test_ecs_out_of_sight(scheduler, project, lab):
    """ECS does not answer for a while: the next try finds the container and waits for it, and no second one is started."""
    gate = network.Gate(lab.endpoint)
    scheduler.environment["AWS_ENDPOINT_URL_ECS"] = gate.url
    project.script(("run", "ready", ""), ("run", "wait-for", "go"))
    process, output = scheduler.start(project.settings(retries=1, retry_delay_seconds=2))
    wait_for((project.shared / "ready-run").exists, "dbt's start")
    gate.denied.add("DescribeTasks")
    wait_for(lambda: scheduler.state()[0] == "up_for_retry", "the first try's end")
    gate.denied.clear()
    wait_for(lambda: "Reattaching previously launched task" in output.read_text(), "the second try")
    (project.shared / "go").touch()
    process.wait(60)
    assert scheduler.state() == ("success", 2), output.read_text()
    (task,) = project.tasks()
    assert not lab.events("stop_task", task=task["task"])
    assert scheduler.xcom()["status"] == "success"
    # The log of the container was read after the reattachment, too.
    assert "run: success" in output.read_text().partition("Reattaching")[2]


def test_ecs_out_of_sight_for_good(scheduler, project, lab):
    """When no try is left, nobody would look after the container: it is stopped."""
    gate = network.Gate(lab.endpoint)
    scheduler.environment["AWS_ENDPOINT_URL_ECS"] = gate.url
    ready = hang(project)
    process, output = scheduler.start(project.settings(retries=0))
    wait_for(ready.exists, "dbt's start")
    gate.denied.add("DescribeTasks")
    process.wait(60)
    assert scheduler.state() == ("failed", 1), output.read_text()
    assert "not authorized to perform: DescribeTasks" in output.read_text()
    (task,) = project.tasks()
    wait_for(lambda: lab.events("stopped", task=task["task"], exit_code=143), "the container's end")
