"""What Slack is told, and that nothing that happens there touches the task."""

import types

import pytest
from support.slack import TOKEN, Webhook

LINE = {
    "status": "failed",
    "exit_code": 1,
    "run_id": "20261122T061442Z-1a2b3c4d",
    "error": None,
    "destination": "s3://docs/shop",
    "steps": [{"name": "run", "status": "failed", "seconds": 2.0}, {"name": "test", "status": "skipped", "seconds": None}],
    "failed": [{"step": "run", "node": "model.shop.orders", "message": "``` <!channel> & <http://evil|click> *bold*"}],
}


def context(exception=None):
    ti = types.SimpleNamespace(task_id="dbt", log_url="http://airflow/log?a=1&b=2", xcom_pull=lambda **_: LINE)
    return {"dag": types.SimpleNamespace(dag_id="dbt_shop_live"), "run_id": "manual", "ti": ti, "exception": exception}


def test_text_of_others_is_only_text(dbt_ecs):
    """Neither mentions nor links, and no way out of the block of code."""
    text = dbt_ecs.slack_text(context(RuntimeError("exit code 1 <!here> `x`\nmore")), LINE)
    assert "<!" not in text
    assert "<http://evil" not in text
    assert text.count("```") == 2
    assert "&lt;!channel&gt; &amp;" in text
    assert "<http://airflow/log?a=1&amp;b=2|Log>" in text
    assert "more" not in text.partition("```")[0]


def test_long_messages_are_cut(dbt_ecs):
    line = {**LINE, "failed": [{"step": "run", "node": "n", "message": "x" * 16000}]}
    assert len(dbt_ecs.slack_text(context(RuntimeError("y" * 9000)), line)) < 4000


def test_success_names_warnings(dbt_ecs):
    line = {**LINE, "failed": [], "steps": [{"name": "freshness", "status": "warned", "seconds": 3.2}]}
    assert "succeeded in 3 s" in dbt_ecs.slack_text(context(), line)
    assert "Warnings in: freshness" in dbt_ecs.slack_text(context(), line)


@pytest.mark.parametrize(
    ("connection", "url"),
    [
        ({"conn_type": "slackwebhook", "password": "T/B/x"}, "https://hooks.slack.com/services/T/B/x"),
        ({"conn_type": "http", "host": "https://hooks.slack.com/services", "password": "T/B/x"}, "https://hooks.slack.com/services/T/B/x"),
        (
            {"conn_type": "http", "host": "hooks.example.com", "schema": "http", "port": 81, "password": "/x"},
            "http://hooks.example.com:81/x",
        ),
        ({"conn_type": "http", "password": "https://hooks.slack.com/services/T/B/x"}, "https://hooks.slack.com/services/T/B/x"),
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
    dbt_ecs.slack("slack_dbt")(context(RuntimeError("x")))
    assert len(webhook.posts) == (1 if status else 0)
    assert TOKEN not in caplog.text


def test_a_broken_callback_breaks_nothing(dbt_ecs, connect):
    connect("slack_dbt", **Webhook().connection())
    dbt_ecs.slack("slack_dbt")({})


def test_success_with_a_webhook_that_is_down(scheduler, project):
    """The whole of it, in Airflow."""
    webhook = Webhook()
    webhook.close()
    scheduler.connect("slack_dbt", **webhook.connection())
    output = scheduler.run(project.settings())
    assert scheduler.state() == ("success", 1), output
    assert "Slack could not be told" in output
    assert TOKEN not in output
