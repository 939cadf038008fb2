"""The buttons beside a try: that they lead where they should, and nowhere else."""

import types

import pytest
from support.airflow import Airflow

PAGE = "https://docs.example.com/shop/runs/20261122T061442Z-1a2b3c4d/index.html"
LOG_STREAM = "CloudWatch Events"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ({"page": PAGE}, PAGE),
        ({"page": None}, ""),
        ({"page": "javascript:alert(1)"}, ""),
        ({}, ""),
        (None, ""),
    ],
)
def test_the_button_leads_to_the_page(dbt_ecs, monkeypatch, line, expected):
    """In Airflow 3 by what the operator knows, in Airflow 2 by XCom."""
    asked = {}

    def get_value(**of):
        asked.update(of)
        return line

    monkeypatch.setattr(dbt_ecs, "XCom", types.SimpleNamespace(get_value=get_value))
    operator = types.SimpleNamespace(line=line) if Airflow.is_airflow_3 else None
    assert dbt_ecs.RunPage().get_link(operator, ti_key="a try") == expected
    assert asked == ({} if operator else {"ti_key": "a try", "key": "return_value"})


def test_buttons_of_the_single_file(dbt_ecs):
    """Airflow 2 wants buttons registered, which a file among the DAGs cannot be: it has that of the
    provider alone, and no error in the log of each parse.
    """
    names = [link.name for link in dbt_ecs.DbtRun.operator_extra_links]
    assert names == [LOG_STREAM, *(["Page of the run", "Docs"] if Airflow.is_airflow_3 else [])]


@pytest.mark.parametrize(
    ("partition", "expected"),
    [
        (
            "aws",
            "https://console.aws.amazon.com/cloudwatch/home?region=eu-west-1#logsV2:"
            "log-groups/log-group/%2Fdbt%2Fshop/log-events/ecs%2Fdbt%2F0123",
        ),
        ("aws-cn", "https://console.amazonaws.cn/cloudwatch/"),
        ("aws-eusc", None),
    ],
)
def test_the_address_of_the_log_stream(dbt_ecs, partition, expected):
    """Of a partition whose console the provider does not know there is none."""
    address = dbt_ecs.console_address(
        partition,
        awslogs_region="eu-west-1",
        awslogs_group="/dbt/shop",
        awslogs_stream_name="ecs/dbt/0123",
    )
    assert address == expected if not expected else address.startswith(expected)
