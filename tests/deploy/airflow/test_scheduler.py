"""All of Airflow: scheduler, executor, DAG processor and API server, with the variable in Airflow's
database.
"""

import json
import time

import pytest
from support.aws import SERVICE_ROLE, TASK_ROLE, wait_for
from support.services import Services

pytestmark = pytest.mark.only_airflow3


@pytest.fixture
def services(scheduler):
    running = Services(scheduler)
    yield running
    running.stop()


def test_a_scheduler_that_dies(scheduler, services, project, lab, slack):
    """Scheduler and worker are killed while dbt runs. Their successors find the container, and the
    run succeeds; once.
    """
    began = time.time()
    project.script(("run", "ready", ""), ("run", "wait-for", "go"))
    settings = {"one": project.settings(retries=1, retry_delay_seconds=1)}
    status, output = scheduler.command("variables", "set", "dbt_ecs", json.dumps(settings))
    assert status == 0, output
    dag_id = f"dbt_{project.name}_dev"
    services.start()
    wait_for(lambda: scheduler.query("select 1 from dag where dag_id = ?", dag_id), "the DAG", 240)
    status, output = scheduler.command("dags", "trigger", dag_id)
    assert status == 0, output
    wait_for((project.shared / "ready-run").exists, "dbt's start", 240)
    services.kill_scheduler()
    services.start_scheduler()
    wait_for(
        lambda: "Reattaching previously launched task" in services.task_log(),
        "the reattachment",
        240,
    )
    (project.shared / "go").touch()
    wait_for(lambda: scheduler.state() == ("success", 2), "the end", 240)
    (task,) = project.tasks()
    assert not lab.events("stop_task", task=task["task"])
    assert scheduler.xcom()["status"] == "success"
    assert project.summary() == scheduler.xcom()
    # A callback in a real worker gets the closing line, too: the time is that of its steps.
    wait_for(lambda: slack.posts, "the post")
    (post,) = slack.posts
    assert "succeeded in" in post["text"]
    assumed(lab, project, began)


def test_a_run_that_ends_unseen(scheduler, services, project, lab):
    """The container succeeds while no worker lives: the next try takes the result over. Who clears
    the task then, gets another run.
    """
    project.script(("run", "ready", ""), ("run", "wait-for", "go"))
    settings = {"one": project.settings(retries=1, retry_delay_seconds=1)}
    status, output = scheduler.command("variables", "set", "dbt_ecs", json.dumps(settings))
    assert status == 0, output
    dag_id = f"dbt_{project.name}_dev"
    services.start()
    wait_for(lambda: scheduler.query("select 1 from dag where dag_id = ?", dag_id), "the DAG", 240)
    status, output = scheduler.command("dags", "trigger", dag_id)
    assert status == 0, output
    wait_for((project.shared / "ready-run").exists, "dbt's start", 240)
    services.kill_scheduler()
    (project.shared / "go").touch()
    (task,) = project.tasks()
    wait_for(lambda: lab.events("stopped", task=task["task"], exit_code=0), "the container's end")
    services.start_scheduler()
    wait_for(lambda: scheduler.state() == ("success", 2), "the end", 240)
    assert len(project.tasks()) == 1
    assert "Taking over what ended unseen" in services.task_log()
    assert scheduler.xcom()["status"] == "success"
    assert project.summary() == scheduler.xcom()
    # The closing line is in the task's log as well.
    assert "run: success" in services.task_log().partition("Taking over")[2]
    status, output = scheduler.command("tasks", "clear", "--yes", dag_id)
    assert status == 0, output
    wait_for(lambda: len(project.tasks()) == 2, "another run", 240)
    wait_for(lambda: scheduler.state() == ("success", 3), "its end", 240)


def assumed(lab, project, began):
    """Airflow worked as the role that its connection names, and the container as its task's role;
    neither made a call more.
    """
    actions: dict[str, set] = {}
    for event in lab.events("call"):
        # Neither the tests' own calls count, nor those of other tests.
        if event["key"] != "test" and event["time"] >= began:
            # What Airflow is by itself has no role.
            actions.setdefault(event["role"] or event["key"], set()).add(event["action"])
    assert actions == {
        SERVICE_ROLE: {"ecs:ListTasks", "ecs:RunTask", "ecs:DescribeTasks", "logs:GetLogEvents"},
        # Nor does this count what S3 is asked for: moto answers it by other means.
        # STS says whose account it is, since the bucket has to belong to it; that needs no right.
        TASK_ROLE: {"glue:GetConnection", "sts:GetCallerIdentity"},
        "worker": {"sts:AssumeRole"},
    }
    assert project.published()
