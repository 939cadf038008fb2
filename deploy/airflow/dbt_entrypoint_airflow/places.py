"""Owns from where Airflow is imported, which differs between its versions. Never anything else."""

from __future__ import annotations

try:
    from airflow.sdk import DAG, BaseOperator, Param, TaskGroup, Variable
except ImportError:  # Airflow 2
    from airflow.models import DAG, BaseOperator, Param, Variable
    from airflow.utils.task_group import TaskGroup
try:
    from airflow.sdk import Asset, AssetAlias
except ImportError:  # Airflow 2
    from airflow.datasets import Dataset as Asset
    from airflow.datasets import DatasetAlias as AssetAlias
try:
    from airflow.sdk import BaseHook
except ImportError:  # Airflow 2, and 3.0
    from airflow.hooks.base import BaseHook
try:
    from airflow.sdk.exceptions import (
        AirflowException,
        AirflowFailException,
        AirflowNotFoundException,
        AirflowTaskTimeout,
    )
except ImportError:  # Airflow 2, and 3.0 and 3.1
    from airflow.exceptions import (
        AirflowException,
        AirflowFailException,
        AirflowNotFoundException,
        AirflowTaskTimeout,
    )
try:
    from airflow.sdk import BaseOperatorLink
    from airflow.sdk.execution_time.xcom import XCom

    IS_AIRFLOW_2 = False
except ImportError:
    from airflow.models import XCom
    from airflow.models.baseoperatorlink import BaseOperatorLink

    IS_AIRFLOW_2 = True

__all__ = [
    "DAG",
    "IS_AIRFLOW_2",
    "AirflowException",
    "AirflowFailException",
    "AirflowNotFoundException",
    "AirflowTaskTimeout",
    "Asset",
    "AssetAlias",
    "BaseHook",
    "BaseOperator",
    "BaseOperatorLink",
    "Param",
    "TaskGroup",
    "Variable",
    "XCom",
]
