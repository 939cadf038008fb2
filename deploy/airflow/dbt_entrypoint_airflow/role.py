"""Owns the check of the role that the operator's connection assumes. Never asks AWS."""

from __future__ import annotations

import json
from typing import Any

from .places import AirflowFailException, AirflowNotFoundException, BaseHook
from .settings import VARIABLE


def check_role(operator: Any) -> None:
    """The connection has to assume the role of the settings, or all would be done with whatever
    rights the worker has.
    """
    extras = {"role_arn": operator.role_arn, "region_name": operator.region_name}
    extra = json.dumps({key: value for key, value in extras.items() if value})
    add = f"airflow connections add {operator.aws_conn_id} --conn-type aws --conn-extra '{extra}'"
    try:
        role = BaseHook.get_connection(operator.aws_conn_id).extra_dejson.get("role_arn")
    except AirflowNotFoundException:
        raise AirflowFailException(
            f"There is no connection {operator.aws_conn_id!r}. Remedy: {add}"
        ) from None
    if role != operator.role_arn:
        raise AirflowFailException(
            f"The connection {operator.aws_conn_id!r} assumes {role or 'no role'}, "
            f"and role_arn in the variable {VARIABLE!r} is "
            f"{operator.role_arn or 'null'}: they have to be the same. Remedy: "
            # What is there is not overwritten.
            f"airflow connections delete {operator.aws_conn_id} && {add}"
        )
