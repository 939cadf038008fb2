"""What a run may be told: it reaches dbt as it was typed, or is refused."""

import pytest
from airflow.exceptions import ParamValidationError

HOSTILE = """orders+ "it's" $(touch pwned) `touch pwned`; touch pwned"""


def test_params_are_arguments(scheduler, project):
    """Blanks, quotes and what a shell would run arrive in dbt as one argument."""
    params = {
        "select": HOSTILE,
        "exclude": "--not-an-option",
        "full_refresh": True,
        "steps": ["run", "test"],
        "vars": {"day": "2026-01-01", "note": HOSTILE, "jinja": "{{ 1 / 0 }}"},
    }
    output = scheduler.run(project.settings(), params=params)
    assert scheduler.state() == ("success", 1), output
    run, test = project.calls()
    assert (run["step"], test["step"]) == ("run", "test")
    arguments = run["args"]
    assert HOSTILE in arguments or f"--select={HOSTILE}" in arguments, arguments
    assert any(argument.endswith("--not-an-option") for argument in arguments)
    assert "--full-refresh" in arguments
    assert "--full-refresh" not in test["args"]
    assert any(
        '"jinja": "{{ 1 / 0 }}"' in argument and '"note": "orders+' in argument
        for argument in arguments
    ), arguments
    assert not list(project.folder.rglob("pwned"))
    assert not list(scheduler.home.rglob("pwned"))


def test_no_params(dbt_ecs):
    defaults = {name: param.resolve() for name, param in dbt_ecs.params().items()}
    assert dbt_ecs.command(defaults, 60) == ["run", "--deadline=60s"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("select", ""),
        ("select", ["orders"]),
        ("exclude", "x" * 2001),
        ("full_refresh", "yes"),
        ("steps", ["run", "drop"]),
        ("steps", "run"),
        ("vars", "day: today"),
        ("vars", {"api_token": "x"}),
        ("vars", {"PASSWORD": "x"}),
    ],
)
def test_bad_params_are_refused(dbt_ecs, name, value):
    with pytest.raises(ParamValidationError):
        dbt_ecs.params()[name].resolve(value)


def test_bad_params_start_nothing(scheduler, project):
    output = scheduler.run(project.settings(retries=0), params={"steps": ["drop"]})
    assert "'drop' is not one of" in output
    assert not project.tasks()


def test_a_trigger_with_bad_params_is_refused(scheduler, project):
    settings = project.settings()
    scheduler.set_variable(settings)
    dag_id = f"dbt_{project.name}_dev"
    status, output = scheduler.command("dags", "reserialize")
    assert status == 0, output
    status, output = scheduler.command(
        "dags", "trigger", dag_id, "--conf", '{"vars": {"api_token": "x"}}'
    )
    assert status != 0
    assert "api_token" in output
