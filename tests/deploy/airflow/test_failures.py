"""Runs that fail: what the exit code decides, and what a person learns from the exception, XCom and Slack."""

import re
import socket
import threading

import pytest
from support.aws import wait_for


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


def broken_setting(project):
    project.environment["DBT_ENTRYPOINT_PUBLISH"] = "perhaps"


def missing_connection(project):
    project.environment["DBT_ENTRYPOINT_CREDENTIALS"] = "glue:elsewhere"


def no_credentials(project):
    project.environment["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = ""
    project.environment["AWS_EC2_METADATA_DISABLED"] = "true"


def missing_bucket(project):
    project.environment["DBT_ENTRYPOINT_DESTINATION"] = "s3://there-is-no-such-bucket/shop"


def dbt_cannot_go_on(project):
    project.script(("run", "stderr", "Parsing Error"), ("run", "exit", "2"))


def dbt_is_killed(project):
    project.script(("run", "kill", "9"))


def dbt_is_missing(project):
    project.environment["DBT_ENTRYPOINT_DBT"] = "/nowhere/dbt"


def own_code(project):
    project.script(("run", "exit", "42"))


@pytest.mark.parametrize(
    ("code", "breaks", "says"),
    [
        (64, broken_setting, "perhaps"),
        (65, missing_connection, "elsewhere"),
        (77, no_credentials, "no AWS credentials"),
        (74, missing_bucket, "there-is-no-such-bucket"),
        (2, dbt_cannot_go_on, "steps: run (failed)"),
        (137, dbt_is_killed, "Memory ran out"),
        (127, dbt_is_missing, "/nowhere/dbt"),
        (42, own_code, "a code of its own"),
    ],
    ids=lambda value: value if isinstance(value, int) else "",
)
def test_no_retry(scheduler, project, code, breaks, says):
    """What would only fail again is not tried again, and the exception says what to do."""
    breaks(project)
    output = scheduler.run(project.settings(retries=3))
    assert scheduler.state() == ("failed", 1), output
    assert f"exit code {code}: " in output
    exception = output[output.index(f"exit code {code}: ") :]
    assert says in exception, output
    assert len(project.tasks()) == 1
    assert scheduler.xcom()["exit_code"] == code


def test_unreachable_aws_is_tried_again(scheduler, project, lab, slack):
    """Exit code 69: the first try finds nobody at Glue's address, the next one does, and the run succeeds."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
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


def forward(port, endpoint):
    """From now on, whoever connects to that port talks to the endpoint."""
    host, _, to = endpoint.removeprefix("http://").rpartition(":")
    listener = socket.create_server(("127.0.0.1", port))

    def pump(source, sink):
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)

    def accept():
        while True:
            client, _ = listener.accept()
            server = socket.create_connection((host, int(to)))
            threading.Thread(target=pump, args=(client, server), daemon=True).start()
            threading.Thread(target=pump, args=(server, client), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
