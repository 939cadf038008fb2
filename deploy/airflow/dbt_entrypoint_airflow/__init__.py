"""Run dbt on ECS from Airflow: `build_dags()` makes one DAG for each project and environment that
the Airflow variable `dbt_ecs` names; `dbt_run` and `dbt_task_group` stand in DAGs of one's own.

For Airflow 3, and for 2.10 with version 9 or later of the Amazon provider, which is all that it
needs (`airflow[amazon]`). The settings come from the output `airflow_variable` of the Terraform
module. `RUNBOOK` is what an operator sees beside the DAG.
"""

from .dags import build_dag, build_dags, dbt_run, dbt_task_group, settings_of
from .operator import DbtRun
from .settings import SettingsError, load_settings, read_variable

__all__ = [
    "DbtRun",
    "SettingsError",
    "build_dag",
    "build_dags",
    "dbt_run",
    "dbt_task_group",
    "load_settings",
    "read_variable",
    "settings_of",
]
