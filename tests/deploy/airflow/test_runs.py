"""Runs that end well, and what a person sees of them."""

import re
from urllib.parse import quote

DOCS = "https://docs.example.com/shop/"
NODES = {
    "03-run": "model.shop.fct_orders",
    "04-test": "test.shop.no_order_is_overpaid",
    "05-freshness": "source.shop.raw.orders",
}


def test_success(scheduler, project, lab):
    """The six steps with the real dbt: docs in the bucket, log in the task's log, the closing line
    in XCom as a mapping.
    """
    project.with_real_dbt()
    project.environment["DBT_ENTRYPOINT_PAGE_URL"] = DOCS
    output = scheduler.run(project.settings(docs_url=DOCS))
    assert scheduler.state() == ("success", 1), output
    line = scheduler.xcom()
    assert line["status"] == "success", output
    assert line["exit_code"] == 0
    assert [step["name"] for step in line["steps"]] == [
        "deps",
        "debug",
        "run",
        "test",
        "freshness",
        "docs",
    ]
    assert {"index.html", "manifest.json", "catalog.json", "run_results.json"} <= set(
        project.published()
    )
    assert project.summary() == line
    # The nodes of each step that has some, with their times, from the ledger.
    for step, node in NODES.items():
        _, found, after = output.partition(f"nodes of {step}:")
        assert found, output
        assert re.search(rf"(success|pass) +\d+\.\d s .* {re.escape(node)}\b", after), output
    assert "Nodes are missing" not in output
    # dbt's own words, from CloudWatch.
    assert "Completed successfully" in output
    assert "cannot be called outside" not in output
    (task,) = project.tasks()
    assert task["network"] == {
        "awsvpcConfiguration": {
            "subnets": [lab.subnet],
            "securityGroups": [lab.group],
            "assignPublicIp": "DISABLED",
        }
    }
    # What Airflow 2 shows of the buttons of a file among the DAGs is the provider's own.
    log = f"log-group/{quote(project.log_group, '')}/log-events/ecs%2Fdbt%2F{task['task']}"
    assert log in output
    buttons = scheduler.buttons(f"dbt_{project.name}_dev")
    assert log in buttons.pop("CloudWatch Events")
    shown = {"Docs": DOCS, "Page of the run": line["page"]}
    assert buttons == (shown if scheduler.is_airflow_3 else {})
    assert line["page"] == f"{DOCS}runs/{line['run_id']}/index.html"
