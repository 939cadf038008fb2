"""What Slack is told, and that nothing that happens there touches the task."""

import json
import types

import pytest
from support.settings import GOOD
from support.slack import TOKEN, Webhook

LINE = {
    "status": "failed",
    "exit_code": 1,
    "run_id": "20261122T061442Z-1a2b3c4d",
    "error": None,
    "destination": "s3://docs/shop",
    "steps": [
        {"name": "run", "status": "failed", "seconds": 2.0},
        {"name": "test", "status": "skipped", "seconds": None},
    ],
    "failed": [
        {
            "step": "run",
            "node": "model.shop.orders",
            "message": "``` <!channel> & <http://evil|click> *bold*",
        }
    ],
}


def context(exception=None, pull=lambda **_: LINE):
    ti = types.SimpleNamespace(task_id="dbt", log_url="http://airflow/log?a=1&b=2", xcom_pull=pull)
    made = {"dag": types.SimpleNamespace(dag_id="dbt_shop_live"), "run_id": "manual", "ti": ti}
    return made | ({"exception": exception} if exception else {})


def test_text_of_others_is_only_text(dbt_ecs):
    """Neither mentions nor links, and no way out of the block of code."""
    text = dbt_ecs.slack_text(
        context(RuntimeError("exit code 1 <!here> `x`\nmore")), LINE, failed=True
    )
    assert "<!" not in text
    assert "<http://evil" not in text
    assert text.count("```") == 2
    assert "&lt;!channel&gt; &amp;" in text
    assert "<http://airflow/log?a=1&amp;b=2|Log>" in text
    assert "more" not in text.partition("```")[0]


def test_long_messages_are_cut(dbt_ecs):
    line = {**LINE, "failed": [{"step": "run", "node": "n", "message": "x" * 16000}]}
    assert len(dbt_ecs.slack_text(context(RuntimeError("y" * 9000)), line, failed=True)) < 4000


def test_success_names_warnings(dbt_ecs):
    line = {
        **LINE,
        "failed": [],
        "steps": [{"name": "freshness", "status": "warned", "seconds": 3.2}],
    }
    assert "succeeded in 3 s" in dbt_ecs.slack_text(context(), line, failed=False)
    assert "Warnings in: freshness" in dbt_ecs.slack_text(context(), line, failed=False)


EARLIER = "20261121T061442Z-1a2b3c4d"


@pytest.mark.parametrize("failed", [True, False])
@pytest.mark.parametrize(
    ("resumed", "says"),
    [
        (
            {"from": EARLIER, "refused": None},
            f"resumed from {EARLIER}; not run again: deps, seed",
        ),
        (
            {"from": EARLIER, "refused": "the project has changed <!here>"},
            f"not resumed from {EARLIER}: the project has changed &lt;!here&gt;",
        ),
        ({"from": None, "refused": "there is no earlier run"}, "not resumed: there is no"),
        (None, None),
        ("yes", None),
        ({}, None),
        ({"from": 5, "refused": []}, None),
    ],
)
def test_what_was_resumed(dbt_ecs, failed, resumed, says):
    """And what was not run again, which is neither a warning nor a failure."""
    is_resumed = isinstance(resumed, dict) and resumed.get("refused") is None
    done = "resumed" if is_resumed else "success"
    steps = [{"name": name, "status": done, "seconds": 0.0} for name in ("deps", "seed")]
    steps.append({"name": "run", "status": "failed" if failed else "success", "seconds": 3.0})
    line = {**LINE, "resumed": resumed, "steps": steps}
    text = dbt_ecs.slack_text(context(), line, failed=failed)
    assert "Warnings" not in text
    assert "deps (" not in text
    if says:
        assert says in text
    else:
        assert "esumed" not in text
    assert "<!" not in text


@pytest.mark.parametrize("failed", [True, False])
def test_the_page_of_the_run_is_a_link(dbt_ecs, failed):
    page = "https://docs.example.com/shop/runs/20261122T061442Z-1a2b3c4d/index.html"
    text = dbt_ecs.slack_text(context(), {**LINE, "page": page}, failed=failed)
    assert f"<{page}|Page>" in text
    for odd in (None, 5, "javascript:alert(1)", "no address"):
        assert "|Page>" not in dbt_ecs.slack_text(context(), {**LINE, "page": odd}, failed=failed)


def unreadable(**_):
    raise RuntimeError("no XCom here")


@pytest.mark.parametrize("pull", [lambda **_: None, unreadable])
def test_failure_of_a_lost_worker(dbt_ecs, connect, pull):
    """The callback of a DAG is made in the DAG processor then: no exception in the context, no
    closing line, maybe no XCom at all.
    """
    webhook = Webhook()
    connect("slack_dbt", **webhook.connection())
    dag = dbt_ecs.build_dag(dbt_ecs.load_settings(json.dumps(GOOD))[0][0])
    (callback,) = as_list(dag.get_task("dbt").on_failure_callback)
    without = context(pull=pull)
    assert "exception" not in without
    callback(without)
    webhook.close()
    (post,) = webhook.posts
    assert ":x: *dbt_shop_live* failed" in post["text"]
    assert "the worker was lost; the container may go on: look in ECS" in post["text"]


def test_success_is_told_as_one(dbt_ecs, connect):
    webhook = Webhook()
    connect("slack_dbt", **webhook.connection())
    dag = dbt_ecs.build_dag(dbt_ecs.load_settings(json.dumps(GOOD))[0][0])
    (callback,) = as_list(dag.get_task("dbt").on_success_callback)
    callback(context())
    webhook.close()
    (post,) = webhook.posts
    assert ":white_check_mark: *dbt_shop_live* succeeded in 2 s" in post["text"]


def as_list(callbacks):
    """Airflow 2 keeps a single callback as it is, Airflow 3 as a list of one."""
    return callbacks if isinstance(callbacks, (list, tuple)) else [callbacks]


@pytest.mark.parametrize(
    ("connection", "url"),
    [
        (
            {"conn_type": "slackwebhook", "password": "T/B/x"},
            "https://hooks.slack.com/services/T/B/x",
        ),
        (
            {"conn_type": "http", "host": "https://hooks.slack.com/services", "password": "T/B/x"},
            "https://hooks.slack.com/services/T/B/x",
        ),
        (
            {
                "conn_type": "http",
                "host": "hooks.example.com",
                "schema": "http",
                "port": 81,
                "password": "/x",
            },
            "http://hooks.example.com:81/x",
        ),
        (
            {"conn_type": "http", "password": "https://hooks.slack.com/services/T/B/x"},
            "https://hooks.slack.com/services/T/B/x",
        ),
    ],
)
def test_connections(dbt_ecs, connect, connection, url):
    connect("slack_dbt", **connection)
    assert dbt_ecs.webhook("slack_dbt") == url


@pytest.mark.parametrize("status", [None, 500])
def test_a_webhook_that_is_down_breaks_nothing(dbt_ecs, connect, caplog, status):
    """Neither the task, nor the secret: the token is not in the log."""
    webhook = Webhook(status or 200)
    connect("slack_dbt", **webhook.connection())
    if status is None:
        webhook.close()
    dbt_ecs.slack("slack_dbt", failed=True)(context(RuntimeError("x")))
    assert len(webhook.posts) == (1 if status else 0)
    assert TOKEN not in caplog.text


def test_a_broken_callback_breaks_nothing(dbt_ecs, connect):
    connect("slack_dbt", **Webhook().connection())
    dbt_ecs.slack("slack_dbt", failed=True)({})


def test_success_with_a_webhook_that_is_down(scheduler, project):
    """The whole of it, in Airflow."""
    webhook = Webhook()
    webhook.close()
    scheduler.connect("slack_dbt", **webhook.connection())
    output = scheduler.run(project.settings())
    assert scheduler.state() == ("success", 1), output
    assert "Slack could not be told" in output
    assert TOKEN not in output
