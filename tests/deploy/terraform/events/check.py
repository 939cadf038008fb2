"""check.py STATE.json AIRFLOW SETTINGS.md: which ends of which tasks the rules of an applied state
start again, and how. AIRFLOW is the folder of the Airflow package, whose rules they have to share.
"""

import importlib.util
import itertools
import json
import pathlib
import re
import sys

import botocore.session
import pattern
from botocore.validate import ParamValidator

STATE, AIRFLOW, SETTINGS = map(pathlib.Path, sys.argv[1:])
CLUSTER = "arn:aws:ecs:eu-west-1:123456789012:cluster/dbt-live"
SCHEDULED = "dbt-shop-live__nightly__scheduled"
STOP_CODES = [
    None,
    "EssentialContainerExited",
    "UserInitiated",
    "TaskFailedToStart",
    "ServiceSchedulerInitiated",
    "SpotInterruption",
    "TerminationNotice",
]
EXIT_CODES = [None, 0, 1, 2, 64, 69, 70, 74, 75, 77, 124, 130, 137, 139, 143]
# What stands beside dbt: nothing, a container that ended, one that was killed, one that was lost.
SIDECARS: list[dict] = [
    {},
    {"name": "proxy", "exitCode": 0},
    {"name": "proxy", "exitCode": 137},
    {"name": "proxy"},
]


def airflow():
    """The module that judges ends, which needs no Airflow."""
    spec = importlib.util.spec_from_file_location("outcome", AIRFLOW / "outcome.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def resources(module):
    yield from module.get("resources", [])
    for child in module.get("child_modules", []):
        yield from resources(child)


def event(stop_code, exit_code, *, group=SCHEDULED, sidecar=None, first=False, **more):
    """As ECS tells of a task, in the shape that its documentation shows."""
    task = "arn:aws:ecs:eu-west-1:123456789012:task/dbt-live/0123456789abcdef0123456789abcdef"
    containers = [{"name": "dbt", **({} if exit_code is None else {"exitCode": exit_code})}]
    if sidecar:
        containers.insert(0 if first else 1, sidecar)
    detail = {
        "attachments": [{"id": "1", "type": "eni", "status": "DELETED", "details": []}],
        "availabilityZone": "eu-west-1b",
        "clusterArn": CLUSTER,
        "containers": [
            {
                "containerArn": f"arn:aws:ecs:eu-west-1:123456789012:container/{index}",
                "image": "123456789012.dkr.ecr.eu-west-1.amazonaws.com/dbt-shop-live",
                "lastStatus": "STOPPED",
                "taskArn": task,
                "networkInterfaces": [{"privateIpv4Address": "10.0.0.5"}],
                **container,
            }
            for index, container in enumerate(containers)
        ],
        "createdAt": "2026-11-22T04:00:00.000Z",
        "desiredStatus": "STOPPED",
        "group": group,
        "lastStatus": "STOPPED",
        "launchType": "FARGATE",
        "overrides": {"containerOverrides": [{"name": "dbt"}]},
        "startedBy": "somebody",
        "stoppedReason": "the reason",
        "taskArn": task,
        "taskDefinitionArn": "arn:aws:ecs:eu-west-1:123456789012:task-definition/dbt-shop-live:7",
        "version": 5,
        **({} if stop_code is None else {"stopCode": stop_code}),
    }
    return {
        "version": "0",
        "id": "3317b2af-7005-947d-b652-f55e762e571a",
        "detail-type": "ECS Task State Change",
        "source": "aws.ecs",
        "account": "123456789012",
        "time": "2026-11-22T04:20:00Z",
        "region": "eu-west-1",
        "resources": [task],
        **more,
        "detail": {**detail, **more.get("detail", {})},
    }


def report(name, wrong=()):
    """A case that is fine if nothing is wrong."""
    wrong = list(wrong)
    FAILED.extend(wrong)
    print("not ok -" if wrong else "ok -", name)
    for each in wrong[:5]:
        print(f"    {each}")


FAILED: list = []


def ends():
    """Each way to end, with every container beside it."""
    for exit_code, sidecar, first in itertools.product(EXIT_CODES, SIDECARS, [False, True]):
        if sidecar or not first:
            yield exit_code, sidecar, first


def check_ends(rules):
    outcome = airflow()
    for stop_code in STOP_CODES:
        wrong: dict[str, list] = {"killed": [], "held": []}
        for exit_code, sidecar, first in ends():
            given = event(stop_code, exit_code, sidecar=sidecar, first=first)
            is_cut_off = outcome.was_cut_off(given["detail"], "dbt")
            # An exit code that is not there is one of the task for EventBridge, whose matcher finds
            # that of the container beside: a run that was lost is then not started again.
            if exit_code is None and "exitCode" in sidecar:
                is_cut_off = False
            wanted = {
                "killed": is_cut_off,
                "held": exit_code == 75 and stop_code not in (None, "UserInitiated"),
            }
            for end, is_wanted in wanted.items():
                if pattern.matches(rules[f"nightly__{end}"], given) != is_wanted:
                    wrong[end].append(f"{exit_code}, beside {sidecar}: wanted {is_wanted}")
        for end, of_end in wrong.items():
            report(f"after {stop_code or 'no stop code'}, {end} hears of the right codes", of_end)
    report(
        "Airflow tries again what finds the lease held",
        []
        if outcome.judge(event("EssentialContainerExited", 75)["detail"], "dbt", None)[1]
        else ["it does not"],
    )


def check_others(rules, targets):
    """Tasks and events that are none of the rules' business, whatever their end."""
    groups = [one["group"] for target in targets.values() for one in target["ecs_target"]]
    strangers = {
        "a task that a rule has started": [{"group": group} for group in groups],
        "a task of another schedule": [{"group": "dbt-shop-live__weekly__scheduled"}],
        "a task of another project": [
            {"group": "dbt-shop-live-2__nightly__scheduled"},
            {"group": "dbt-shop__nightly__scheduled"},
        ],
        "a task that somebody or Airflow has started": [{"group": "family:dbt-shop-live"}],
        "a task of a service": [{"group": "service:dbt-shop-live"}],
        "a task on another cluster": [{"detail": {"clusterArn": f"{CLUSTER}-2"}}],
        "a task that is about to stop": [
            {"detail": {"lastStatus": status}} for status in ("RUNNING", "DEPROVISIONING")
        ],
        "an event of another kind": [{"detail-type": "ECS Container Instance State Change"}],
        "an event of another source": [{"source": "somebody.ecs"}],
        "a container of another name": [{"sidecar": {"name": "proxy", "exitCode": 137}}],
    }
    for name, changes in strangers.items():
        wrong = []
        for change, stop_code in itertools.product(changes, STOP_CODES):
            codes = [0] if "sidecar" in change else EXIT_CODES
            for exit_code in codes:
                given = event(stop_code, exit_code, **change)
                wrong += [
                    f"{key}: {stop_code}, {exit_code}, {change}"
                    for key, rule in rules.items()
                    if pattern.matches(rule, given)
                ]
        report(f"no rule hears of {name}", wrong)


def check_alarm(rule):
    """The alarm still hears of all that fails, whoever has started it."""
    for group in ("family:dbt-shop-live", SCHEDULED, "dbt-shop-live__nightly__killed"):
        wrong = [
            f"{stop_code}, {exit_code}"
            for stop_code, exit_code in itertools.product(STOP_CODES, EXIT_CODES)
            if pattern.matches(rule, event(stop_code, exit_code, group=group)) != (exit_code != 0)
        ]
        report(f"the alarm hears of failures in the group {group}", wrong)
    others = ("family:dbt-shop-live-2", "dbt-shop-live-2__a__scheduled", "dbt-shop-live_2__a__held")
    report(
        "the alarm hears of no other project",
        [group for group in others if pattern.matches(rule, event(None, 1, group=group))],
    )


def check_targets(targets):
    """What ECS is asked for."""
    service = botocore.session.get_session().get_service_model("ecs")
    settings = SETTINGS.read_text(encoding="utf-8")
    for key, target in targets.items():
        given = json.loads(target["input"])
        errors = ParamValidator().validate(given, service.shape_for("TaskOverride"))
        unknown = given.keys() - service.shape_for("TaskOverride").members.keys()
        report(
            f"{key}: RunTask takes the input",
            ([errors.generate_report()] if errors.has_errors() else []) + sorted(unknown),
        )
        variables = [
            variable["name"]
            for container in given["containerOverrides"]
            for variable in container["environment"]
        ]
        report(
            f"{key}: the runner knows its variables",
            [name for name in variables if not re.search(rf"`{name}`", settings)],
        )


def main():
    state = json.loads(STATE.read_text(encoding="utf-8"))
    found: dict[str, dict] = {"aws_cloudwatch_event_rule": {}, "aws_cloudwatch_event_target": {}}
    alarms = {}
    for each in resources(state["values"]["root_module"]):
        if each["name"] == "restart" and each["type"] in found:
            found[each["type"]][each["index"]] = each["values"]
        if each["type"] == "aws_cloudwatch_event_rule" and each["name"] == "failed":
            alarms[each["values"]["name"]] = json.loads(each["values"]["event_pattern"])
    rules, targets = found.values()
    wanted = {f"{name}__{end}" for name in ("nightly", "hourly") for end in ("killed", "held")}
    report("each schedule that is restarted has both rules", rules.keys() ^ wanted)
    report("each rule has a target", rules.keys() ^ targets.keys())
    patterns = {key: json.loads(rule["event_pattern"]) for key, rule in rules.items()}
    check_ends(patterns)
    check_others(patterns, targets)
    check_alarm(alarms["dbt-shop-live-failed"])
    check_targets(targets)
    sys.exit(bool(FAILED))


if __name__ == "__main__":
    main()
