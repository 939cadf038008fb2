"""What would only fail again is not tried again, and the exception says what to do: one run for each exit code."""

import pytest
from conftest import DAG_FILE, ROOT
from support import airflow, aws, network


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
    74: (setting("DBT_ENTRYPOINT_DESTINATION", "s3://there-is-no-such-bucket/shop"), "there-is-no-such-bucket"),
    77: (denied, "glue:GetConnection"),
    127: (setting("DBT_ENTRYPOINT_DBT", "/nowhere/dbt"), "/nowhere/dbt"),
    137: (script(("run", "kill", "9")), "Memory ran out"),
    42: (script(("run", "exit", "42")), "a step ended with this code of its own"),
}


@pytest.fixture(scope="module")
def runs(lab, tmp_path_factory, home_template):
    """All of them, in one Airflow, from one variable."""
    folder = tmp_path_factory.mktemp("exit-codes")
    projects = {}
    for code, (breaks, _) in FAULTS.items():
        projects[code] = aws.Project(lab=lab, name=f"code-{code}", folder=folder / str(code), root=ROOT)
        breaks(projects[code])
    one = airflow.Airflow(template=home_template, home=folder / "airflow", lab=lab, dag_file=DAG_FILE)
    output = one.run_all({project.name: project.settings(retries=3) for project in projects.values()})
    return one, projects, output


@pytest.mark.parametrize("code", FAULTS)
def test_no_retry(runs, code):
    one, projects, outputs = runs
    dag_id = f"dbt_code-{code}_dev"
    output = outputs[dag_id]
    assert one.state(dag_id) == ("failed", 1), output
    assert f"AirflowFailException: exit code {code}: " in output
    exception = output[output.index(f"exit code {code}: ") :]
    assert FAULTS[code][1] in exception, output
    assert len(projects[code].tasks()) == 1
    assert one.xcom(dag_id)["exit_code"] == code
