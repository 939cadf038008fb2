"""A run that fails, with the real dbt: what a person learns from the exception, XCom and Slack."""

import re


def test_failing_dbt_test(scheduler, project, slack):
    """A test of the real dbt fails: no retry, and its name is in the exception, in XCom and in
    Slack.
    """
    project.with_real_dbt()
    (project.folder / "tests/there_are_no_orders.sql").write_text(
        "select * from {{ ref('fct_orders') }}\n"
    )
    output = scheduler.run(project.settings(retries=3), params={"steps": ["deps", "run", "test"]})
    assert scheduler.state() == ("failed", 1), output
    node = "test.shop.there_are_no_orders"
    exception = re.search(
        r"exit code 1: a model or a test failed.*?log: /dbt/\S+: ecs/dbt/\w+", output, re.DOTALL
    )
    assert exception, output
    assert f"test: {node}: Got" in exception[0]
    assert re.search(rf"ledger: s3://dbt-documentation-dev/{project.name}/runs/\S+/", exception[0])
    # The table comes before the exception, and in it what failed comes first.
    _, _, table = output.partition("nodes of 03-test:")
    first, *others = re.findall(r"(\w+) +\d+\.\d s .* (\w+\.shop\.\w+)", table)
    assert first == ("fail", node), output
    assert ("pass", "test.shop.no_order_is_overpaid") in others, output
    assert "exit code 1" in table
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
