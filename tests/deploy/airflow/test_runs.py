"""Runs that end well, and what a person sees of them."""


def test_success(scheduler, project, lab):
    """The six steps with the real dbt: docs in the bucket, log in the task's log, the closing line
    in XCom as a mapping.
    """
    project.with_real_dbt()
    output = scheduler.run(project.settings())
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
