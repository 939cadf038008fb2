"""Owns what became of a run: exit code, closing line, and whether to try again. Never asks AWS."""

from __future__ import annotations

import json
from typing import Any

# What the runner's exit codes mean and what to do: the table of the runner's README.
EXIT_CODES = {
    1: (
        "a model or a test failed, or dbt could not connect",
        "Mend what is named below, then run it again.",
    ),
    2: (
        "dbt could not go on",
        "Look at the end of the log: mostly the project does not parse, or dbt was interrupted.",
    ),
    64: (
        "the command line or a setting is wrong",
        "Mend what the message names: a param, or the task definition's environment.",
    ),
    65: (
        "the warehouse's login cannot be had",
        "The Glue Connection, secret or parameter is missing, incomplete or malformed.",
    ),
    69: (
        "AWS could not be reached, or kept throttling",
        "Nothing has run. If retries do not help: VPC endpoints, NAT, AWS's health.",
    ),
    70: ("a fault in the runner itself", "Report it, with the log."),
    74: (
        "dbt was done, but its artifacts could not be published",
        "The data are there; a retry would build all of it again. Look at "
        "the message: bucket, its policy, or a secret that was found in an artifact.",
    ),
    75: (
        "another run holds the lease, or this run lost it",
        "Two runs would write the same tables. If retries do not help, look who holds it: "
        "`dbt-entrypoint lease show`.",
    ),
    77: ("AWS denied access to the login", "Allow the task role what the message names."),
    124: (
        "the deadline or a step's timeout passed",
        "Find what is slow, or raise deadline_seconds with Terraform.",
    ),
    126: ("the program cannot be run", "The image is broken: look at how it was built."),
    127: ("the program was not found", "The image is broken: look at how it was built."),
    130: ("it was interrupted", "Somebody stopped it. Run it again when that is right."),
    137: (
        "it was killed",
        "Memory ran out (raise it with Terraform, or use fewer threads), "
        "or stopTimeout was too short.",
    ),
    143: (
        "it was stopped",
        "Somebody stopped it, or Airflow did. Run it again when that is right.",
    ),
}
UNKNOWN_CODE = ("a step ended with this code of its own", "Look at the end of the log.")

# The login could not be fetched because AWS did not answer: nothing has run, so trying again is
# safe and may help. Or another run was there first, and will have ended by then.
RETRY_EXIT_CODES = (69, 75)
# AWS took the machine away, which is nobody's decision about this run. It ends what runs there by
# SIGTERM, then SIGKILL: a container with another code had ended before.
TAKEN_AWAY_STOP_CODES = {"SpotInterruption", "TerminationNotice"}
TAKEN_AWAY_EXIT_CODES = {None, 137, 143}
# SIGKILL, mostly since memory ran out.
KILLED = 137


def container_of(task: dict[str, Any], name: str) -> dict[str, Any]:
    return next((c for c in task.get("containers", []) if c.get("name") == name), {})


def exit_code(task: dict[str, Any], container_name: str) -> int | None:
    return container_of(task, container_name).get("exitCode")


def judge(
    task: dict[str, Any], container_name: str, line: dict[str, Any] | None
) -> tuple[int | None, bool, str]:
    """From what ECS says of a stopped task, and the closing line: the exit code, whether to try
    again, and what to tell people.
    """
    container = container_of(task, container_name)
    code = container.get("exitCode")
    reason = (
        "; ".join(filter(None, [task.get("stoppedReason"), container.get("reason")]))
        or "no reason given"
    )
    stop_code = task.get("stopCode", "")
    if code == 0:
        return code, False, "success"
    if stop_code == "TaskFailedToStart":
        return code, True, f"ECS could not start the container: {reason}"
    if stop_code in TAKEN_AWAY_STOP_CODES and code in TAKEN_AWAY_EXIT_CODES:
        return code, True, f"AWS took the container away ({stop_code}): {reason}"
    if code is None and stop_code == "UserInitiated":
        return code, False, f"it was stopped before it began: {reason}"
    if code is None:
        # It was neither ended nor stopped: the machine below it is gone.
        return code, True, f"the container was lost ({stop_code or 'no stop code'}): {reason}"
    # A step's own code is handed on, also one that has a meaning of the runner's.
    of_a_step = code in RETRY_EXIT_CODES and line is not None and line["status"] != "error"
    meaning, remedy = UNKNOWN_CODE if of_a_step else EXIT_CODES.get(code, UNKNOWN_CODE)
    return (
        code,
        code in RETRY_EXIT_CODES and not of_a_step,
        f"exit code {code}: {meaning} ({reason}). {remedy}",
    )


def ended_before_its_steps(task: dict[str, Any], container_name: str) -> bool:
    """Whether a run has certainly done nothing: ECS could not start it, AWS was out of reach, or
    another run was at work.
    """
    if task.get("stopCode", "") == "TaskFailedToStart":
        return True
    return exit_code(task, container_name) in RETRY_EXIT_CODES


def was_cut_off(task: dict[str, Any], container_name: str) -> bool:
    """Whether a run ended in its middle though nobody decided so: killed, taken away, or lost. What
    it has built need not be built again.
    """
    code, stop_code = exit_code(task, container_name), task.get("stopCode", "")
    if stop_code in TAKEN_AWAY_STOP_CODES:
        return code in TAKEN_AWAY_EXIT_CODES
    if stop_code in ("TaskFailedToStart", "UserInitiated"):
        return False
    return code in (None, KILLED)


def closing_line(messages: list[str]) -> dict[str, Any] | None:
    """The runner's closing line, which is the last that it writes."""
    for message in reversed(messages):
        if not message.lstrip().startswith("{"):
            continue
        try:
            line = json.loads(message)
        except ValueError:
            continue
        if is_closing_line(line):
            return line
    return None


def is_closing_line(line: Any) -> bool:
    """Whether it has what is read of it here. Whoever prints something like it must not make the
    task fail in another way than it did.
    """
    texts = {"steps": ("name", "status"), "failed": ("step", "node", "message")}
    return (
        isinstance(line, dict)
        and {"status", "exit_code", "run_id"} <= line.keys()
        and all(
            isinstance(line.get(key), list)
            and all(
                isinstance(entry, dict) and all(isinstance(entry.get(name), str) for name in names)
                for entry in line[key]
            )
            for key, names in texts.items()
        )
        and all(isinstance(step.get("seconds"), int | float | None) for step in line["steps"])
    )


def believed(line: dict[str, Any] | None, code: int | None) -> dict[str, Any] | None:
    """The line, unless it contradicts the exit code: that is the word of ECS, and what looks like a
    closing line may be from a step.
    """
    return line if line and line["exit_code"] == code else None


def details(line: dict[str, Any] | None) -> list[str]:
    """What the closing line says of a failure, one item a line."""
    if line is None:
        return ["No closing line of the runner was found."]
    said = [f"runner: {line['error']}"] if line.get("error") else []
    steps = [f"{step['name']} ({step['status']})" for step in unhappy_steps(line)]
    said += [f"steps: {', '.join(steps)}"] if steps else []
    taken_over = resumption(line)
    said += [taken_over] if taken_over else []
    said += [f"{node['step']}: {node['node']}: {node['message']}" for node in line["failed"]]
    return said + places(line)


def places(line: dict[str, Any]) -> list[str]:
    """Where to read on: the run's page, if it has one, and the ledger."""
    page, ledger = page_of(line), line.get("destination")
    said = [f"page: {page}"] if page else []
    return said + ([f"ledger: {ledger}/runs/{line['run_id']}/"] if ledger else [])


def page_of(line: dict[str, Any] | None) -> str | None:
    """The address of the run's page, where it has one for a browser."""
    page = line.get("page") if line else None
    is_address = isinstance(page, str) and page.startswith(("https://", "http://"))
    return page if is_address else None


def unhappy_steps(line: dict[str, Any]) -> list[dict[str, Any]]:
    happy = ("success", "skipped", "resumed")
    return [step for step in line["steps"] if step["status"] not in happy]


def resumption(line: dict[str, Any]) -> str | None:
    """Which run this one finished, and what of it was not run again; or why it finished none. None
    if it was to finish none.
    """
    said = line.get("resumed")
    earlier, refused = (said.get("from"), said.get("refused")) if isinstance(said, dict) else (0, 0)
    named = f" from {earlier}" if isinstance(earlier, str) else ""
    if isinstance(refused, str):
        return f"not resumed{named}: {refused}"
    if not named:
        return None
    done = [step["name"] for step in line["steps"] if step["status"] == "resumed"]
    return f"resumed{named}" + (f"; not run again: {', '.join(done)}" if done else "")
