"""Runs that fail: what the exit code decides, and what a person learns from the exception, XCom and Slack."""

import re

import pytest
from support.aws import wait_for
from support.network import forward, free_port


@pytest.mark.every_airflow
def test_failing_dbt_test(scheduler, project, slack):
    """A test of the real dbt fails: no retry, and its name is in the exception, in XCom and in Slack."""
    project.with_real_dbt()
    (project.folder / "tests/there_are_no_orders.sql").write_text("select * from {{ ref('fct_orders') }}\n")
    output = scheduler.run(project.settings(retries=3), params={"steps": ["deps", "run", "test"]})
    assert scheduler.state() == ("failed", 1), output
    node = "test.shop.there_are_no_orders"
    exception = re.search(r"exit code 1: a model or a test failed.*?log: /dbt/\S+: ecs/dbt/\w+", output, re.DOTALL)
    assert exception, output
    assert f"test: {node}: Got" in exception[0]
    assert re.search(rf"ledger: s3://dbt-documentation-dev/{project.name}/runs/\S+/", exception[0])
    line = scheduler.xcom()
    assert line == project.summary()
    assert [failed["node"] for failed in line["failed"]] == [node]
    assert "index.html" not in project.published()
    (post,) = slack.posts
    assert post["path"] == "/services/T000/B000/a-secret-token"
    assert f"dbt_{project.name}_dev" in post["text"]
    assert node in post["text"]
    assert "steps: test (failed)" in post["text"]
    assert "a-secret-token" not in output


def test_unreachable_aws_is_tried_again(scheduler, project, lab, slack):
    """Exit code 69: the first try finds nobody at Glue's address, the next one does, and the run succeeds."""
    port = free_port()
    project.environment["AWS_ENDPOINT_URL_GLUE"] = f"http://127.0.0.1:{port}"
    process, output = scheduler.start(project.settings(retries=2, retry_delay_seconds=3))
    wait_for(lambda: lab.events("stopped", exit_code=69) and project.tasks(), "the first try's end")
    forward(port, lab.endpoint)
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


def test_unreachable_aws_fails_in_the_end(scheduler, project, slack):
    """When the tries are used up, the task fails, and only then Slack is told."""
    project.environment["AWS_ENDPOINT_URL_GLUE"] = "http://127.0.0.1:9"
    output = scheduler.run(project.settings(retries=1))
    assert scheduler.state() == ("failed", 2), output
    assert len(project.tasks()) == 2
    (post,) = slack.posts
    assert "exit code 69" in post["text"]
    assert scheduler.xcom()["exit_code"] == 69


def test_container_that_cannot_start(scheduler, project, slack):
    """Nothing has run, so it is tried again; then ECS's own reason is what people get."""
    project.entry_point = ["/no/such/program"]
    output = scheduler.run(project.settings(retries=1))
    assert scheduler.state() == ("failed", 2), output
    assert "ECS could not start the container: CannotStartContainerError" in output
    assert scheduler.xcom() is None
    (post,) = slack.posts
    assert "CannotStartContainerError" in post["text"]
    assert "There is no closing line" in post["text"]


def test_missing_task_definition(scheduler, project):
    """RunTask itself fails: what AWS says is what people get."""
    output = scheduler.run(project.settings(task_definition="nowhere", retries=0))
    assert scheduler.state() == ("failed", 1), output
    assert "RunTask operation" in output
