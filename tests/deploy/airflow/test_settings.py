"""The settings: from one variable, all faults at once, each with its key and what it should be."""

import json

import pytest
from support.settings import GOOD


def without(key):
    return {name: value for name, value in GOOD.items() if name != key}


def test_two_projects_make_two_dags(scheduler):
    scheduler.set_variable({"shop_live": GOOD, "shop_dev": {**GOOD, "env": "dev"}})
    assert {dag["dag_id"] for dag in dags(scheduler)} == {"dbt_shop_live", "dbt_shop_dev"}


def test_a_bad_entry_fails_alone(scheduler, project, slack):
    """A good entry's DAG runs; that of the bad one is there, and its task says what is wrong."""
    bad = {**without("cluster"), "schedule": "0 5 * * *"}
    settings = {"good": project.settings(), "bad": bad}
    scheduler.set_variable(settings)
    assert "No data found" in import_errors(scheduler)
    output = scheduler.run_all({"good": settings["good"], "bad": bad}, variable=settings)
    assert scheduler.state(f"dbt_{project.name}_dev") == ("success", 1), output
    assert scheduler.state("dbt_shop_live")[0] == "failed"
    said = output["dbt_shop_live"]
    assert "AirflowFailException: The Airflow variable 'dbt_ecs' cannot be used." in said
    assert "bad.cluster: missing; it is name or ARN of the ECS cluster" in said
    assert "airflow_variable" in said
    assert any("dbt_shop_live* failed" in post["text"] for post in slack.posts), slack.posts


def test_missing_variable_is_an_import_error(scheduler):
    assert "AIRFLOW_VAR_DBT_ECS" in import_errors(scheduler)


def dags(scheduler):
    scheduler.command("dags", "reserialize")
    _, output = scheduler.command("dags", "list", "-o", "json")
    assert "[{" in output, output
    return json.loads(output[output.index("[{") :])


def import_errors(scheduler):
    # Airflow 3 lists the errors of the last parse, Airflow 2 parses.
    scheduler.command("dags", "reserialize")
    _, output = scheduler.command("dags", "list-import-errors", "-o", "json")
    if "[{" not in output:
        return "No data found"
    return output[output.index("[{") :].replace("\\n", "\n")


@pytest.mark.parametrize(
    ("settings", "fault"),
    [
        ("{", "It is not JSON"),
        ("[]", "It is not a JSON object"),
        ("{}", "It is not a JSON object"),
        ({**GOOD, "clutser": "x"}, "clutser: unknown; the keys are project, env"),
        (
            {**GOOD, "deadline_seconds": "1h"},
            "deadline_seconds: '1h' is not of type 'integer'; it is after which",
        ),
        ({**GOOD, "deadline_seconds": 0}, "deadline_seconds: 0 is less than the minimum of 1"),
        ({**GOOD, "subnets": "subnet-1"}, "subnets: 'subnet-1' is not of type 'array'"),
        ({**GOOD, "subnets": []}, "subnets: []"),
        ({**GOOD, "security_groups": ["default"]}, "security_groups: 'default' does not match"),
        ({**GOOD, "role_arn": "DBTServiceRole"}, "role_arn: 'DBTServiceRole'"),
        ({**GOOD, "docs_url": "javascript:alert(1)"}, "docs_url: 'javascript:alert(1)' does not"),
        ({**GOOD, "project": "my shop"}, "project: 'my shop' does not match"),
        ({**GOOD, "timezone": "Mars/Base"}, "timezone: there is no time zone 'Mars/Base'"),
        (
            {**GOOD, "schedule": "every day"},
            "schedule: 'every day' is neither a cron line nor one of @once",
        ),
        (
            {**GOOD, "schedule": "@foo"},
            "schedule: '@foo' is neither a cron line nor one of @once, @continuous, @hourly, "
            "@daily",
        ),
        (
            {**GOOD, "capacity_provider_strategy": [{"weight": 1}]},
            "capacity_provider_strategy: 'capacityProvider' is a required property",
        ),
        ({"a": GOOD, "b": GOOD}, "dbt_shop_live: two entries have this project and env"),
        ({"a": {**GOOD, "env": "dev"}, "b": 1}, "b: not an object"),
    ],
)
def test_faults(dbt_ecs, settings, fault):
    said = faults(dbt_ecs, settings if isinstance(settings, str) else json.dumps(settings))
    assert fault in said
    assert said.startswith("The Airflow variable 'dbt_ecs' cannot be used.")


def faults(dbt_ecs, text):
    """What is wrong, whether a DAG says so or Airflow."""
    try:
        _, bad = dbt_ecs.load_settings(text)
    except dbt_ecs.SettingsError as error:
        return str(error)
    (broken,) = bad
    task = dbt_ecs.broken_dag(broken).get_task("dbt")
    with pytest.raises(dbt_ecs.AirflowFailException) as failure:
        task.execute({})
    return str(failure.value)


@pytest.mark.parametrize(
    ("entries", "good", "bad"),
    [
        ({"a": GOOD, "b": 1}, ["dbt_shop_live"], ["dbt_b"]),
        ({"a": GOOD, "": {}}, ["dbt_shop_live"], ["dbt_"]),
        ({"a": GOOD, "b b/ü": {"env": "x"}}, ["dbt_shop_live"], ["dbt_b_b__"]),
        ({"a": GOOD, "b": {**GOOD, "env": "dev", "x": 1}}, ["dbt_shop_live"], ["dbt_shop_dev"]),
        ({"a": GOOD, "b": {**GOOD, "env": ["dev"]}}, ["dbt_shop_live"], ["dbt_b"]),
        ({"a": GOOD, "b": {**GOOD, "project": "p" * 300}}, ["dbt_shop_live"], ["dbt_b"]),
        # Which of both is meant, nobody knows.
        ({"a": GOOD, "b": GOOD, "c": {**GOOD, "env": "c"}}, ["dbt_shop_c"], ["dbt_shop_live"]),
    ],
)
def test_good_entries_stay(dbt_ecs, entries, good, bad):
    settings, broken = dbt_ecs.load_settings(json.dumps(entries))
    assert [dbt_ecs.build_dag(each).dag_id for each in settings] == good
    assert [dbt_ecs.broken_dag(each).dag_id for each in broken] == bad


def test_a_broken_dag_keeps_what_can_be_read(dbt_ecs):
    entry = {**without("cluster"), "schedule": "0 5 * * *", "timezone": "Europe/Berlin"}
    _, (broken,) = dbt_ecs.load_settings(json.dumps(entry))
    dag = dbt_ecs.broken_dag(broken)
    assert (dag.dag_id, dag.timezone.name, dag.catchup) == ("dbt_shop_live", "Europe/Berlin", False)
    assert schedule_of(dag) == "0 5 * * *"
    _, (broken,) = dbt_ecs.load_settings(json.dumps({**entry, "schedule": 5, "timezone": "Mars"}))
    dag = dbt_ecs.broken_dag(broken)
    assert (dag.timezone.name, schedule_of(dag)) == ("UTC", None)


def schedule_of(dag):
    # Airflow 2 has another name for it.
    return dag.schedule if hasattr(dag, "schedule") else dag.schedule_interval


@pytest.mark.parametrize("key", sorted(GOOD))
def test_every_key_is_needed(dbt_ecs, key):
    assert f"\n{key}: missing; it is " in faults(dbt_ecs, json.dumps(without(key)))


def test_all_faults_at_once(dbt_ecs):
    _, bad = dbt_ecs.load_settings(
        json.dumps({"a": without("cluster"), "b": {**without("env"), "more": 1}})
    )
    said = "\n".join(fault for broken in bad for fault in broken.faults)
    assert all(
        fault in said for fault in ("a.cluster: missing", "b.env: missing", "b.more: unknown")
    )


@pytest.mark.parametrize(
    "schedule",
    [
        "@once",
        "@continuous",
        "@hourly",
        "@daily",
        "@weekly",
        "@monthly",
        "@quarterly",
        "@yearly",
        "0 4 * * 1-5",
        None,
    ],
)
def test_schedules(dbt_ecs, schedule):
    """Airflow takes each that the check lets through."""
    (settings,), _ = dbt_ecs.load_settings(json.dumps({**GOOD, "schedule": schedule}))
    assert dbt_ecs.build_dag(settings).timetable is not None


def test_dag(dbt_ecs):
    """What an operator and the scheduler see of a DAG."""
    (settings,), _ = dbt_ecs.load_settings(
        json.dumps({**GOOD, "schedule": "0 5 * * *", "timezone": "Europe/Berlin", "retries": 1})
    )
    dag = dbt_ecs.build_dag(settings)
    task = dag.get_task("dbt")
    assert (dag.dag_id, dag.max_active_runs, dag.catchup) == ("dbt_shop_live", 1, False)
    assert dag.timezone.name == "Europe/Berlin"
    # Above the runner's deadline and the container's stopTimeout, and the provider's own wait above
    # that.
    assert task.execution_timeout.total_seconds() == 600 + 3600 + 120
    assert task.waiter_delay == 10
    assert (
        task.waiter_delay * task.waiter_max_attempts >= task.execution_timeout.total_seconds() + 60
    )
    assert task.retry_delay.total_seconds() == 180
    assert (task.retries, task.reattach, task.deferrable) == (1, True, False)
    assert (task.propagate_tags, task.capacity_provider_strategy) == ("TASK_DEFINITION", None)
    assert "{" not in dag.doc_md.replace('{"select"', "")
    assert "| 69 |" in dag.doc_md
    assert "after 69 or 75," in dag.doc_md
    assert "Docs" not in dag.doc_md
    docs = dbt_ecs.build_dag({**settings, "docs_url": "https://docs.example.com/shop/"})
    assert "* **Docs**: <https://docs.example.com/shop/>\n" in docs.doc_md
