"""Owns the posts to Slack. Never logs an address, which is a secret."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import requests

from .outcome import details, page_of, resumption, unhappy_steps
from .places import AirflowNotFoundException, BaseHook

log = logging.getLogger(__name__)


def escape(text: Any) -> str:
    """Text that Slack shows as it is: neither links and mentions (`<`), nor the end of the code
    that it stands in (a backtick).
    """
    text = str(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return text.replace("`", "'")


# Of a task whose worker vanished Airflow knows no exception: the DAG processor makes the callback,
# with a context without one.
WORKER_LOST = "the worker was lost; the container may go on: look in ECS"


def slack_text(context: Any, line: dict[str, Any] | None, failed: bool) -> str:
    """The message: of a success one line, of a failure the steps and nodes as well."""
    dag, run = escape(context["dag"].dag_id), escape(context["run_id"])
    if not failed:
        seconds = sum(step["seconds"] or 0 for step in line["steps"]) if line else 0
        warned = [escape(step["name"]) for step in unhappy_steps(line)] if line else []
        warnings = f" Warnings in: {', '.join(warned)}." if warned else ""
        taken_over = resumption(line) if line else None
        taken_over = f" ({escape(taken_over[:500])})" if taken_over else ""
        page = link_to(page_of(line), "Page")
        done = f":white_check_mark: *{dag}* succeeded in {seconds:.0f} s (`{run}`){taken_over}."
        return f"{done}{warnings} {page}".rstrip()
    # A traceback is of no use to whom this reaches, and an exception may be long.
    reason = escape(str(context.get("exception") or WORKER_LOST).partition("\n")[0])[:500]
    body = escape("\n".join(details(line)))[:2500]
    links = [
        link_to(page_of(line), "Page"),
        link_to(getattr(context["ti"], "log_url", None), "Log"),
    ]
    more = " · ".join(link for link in links if link)
    return f":x: *{dag}* failed (`{run}`): `{reason}`\n```{body}```\n{more}".rstrip()


def link_to(address: str | None, name: str) -> str:
    """A link as Slack writes it; nothing without an address."""
    return f"<{escape(address).replace('|', '%7C')}|{name}>" if address else ""


def webhook(connection_id: str) -> str | None:
    """The URL, from a connection of the type Slack Incoming Webhook or HTTP: its host, and its
    password as the token.
    """
    try:
        connection = BaseHook.get_connection(connection_id)
    except AirflowNotFoundException:
        return None
    token = connection.password or ""
    if token.startswith(("https://", "http://")):
        return token
    base = connection.host or "https://hooks.slack.com/services"
    if "://" not in base:
        base = f"{connection.schema or 'https'}://{base}" + (
            f":{connection.port}" if connection.port else ""
        )
    return f"{base.rstrip('/')}/{token.lstrip('/')}".rstrip("/")


def pushed_line(ti: Any) -> dict[str, Any] | None:
    try:
        return ti.xcom_pull(task_ids=ti.task_id, key="return_value")
    except Exception:
        # A failure that can be told in part is told: not every Airflow lets the DAG processor read
        # XCom.
        log.exception("XCom cannot be read: Slack is told without the closing line.")
        return None


def slack(connection_id: str, *, failed: bool) -> Callable[[Any], None]:
    """A callback that posts to Slack where that connection exists. Whatever happens in it, the
    task's result stands.

    One for failures and one for successes, since the context of a call does not say which of both
    it is.
    """

    def post(context: Any) -> None:
        try:
            url = webhook(connection_id)
            if url is None:
                log.info("No connection %r: nothing is posted to Slack.", connection_id)
                return
            line = pushed_line(context["ti"])
            # Plainly by `requests`, which comes with the Amazon provider: the HTTP provider's hook
            # logs the URL, and this URL is a secret. A Slack provider would be one more thing to
            # install.
            requests.post(
                url, json={"text": slack_text(context, line, failed)}, timeout=10
            ).raise_for_status()
        except requests.RequestException as error:
            # The kind alone, since the message has the URL in it.
            status = error.response.status_code if error.response is not None else "no answer"
            log.warning(
                "Slack could not be told: %s (%s). The task's result stands.",
                type(error).__name__,
                status,
            )
        except Exception:
            log.exception("Slack could not be told. The task's result stands.")

    return post
