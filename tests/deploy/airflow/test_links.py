"""The button that leads to the page of a run, and that it leads nowhere else."""

import types

import pytest

PAGE = "https://docs.example.com/shop/runs/20261122T061442Z-1a2b3c4d/index.html"


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
    if dbt_ecs.XCom is None:
        # Airflow 2 wants a plugin for that, and says so in the log of each parse.
        assert dbt_ecs.DbtRun.operator_extra_links == ()
        return
    asked = {}

    def get_value(**of):
        asked.update(of)
        return line

    monkeypatch.setattr(dbt_ecs, "XCom", types.SimpleNamespace(get_value=get_value))
    (button,) = dbt_ecs.DbtRun.operator_extra_links
    assert button.get_link(None, ti_key="a try") == expected
    assert asked == {"ti_key": "a try", "key": "return_value"}
