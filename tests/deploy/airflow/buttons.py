"""The buttons beside a task's last try, as the webserver shows them.

    python buttons.py DAG_ID TASK_ID

Prints {name: address} as the last line. The webserver has the DAG only as it was written down.
"""

import json
import sys

from airflow.models.taskinstance import TaskInstance
from airflow.serialization import serialized_objects
from airflow.utils.session import create_session

try:
    from airflow.dag_processing.dagbag import DagBag
except ImportError:  # Airflow 2
    from airflow.models import DagBag

written = getattr(serialized_objects, "DagSerialization", serialized_objects.SerializedDAG)
dag_id, task_id = sys.argv[1:]
dag = written.from_dict(written.to_dict(DagBag().dags[dag_id]))
task = dag.get_task(task_id)
with create_session() as session:
    of_task = session.query(TaskInstance).filter_by(dag_id=dag_id, task_id=task_id)
    try_ = of_task.one()
    buttons = {name: task.get_extra_links(try_, name) for name in sorted(task.extra_links)}
print(json.dumps(buttons))
