"""The DAGs of dbt: one for each entry of the Airflow variable dbt_ecs, such as dbt_shop_dev.

scripts/deploy puts the module that is imported here beside this file; where Airflow installs
packages, it is the wheel of the same name.
"""

from dbt_entrypoint_airflow import build_dags

# For a schedule of assets: build_dags(schedule=[Asset("s3://landing/orders")]). For dbt in a DAG of
# your own: dbt_run and dbt_task_group, from the same module.
build_dags()
