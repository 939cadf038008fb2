"""The table of nodes at the end of a task's log: what is read of the ledger, and what is shown."""

import json
import types

import pytest
from support import network
from support.aws import BUCKET, REGION, SERVICE_ROLE

RUN = "20261122T061442Z-1a2b3c4d"
MANY = range(300)


def line(*steps, destination="s3://docs/shop"):
    """A closing line with these steps: name, status, whether it counts nodes."""
    return {
        "run_id": RUN,
        "destination": destination,
        "steps": [
            {"name": name, "status": status, "nodes": {"success": 1} if counts else None}
            for name, status, counts in steps
        ],
    }


def end(node, status="success", seconds=1.0, rows=None, message=None):
    return {"t": "end", "id": node, "status": status, "s": seconds, "rows": rows, "msg": message}


def events(*lines):
    return "\n".join(it if isinstance(it, str) else json.dumps(it) for it in lines).encode()


def read(dbt_ecs, objects, *steps):
    """The nodes found, and the objects that were asked for."""
    asked = []

    def one(name):
        asked.append(name)
        return objects.get(name)

    return dbt_ecs.nodes(one, line(*steps)), asked


@pytest.mark.parametrize(
    ("destination", "place"),
    [
        ("s3://docs/shop", ("docs", f"shop/runs/{RUN}")),
        ("s3://docs/team/shop/", ("docs", f"team/shop/runs/{RUN}")),
        ("s3://docs", ("docs", f"runs/{RUN}")),
        ("s3://arn:aws:s3:eu-west-1:123456789012:accesspoint/docs/shop", None),
        ("file:///docs", None),
        (None, None),
    ],
)
def test_where_the_ledger_lies(dbt_ecs, destination, place):
    assert dbt_ecs.bucket_and_folder(line(destination=destination)) == place


def test_the_small_file_comes_first(dbt_ecs):
    """The number of a step counts all steps. Of one without nodes nothing is asked."""
    objects = {
        "03-run/nodes.ndjson": events({"t": "plan", "ids": ["a"]}, end("a")),
        "04-test/run_results.json": json.dumps(
            {"results": [{"unique_id": "t", "status": "Pass", "execution_time": 2, "failures": 0}]}
        ).encode(),
        "05-freshness/sources.json": json.dumps(
            {"results": [{"unique_id": "s", "status": "runtime error", "error": "no\nsuch table"}]}
        ).encode(),
    }
    found, asked = read(
        dbt_ecs,
        objects,
        ("deps", "success", False),
        ("debug", "success", False),
        ("run", "success", True),
        ("test", "success", True),
        ("freshness", "failed", True),
        ("docs", "skipped", False),
    )
    assert found == {
        "03-run": [("a", "success", 1.0, None, "")],
        "04-test": [("t", "pass", 2.0, 0, "")],
        "05-freshness": [("s", "runtime error", 0.0, None, "no such table")],
    }
    assert "03-run/run_results.json" not in asked
    assert not [name for name in asked if name[:2] in ("01", "02", "06")]


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("success", {"a": "success", "b": "success", "c": "not run"}),
        ("resumed", {"a": "success", "b": "success", "c": "not run"}),
        # dbt 2 that is stopped calls each node an error.
        ("cancelled", {"a": "success", "b": "not ended", "c": "not run"}),
    ],
)
def test_the_events_do_not_tell_all(dbt_ecs, status, expected):
    """As where dbt fell silent while it ran, and left its results all the same."""
    told = [{"t": "plan", "ids": ["a", "b", "c"]}, end("a"), {"t": "start", "id": "b"}]
    left = [{"unique_id": id, "status": "success"} for id in ("a", "b", "other")]
    objects = {
        "01-run/nodes.ndjson": events(*told),
        "01-run/run_results.json": json.dumps({"results": left}).encode(),
    }
    found, _ = read(dbt_ecs, objects, ("run", status, True))
    assert {node.id: node.status for node in found["01-run"]} == expected
    del objects["01-run/run_results.json"]
    found, _ = read(dbt_ecs, objects, ("run", status, True))
    assert [node.status for node in found["01-run"]] == ["success", "not ended", "not run"]


def test_what_is_missing(dbt_ecs):
    """Steps that had nodes leave something. One that was killed may, and `debug` never does."""
    found, _ = read(
        dbt_ecs,
        {
            "03-run/nodes.ndjson": events(
                {"t": "plan", "ids": ["a", "b"]}, {"t": "start", "id": "a"}
            )
        },
        ("seed", "success", True),
        ("debug", "failed", False),
        ("run", "killed", False),
    )
    assert found == {
        "01-seed": None,
        "03-run": [("a", "not ended", 0, None, ""), ("b", "not run", 0, None, "")],
    }


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", []),
        (b"\xff\xfe[]\nnull\n7\n", []),
        (events({"t": "plan"}, {"t": "plan", "ids": 7}, {"t": "other", "id": "a"}), []),
        (events(end("a"), '{"t":"end","id":"b","sta'), [("a", "success", 1.0, None, "")]),
        # The batches of a microbatch model have its id.
        (events(end("a"), end("a", "error", 3)), [("a", "error", 3.0, None, "")]),
        (events({"t": "end", "id": ["x"], "s": "1", "rows": "2"}), [("['x']", "", 0.0, None, "")]),
        (
            '{"t":"end","id":"a","status":"success","s":NaN,"rows":-1}',
            [("a", "success", 0.0, None, "")],
        ),
        (
            events(end("a\n::endgroup::\x1b[31m", "Error", 1, 2, "x\r\ny")),
            [("a ::endgroup::", "error", 1.0, 2, "x y")],
        ),
    ],
)
def test_what_is_there_can_be_wrong(dbt_ecs, content, expected):
    content = content.encode() if isinstance(content, str) else content
    assert dbt_ecs.of_events(content) == expected


@pytest.mark.parametrize("content", [b"[]", b"{}", b'{"results": 7}', b'{"results": [7, null]}'])
def test_results_without_nodes(dbt_ecs, content):
    assert dbt_ecs.of_results(content) == []


def test_failed_first_then_the_slowest(dbt_ecs):
    found = dbt_ecs.of_events(
        events(
            {"t": "plan", "ids": ["model.a", "model.never"]},
            end("model.a", "success", 0.5, 7, "OK"),
            end("model.slow", "success", 75, None, "OK"),
            end("test.b", "fail", 0.1, 3, "Got 3 results"),
            end("test.w", "warn", 0.2, 1, "Got 1 result"),
        )
    )
    assert dbt_ecs.table(found) == [
        "fail          0.1 s           3 rows  test.b  Got 3 results",
        "success      75.0 s                   model.slow",
        "success       0.5 s           7 rows  model.a",
        "warn          0.2 s           1 rows  test.w  Got 1 result",
        "not run       0.0 s                   model.never",
    ]


def test_no_more_than_two_hundred(dbt_ecs):
    rows = dbt_ecs.table(
        dbt_ecs.of_events(
            events(
                {"t": "plan", "ids": [f"m{n}" for n in MANY]},
                *(end(f"m{n}", "success", n) for n in MANY[:290]),
            )
        )
    )
    assert len(rows) == 201
    assert rows[0].endswith("m289")
    assert rows[-1] == "and 100 more: 90 success, 10 not run"


def test_long_messages_are_cut(dbt_ecs):
    (row,) = dbt_ecs.table(dbt_ecs.of_events(events(end("a", "error", 1, None, "x" * 5000))))
    assert len(row) < 260


@pytest.fixture
def said(dbt_ecs, monkeypatch):
    """What the operator logs. Where that goes differs between the versions of Airflow."""
    lines = []

    def log(text, *arguments):
        lines.append(text % arguments)

    monkeypatch.setattr(
        dbt_ecs.DbtRun, "log", types.SimpleNamespace(info=log, warning=log), raising=False
    )
    return lines


@pytest.fixture
def task(dbt_ecs, connect, monkeypatch, project, lab):
    """A task that has a connection to the local AWS."""
    connect("aws_dbt", conn_type="aws", extra={"role_arn": SERVICE_ROLE, "region_name": REGION})
    monkeypatch.setenv("AWS_ENDPOINT_URL", lab.endpoint)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "worker")
    (settings,), _ = dbt_ecs.load_settings(json.dumps(project.settings()))
    return dbt_ecs.build_dag(settings).get_task("dbt")


def test_what_is_read_of_the_bucket(task, project, lab, said):
    of_run = line(("run", "success", True), destination=f"s3://{BUCKET}/{project.name}")
    lab.client("s3").put_object(
        Bucket=BUCKET,
        Key=f"{project.name}/runs/{RUN}/01-run/nodes.ndjson",
        Body=events(end("model.shop.orders", "success", 2, 7)),
    )
    task.show_nodes(of_run)
    assert said == [
        "nodes of 01-run:",
        "success       2.0 s           7 rows  model.shop.orders",
    ]


@pytest.mark.parametrize(
    ("breaks", "says"),
    [
        (lambda env, _: env("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9"), "Could not connect"),
        (lambda _, module: module("LARGEST", 9), "nodes.ndjson has more than 0 MiB"),
    ],
)
def test_what_cannot_be_read(task, project, lab, said, monkeypatch, dbt_ecs, breaks, says):
    """Nothing that happens to the ledger changes the result of the task."""
    lab.client("s3").put_object(
        Bucket=BUCKET, Key=f"{project.name}/runs/{RUN}/01-run/nodes.ndjson", Body=b" " * 10
    )
    breaks(monkeypatch.setenv, lambda name, value: monkeypatch.setattr(dbt_ecs, name, value))
    task.show_nodes(line(("run", "success", True), destination=f"s3://{BUCKET}/{project.name}"))
    (warning,) = said
    assert says in warning
    assert f"needs s3:GetObject on s3://{BUCKET}/{project.name}/runs/{RUN}/*" in warning


def test_a_bucket_that_may_not_be_read(scheduler, project):
    scheduler.environment["AWS_ENDPOINT_URL_S3"] = network.deny("s3:GetObject")
    project.environment["DBT_ENTRYPOINT_STEPS"] = "run"
    project.script(("run", "results", "model.shop.orders=success"))
    output = scheduler.run(project.settings())
    assert scheduler.state() == ("success", 1), output
    assert "Nodes are missing here: those of 01-run are not there, or may not be read." in output
    assert f"needs s3:GetObject on s3://{BUCKET}/{project.name}/runs/" in output
