"""The role that the AWS connection assumes: it is that of the settings, or nothing is started and
the remedy works as printed.
"""

import json
import re
import shlex

import pytest
from support.settings import GOOD


def message(dbt_ecs):
    task = dbt_ecs.build_dag(dbt_ecs.load_settings(json.dumps(GOOD))[0][0]).get_task("dbt")
    with pytest.raises(dbt_ecs.AirflowFailException) as error:
        dbt_ecs.check_role(task)
    return str(error.value)


def added(remedy):
    """The extra of the `airflow connections add` at the end of the remedy, as a shell would hand it
    on.
    """
    words = shlex.split(remedy)
    assert words[:6] == ["airflow", "connections", "add", "aws_dbt", "--conn-type", "aws"]
    assert words[6] == "--conn-extra"
    return json.loads(words[7])


def test_no_connection(dbt_ecs):
    said, _, remedy = message(dbt_ecs).partition(" Remedy: ")
    assert said == "There is no connection 'aws_dbt'."
    assert added(remedy) == {"role_arn": GOOD["role_arn"], "region_name": GOOD["region"]}


@pytest.mark.parametrize("extra", [{}, {"role_arn": "arn:aws:iam::123456789012:role/Other"}])
def test_another_role(dbt_ecs, connect, extra):
    """The connection is there, and `connections add` alone would only say so."""
    connect("aws_dbt", conn_type="aws", extra=extra)
    said, _, remedy = message(dbt_ecs).partition(" Remedy: ")
    assert re.match(
        rf"The connection 'aws_dbt' assumes {extra.get('role_arn', 'no role')}, and role_arn", said
    )
    delete, _, add = remedy.partition(" && ")
    assert delete == "airflow connections delete aws_dbt"
    assert added(add)["role_arn"] == GOOD["role_arn"]
