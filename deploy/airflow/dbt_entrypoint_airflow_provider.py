"""Owns what the wheel tells Airflow of itself. Never imports the package: Airflow asks this at the
start of every command.
"""

from __future__ import annotations

from typing import Any


def get_provider_info() -> dict[str, Any]:
    return {
        "package-name": "dbt-entrypoint-airflow",
        "name": "dbt-entrypoint",
        "description": "dbt on ECS",
        # Airflow 2 shows no others.
        "extra-links": [
            "dbt_entrypoint_airflow.links.RunPage",
            "dbt_entrypoint_airflow.links.Docs",
        ],
    }
