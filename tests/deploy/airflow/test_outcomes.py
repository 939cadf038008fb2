"""What a failed run leads to: one run for each exit code, and for each way not to get that far."""

import types

import pytest
from conftest import ROOT
from support import airflow, aws, network
from support.slack import Webhook


def setting(name, value):
    return lambda project: project.environment.update({name: value})


def script(*lines):
    return lambda project: project.script(*lines)


def denied(project):
    project.environment["AWS_ENDPOINT_URL_GLUE"] = network.deny("glue:GetConnection")


# By the exit code: what breaks, and a word that only this fault says.
FAULTS = {
    1: (script(("test", "exit", "1")), "steps: test (failed)"),
    2: (script(("run", "stderr", "Parsing Error"), ("run", "exit", "2")), "steps: run (failed)"),
    64: (setting("DBT_ENTRYPOINT_PUBLISH", "perhaps"), "perhaps"),
    65: (setting("DBT_ENTRYPOINT_CREDENTIALS", "glue:elsewhere"), "elsewhere"),
    74: (
        setting("DBT_ENTRYPOINT_DESTINATION", "s3://there-is-no-such-bucket/shop"),
        "there-is-no-such-bucket",
    ),
    77: (denied, "glue:GetConnection"),
    127: (setting("DBT_ENTRYPOINT_DBT", "/nowhere/dbt"), "/nowhere/dbt"),
    137: (script(("run", "kill", "9")), "Memory ran out"),
    124: (script(("run", "until-sigint", "2 0")), "deadline"),
    42: (script(("run", "exit", "42")), "a step ended with this code of its own"),
}


@pytest.fixture(scope="module")
def runs(lab, dag_file, tmp_path_factory, home_template):
    """All of them, in one Airflow, from one variable."""
    folder = tmp_path_factory.mktemp("outcomes")
    projects, settings = {}, {}

    def add(name, breaks=lambda _: None, **changes):
        projects[name] = aws.Project(lab=lab, name=name, folder=folder / name, root=ROOT)
        breaks(projects[name])
        settings[name] = projects[name].settings(
            **{"retries": 3, "deadline_seconds": 4 if name == "code-124" else 300, **changes}
        )

    for code, (breaks, _) in FAULTS.items():
        add(f"code-{code}", breaks)
    add("unreachable", setting("AWS_ENDPOINT_URL_GLUE", "http://127.0.0.1:9"), retries=1)
    add("step-69", script(("run", "exit", "69")))
    add(
        "cannot-start",
        lambda project: setattr(project, "entry_point", ["/no/such/program"]),
        retries=1,
    )
    add("no-definition", task_definition="nowhere", retries=0)
    add("other-role", role_arn="arn:aws:iam::123456789012:role/Other")
    add("no-connection", aws_connection_id="nowhere")
    one = airflow.Airflow(
        template=home_template, home=folder / "airflow", lab=lab, dag_file=dag_file
    )
    webhook = Webhook()
    one.connect("slack_dbt", **webhook.connection())
    output = one.run_all(settings)
    webhook.close()
    return types.SimpleNamespace(airflow=one, projects=projects, output=output, posts=webhook.posts)


def seen(runs, name):
    """State and number of the last try, output, the one post to Slack."""
    dag_id = f"dbt_{name}_dev"
    (post,) = [post["text"] for post in runs.posts if f"*{dag_id}*" in post["text"]]
    return runs.airflow.state(dag_id), runs.output[dag_id], post


@pytest.mark.parametrize("code", FAULTS)
def test_no_retry(runs, code):
    """What would only fail again is not tried again, and the exception says what to do."""
    name = f"code-{code}"
    state, output, post = seen(runs, name)
    assert state == ("failed", 1), output
    assert f"AirflowFailException: exit code {code}: " in output
    exception = output[output.index(f"exit code {code}: ") :]
    assert FAULTS[code][1] in exception, output
    assert len(runs.projects[name].tasks()) == 1
    assert runs.airflow.xcom(f"dbt_{name}_dev")["exit_code"] == code
    assert f"exit code {code}: " in post


def test_unreachable_aws(runs):
    """Exit code 69 is tried again. When the tries are used up the task fails, and only then Slack
    is told, once.
    """
    state, output, post = seen(runs, "unreachable")
    assert state == ("failed", 2), output
    assert len(runs.projects["unreachable"].tasks()) == 2
    assert "exit code 69" in post
    assert runs.airflow.xcom("dbt_unreachable_dev")["exit_code"] == 69


def test_step_that_ends_with_69(runs):
    """The code is handed on, but AWS was reached, and another try would build again what is
    there.
    """
    state, output, post = seen(runs, "step-69")
    assert state == ("failed", 1), output
    assert len(runs.projects["step-69"].tasks()) == 1
    assert "exit code 69: a step ended with this code of its own" in post
    assert "steps: run (failed)" in post
    assert runs.airflow.xcom("dbt_step-69_dev")["status"] == "failed"


def test_container_that_cannot_start(runs):
    """Nothing has run, so it is tried again; then ECS's own reason is what people get."""
    state, output, post = seen(runs, "cannot-start")
    assert state == ("failed", 2), output
    assert "ECS could not start the container: CannotStartContainerError" in output
    assert runs.airflow.xcom("dbt_cannot-start_dev") is None
    assert "CannotStartContainerError" in post
    assert "No closing line" in post


def test_missing_task_definition(runs):
    """RunTask itself fails: what AWS says is what people get."""
    state, output, post = seen(runs, "no-definition")
    assert state == ("failed", 1), output
    assert "RunTask operation" in output
    assert "RunTask operation" in post


@pytest.mark.parametrize(
    ("name", "says"),
    [
        (
            "other-role",
            "assumes arn:aws:iam::123456789012:role/DBTServiceRole-shop, "
            "and role_arn in the variable 'dbt_ecs' is",
        ),
        (
            "no-connection",
            "There is no connection 'nowhere'. Remedy: airflow connections add nowhere "
            "--conn-type aws",
        ),
    ],
)
def test_connection_of_another_role(runs, name, says):
    """Nothing is started with rights that nobody chose."""
    state, output, _ = seen(runs, name)
    assert state == ("failed", 1), output
    assert says in output
    assert not runs.projects[name].tasks()
