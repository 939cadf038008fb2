"""What ECS says of a stopped task, and what follows from it: the states that a local ECS does not
make, too.
"""

import json

import pytest

ENDED = "EssentialContainerExited"
LOST_MACHINE = ["SpotInterruption", "TerminationNotice"]


def task(stop_code, exit_code=None, stopped="the reason", **container):
    if exit_code is not None:
        container["exitCode"] = exit_code
    # A task may have more containers than dbt's, whose codes say nothing.
    containers = [{"name": "sidecar", "exitCode": 0}, {"name": "dbt", **container}]
    return {"stopCode": stop_code, "stoppedReason": stopped, "containers": containers}


@pytest.mark.parametrize("stop_code", [ENDED, *LOST_MACHINE, "UserInitiated", None])
def test_success(dbt_ecs, stop_code):
    assert dbt_ecs.judge(task(stop_code, 0), "dbt", None) == (0, False, "success")


@pytest.mark.parametrize("stop_code", LOST_MACHINE)
@pytest.mark.parametrize("exit_code", [None, 137, 143])
def test_machine_is_taken_away(dbt_ecs, stop_code, exit_code):
    code, retry, says = dbt_ecs.judge(task(stop_code, exit_code), "dbt", None)
    assert (code, retry) == (exit_code, True)
    assert says == f"AWS took the container away ({stop_code}): the reason"


@pytest.mark.parametrize("stop_code", LOST_MACHINE)
@pytest.mark.parametrize("exit_code", [1, 65, 74, 124, 130])
def test_machine_is_taken_away_from_a_run_that_has_ended(dbt_ecs, stop_code, exit_code):
    """Its code stands: a failed test fails on another machine as well."""
    code, retry, says = dbt_ecs.judge(task(stop_code, exit_code), "dbt", None)
    assert (code, retry) == (exit_code, False)
    assert says.startswith(f"exit code {exit_code}: ")


@pytest.mark.parametrize("exit_code", [137, 143])
def test_killed_by_others(dbt_ecs, exit_code):
    container = {"reason": "OutOfMemoryError: Container killed due to memory usage"}
    code, retry, says = dbt_ecs.judge(task(ENDED, exit_code, **container), "dbt", None)
    assert (code, retry) == (exit_code, False)
    assert "the reason; OutOfMemoryError" in says


def test_never_started(dbt_ecs):
    code, retry, says = dbt_ecs.judge(
        task("TaskFailedToStart", stopped="CannotPullContainerError"), "dbt", None
    )
    assert (code, retry) == (None, True)
    assert says == "ECS could not start the container: CannotPullContainerError"


def test_stopped_before_it_began(dbt_ecs):
    """A person's decision, which is not undone by another try."""
    code, retry, says = dbt_ecs.judge(task("UserInitiated", stopped="not today"), "dbt", None)
    assert (code, retry) == (None, False)
    assert says == "it was stopped before it began: not today"


@pytest.mark.parametrize("stop_code", [ENDED, None])
def test_lost(dbt_ecs, stop_code):
    code, retry, says = dbt_ecs.judge(task(stop_code), "dbt", None)
    assert (code, retry) == (None, True)
    assert says == f"the container was lost ({stop_code or 'no stop code'}): the reason"


def test_container_of_another_name(dbt_ecs):
    """Without a code of its own it is not a success, whatever the others ended with."""
    assert dbt_ecs.judge(task(ENDED, 0), "another", None)[:2] == (None, True)


@pytest.mark.parametrize(
    ("line", "retry"), [(None, True), ({"status": "error"}, True), ({"status": "failed"}, False)]
)
def test_unreachable_aws(dbt_ecs, line, retry):
    """69 is the runner's own where it reports an error of its own; a step that ends with it says
    something else.
    """
    code, again, says = dbt_ecs.judge(task(ENDED, 69), "dbt", line)
    assert (code, again) == (69, retry)
    assert ("AWS could not be reached" in says) == retry
    assert ("a step ended with this code of its own" in says) != retry


@pytest.mark.parametrize(
    ("line", "retry"), [(None, True), ({"status": "error"}, True), ({"status": "failed"}, False)]
)
def test_another_run_holds_the_lease(dbt_ecs, line, retry):
    code, again, says = dbt_ecs.judge(task(ENDED, 75), "dbt", line)
    assert (code, again) == (75, retry)
    assert ("another run holds the lease" in says) == retry


@pytest.mark.parametrize("exit_code", [1, 2, 64, 65, 70, 74, 77, 124, 126, 127, 130, 137, 143])
def test_nothing_else_is_tried_again(dbt_ecs, exit_code):
    assert not dbt_ecs.judge(task(ENDED, exit_code), "dbt", {"status": "error"})[1]


@pytest.mark.parametrize(
    ("stop_code", "exit_code", "expected"),
    [
        (ENDED, 137, True),
        (ENDED, None, True),
        (None, None, True),
        ("SpotInterruption", 143, True),
        ("SpotInterruption", 137, True),
        ("TerminationNotice", None, True),
        # It had ended before.
        ("SpotInterruption", 1, False),
        (ENDED, 0, False),
        (ENDED, 1, False),
        (ENDED, 69, False),
        (ENDED, 75, False),
        (ENDED, 143, False),
        # Somebody's decision, or nothing had begun.
        ("UserInitiated", 137, False),
        ("UserInitiated", None, False),
        ("TaskFailedToStart", None, False),
    ],
)
def test_what_was_cut_off(dbt_ecs, stop_code, exit_code, expected):
    assert dbt_ecs.was_cut_off(task(stop_code, exit_code), "dbt") == expected


GENUINE = {
    "status": "failed",
    "exit_code": 1,
    "run_id": "20261122T061442Z-1a2b3c4d",
    "steps": [{"name": "run", "status": "failed", "seconds": 1.5}],
    "failed": [{"step": "run", "node": "model.shop.orders", "message": "no"}],
}


@pytest.mark.parametrize("code", [0, 69, 137, None])
def test_a_line_that_contradicts_the_exit_code_is_not_believed(dbt_ecs, code):
    assert dbt_ecs.believed(GENUINE, code) is None
    assert dbt_ecs.believed(GENUINE, 1) == GENUINE
    assert dbt_ecs.believed(None, code) is None


@pytest.mark.parametrize(
    "change",
    [
        {"steps": 5},
        {"steps": [None]},
        {"steps": [{"name": "run"}]},
        {"steps": [{"name": "run", "status": "failed", "seconds": "long"}]},
        {"failed": {"step": "run"}},
        {"failed": [{"step": "run", "node": 7, "message": "no"}]},
        {"failed": None},
    ],
)
def test_what_only_looks_like_a_closing_line_is_none(dbt_ecs, change):
    forged = json.dumps(GENUINE | change)
    assert dbt_ecs.closing_line([forged]) is None
    assert dbt_ecs.closing_line([json.dumps(GENUINE), forged]) == GENUINE


def test_where_to_read_on(dbt_ecs):
    """In the task's log after a success, in its message and in Slack after a failure."""
    line = {"run_id": "1", "destination": "s3://docs/shop", "page": "https://docs/shop/runs/1/"}
    ledger = "ledger: s3://docs/shop/runs/1/"
    assert dbt_ecs.places(line) == ["page: https://docs/shop/runs/1/", ledger]
    assert dbt_ecs.places({**line, "page": None}) == [ledger]
    # A step may have printed it.
    assert dbt_ecs.places({**line, "page": 5, "destination": None}) == []
    assert dbt_ecs.details({**line, "steps": [], "failed": []})[-1] == ledger
