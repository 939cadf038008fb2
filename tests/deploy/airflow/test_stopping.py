"""Runs that are stopped."""

import signal

from support import network
from support.aws import wait_for


def test_execution_timeout(scheduler, project, lab, slack):
    """ECS takes long to start the container, so Airflow's timeout comes before the runner's
    deadline: stopped, and waited for.
    """
    project.hang()
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


def test_task_is_killed(scheduler, project, lab):
    """Who marks the task as failed makes Airflow send SIGTERM to it: the container is stopped, in
    order.
    """
    ready = project.hang()
    process, output = scheduler.start(project.settings(retries=2))
    wait_for(ready.exists, "dbt's start")
    # The button to the log is there while the container runs. What Airflow 3 reads is an address.
    button = "_link_CloudWatchEventsLink" if scheduler.is_airflow_3 else "cloudwatch_events"
    wait_for(lambda: scheduler.xcom(key=button), "the button to the log")
    process.send_signal(signal.SIGTERM)
    process.wait(60)
    (task,) = project.tasks()
    wait_for(lambda: lab.events("stopped", task=task["task"], exit_code=143), "the container's end")
    assert lab.events("stop_task", task=task["task"])[0]["reason"] == "Task killed by the user"
    assert project.summary()["status"] == "cancelled", output.read_text()


def test_timeout_without_an_answer(scheduler, project, lab):
    """ECS does not stop the container: it is the end all the same, for another try would wait as
    long again.
    """
    gate = network.Gate(lab.endpoint)
    scheduler.environment["AWS_ENDPOINT_URL_ECS"] = gate.url
    gate.denied.add("StopTask")
    project.hang()
    project.environment["LAB_START_DELAY"] = "16"
    output = scheduler.run(
        project.settings(retries=2, start_timeout_seconds=1, deadline_seconds=10)
    )
    assert scheduler.state() == ("failed", 1), output
    assert (
        "AirflowFailException: the execution timeout of 0:00:23 passed, "
        "and whether the container has ended is not known" in output
    )
    assert "not authorized to perform: StopTask" in output
    assert "nobody waits for it: look in ECS" in output
    assert len(project.tasks()) == 1


def test_stopped_before_it_began(scheduler, project, lab, slack):
    """A person stops the task in ECS while it is still being started: that is no reason to start
    another one.
    """
    project.environment["LAB_START_DELAY"] = "8"
    process, output = scheduler.start(project.settings(retries=2))
    (task,) = wait_for(project.tasks, "the task")
    lab.client("ecs").stop_task(cluster="lab", task=task["task"], reason="not today")
    process.wait(60)
    assert scheduler.state() == ("failed", 1), output.read_text()
    assert lab.events("stopped", task=task["task"], exit_code=None, stop_code="UserInitiated")
    assert "AirflowFailException: it was stopped before it began: not today" in output.read_text()
    assert len(project.tasks()) == 1
    (post,) = slack.posts
    assert "it was stopped before it began: not today" in post["text"]
