"""Owns the buttons beside a try, and what they read. Never decides how a run ends."""

from __future__ import annotations

from typing import Any

from airflow.providers.amazon.aws.links.logs import CloudWatchEventsLink

from .outcome import page_of
from .places import IS_AIRFLOW_2, BaseOperatorLink, XCom

# Airflow 3 asks a button where it leads as the task ends, in its process: the operator knows. The
# webserver of Airflow 2 asks, and has only what was written down of the operator, and XCom.


class RunPage(BaseOperatorLink):
    """The button that leads to the page of the run."""

    name = "Page of the run"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        line = XCom.get_value(ti_key=ti_key, key="return_value") if IS_AIRFLOW_2 else operator.line
        return page_of(line) or ""


class Docs(BaseOperatorLink):
    """The button that leads to the docs."""

    name = "Docs"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        if IS_AIRFLOW_2:
            return XCom.get_value(ti_key=ti_key, key="docs_url") or ""
        return operator.docs_url or ""


LOG_STREAM = CloudWatchEventsLink()
# Airflow 2 shows only buttons that a provider or a plugin has registered, and calls others an error
# at each parse. The wheel registers them; a file among the DAGs cannot.
CAN_REGISTER = not IS_AIRFLOW_2 or __name__.startswith("dbt_entrypoint_airflow.")
LINKS = (LOG_STREAM, RunPage(), Docs()) if CAN_REGISTER else (LOG_STREAM,)


def console_address(partition: str, **stream: str) -> str | None:
    """Where AWS's console shows a log stream; None for a partition whose console the provider does
    not know.
    """
    domain = LOG_STREAM.get_aws_domain(partition)
    return LOG_STREAM.format_link(aws_domain=domain, **stream) if domain else None


def make_buttons(context: Any, operator: Any) -> None:
    """Puts into XCom what the buttons read, as the container starts, and says in the log where the
    container's own is. What goes wrong here is a warning.
    """
    ti = context["ti"]
    stream = {
        "awslogs_region": operator.awslogs_region,
        "awslogs_group": operator.awslogs_group,
        "awslogs_stream_name": operator._get_logs_stream_name(),
    }
    try:
        if IS_AIRFLOW_2 and operator.docs_url:
            ti.xcom_push(key="docs_url", value=operator.docs_url)
        partition = operator.hook.conn_partition
        address = console_address(partition, **stream)
        if not address:
            return
        operator.log.info("log stream: %s", address)
        LOG_STREAM.persist(
            context=context,
            operator=operator,
            region_name=operator.region_name,
            aws_partition=partition,
            **stream,
        )
        # Airflow 3 takes the address itself from XCom, and puts it there only as the task ends. Who
        # looks at a log mostly does so before.
        if not IS_AIRFLOW_2:
            ti.xcom_push(key=LOG_STREAM.xcom_key, value=address)
    except Exception:
        operator.log.warning("A button is missing.", exc_info=True)
