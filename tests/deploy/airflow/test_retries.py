"""Runs that a second try saves, and those that lose sight of their container."""

import json

import pytest
from support import network
from support.aws import REGION, SERVICE_ROLE, wait_for


def test_unreachable_aws_is_tried_again(scheduler, project, lab, slack):
    """Exit code 69: the first try finds nobody at Glue's address, the next one does, and the run
    succeeds.
    """
    port = network.free_port()
    project.environment["AWS_ENDPOINT_URL_GLUE"] = f"http://127.0.0.1:{port}"
    process, output = scheduler.start(project.settings(retries=2, retry_delay_seconds=3))
    wait_for(lambda: lab.events("stopped", exit_code=69) and project.tasks(), "the first try's end")
    network.forward(port, lab.endpoint)
    process.wait(120)
    text = output.read_text()
    assert scheduler.state()[0] == "success", text
    first, *later = project.tasks()
    assert later, text
    assert "exit code 69: AWS could not be reached" in text
    assert lab.events("stopped", task=first["task"], exit_code=69)
    # Not a word of what mended itself; one of the success.
    (post,) = slack.posts
    assert "succeeded" in post["text"]


def test_ecs_out_of_sight(scheduler, project, lab):
    """ECS does not answer for a while: the next try finds the container and waits for it, and no
    second one is started.
    """
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
    ready = project.hang()
    process, output = scheduler.start(project.settings(retries=0))
    wait_for(ready.exists, "dbt's start")
    gate.denied.add("DescribeTasks")
    process.wait(60)
    assert scheduler.state() == ("failed", 1), output.read_text()
    assert "not authorized to perform: DescribeTasks" in output.read_text()
    (task,) = project.tasks()
    wait_for(lambda: lab.events("stopped", task=task["task"], exit_code=143), "the container's end")


@pytest.fixture
def later_try(dbt_ecs, connect, monkeypatch, project, lab):
    """Makes a task of which an earlier try has ended, as a container of this script and code."""
    connect("aws_dbt", conn_type="aws", extra={"role_arn": SERVICE_ROLE, "region_name": REGION})
    monkeypatch.setenv("AWS_ENDPOINT_URL", lab.endpoint)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "worker")

    def make(*script, of_round="2", stop=False, then=()):
        project.script(*script)
        (settings,), _ = dbt_ecs.load_settings(json.dumps(project.settings()))
        started = end(*script, of_round=of_round, stop=stop)
        for later in then:
            end(later, of_round=of_round)
        task = dbt_ecs.build_dag(settings).get_task("dbt")
        task.round = "2"
        task.overrides = {"containerOverrides": [{"command": ["run"]}]}
        task._try_reattach_task(project.name[:36])
        return started, task.arn, task.overrides["containerOverrides"][0]["command"]

    def end(*script, of_round, stop=False):
        project.script(*script)
        variables = [{"name": dbt_ecs.ROUND, "value": of_round}] if of_round else []
        ecs = lab.client("ecs")
        started = ecs.run_task(
            cluster="lab",
            launchType="FARGATE",
            networkConfiguration={
                "awsvpcConfiguration": {"subnets": [lab.subnet], "securityGroups": [lab.group]}
            },
            taskDefinition=project.name,
            startedBy=project.name[:36],
            overrides={"containerOverrides": [{"name": "dbt", "environment": variables}]},
        )["tasks"][0]["taskArn"]
        if stop:
            wait_for((project.shared / "ready-run").exists, "dbt's start")
            ecs.stop_task(cluster="lab", task=started, reason="the worker was told to go")
        wait_for(lambda: lab.events("stopped", task=started.rpartition("/")[2]), "its end")
        return started

    return make


def test_a_success_that_nobody_saw(later_try):
    started, found, command = later_try()
    assert found == started
    assert command == ["run"]


def test_a_run_that_was_killed_is_finished(later_try):
    """Also where a person clears the task after memory ran out: the runner builds what is left."""
    _, found, command = later_try(("run", "exit", "137"), of_round="1")
    assert found is None
    assert_resumes(command)


@pytest.mark.parametrize("code", ["69", "75"])
def test_a_try_between_that_did_nothing_changes_nothing(later_try, code):
    """The lease of a run that was killed holds for its TTL: the next try may come too early."""
    _, _, command = later_try(("run", "exit", "137"), of_round="1", then=[("run", "exit", code)])
    assert_resumes(command)


def test_a_try_between_that_has_failed_is_the_last_one(later_try):
    _, _, command = later_try(("run", "exit", "137"), of_round="1", then=[("run", "exit", "1")])
    assert command == ["run"]


def assert_resumes(command):
    """Of a container of a moment ago, and of no older run."""
    assert command[:2] == ["run", "--resume=last"]
    (within,) = command[2:]
    assert 60 < int(within.removeprefix("--resume-within=").removesuffix("s")) < 600


@pytest.mark.parametrize("code", ["1", "69", "75"])
def test_a_run_that_ended_by_itself_is_not_finished(later_try, code):
    _, _, command = later_try(("run", "exit", code), of_round="1")
    assert command == ["run"]


def test_a_failure_that_nobody_saw(later_try):
    """It would fail again, or it has to be looked at: trying again is no remedy either way."""
    started, found, _ = later_try(("run", "exit", "1"))
    assert found == started


@pytest.mark.parametrize("of_round", ["1", None])
def test_a_person_wants_another_run(later_try, of_round):
    _, found, _ = later_try(of_round=of_round)
    assert found is None


def test_what_was_stopped_has_no_result(later_try):
    _, found, command = later_try(("run", "until-sigint", "2 0"), stop=True)
    assert found is None
    assert command == ["run"]


def test_clearing_is_another_round(scheduler, project):
    """What tells a person's wish from Airflow's own try is Airflow's number of the last try."""
    output = scheduler.run(project.settings(retries=1))
    assert scheduler.state() == ("success", 1), output
    (before,) = scheduler.query("select max_tries from task_instance")[0]
    (task,) = project.tasks()
    environment = task["overrides"]["containerOverrides"][0]["environment"]
    assert environment == [{"name": "AIRFLOW_MAX_TRIES", "value": str(before)}]
    status, output = scheduler.command("tasks", "clear", "--yes", f"dbt_{project.name}_dev")
    assert status == 0, output
    (after,) = scheduler.query("select max_tries from task_instance")[0]
    assert after > before
