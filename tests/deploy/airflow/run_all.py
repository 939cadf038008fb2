"""Run DAGs to their end, one after another, as `airflow dags test` does; for arguments see there.

    python run_all.py DAG_ID…

One process for all, since Airflow takes longer to start than these runs take. A line `=== DAG_ID`
stands before the output of each.
"""

import sys

try:
    from airflow.dag_processing.dagbag import DagBag
except ImportError:  # Airflow 2
    from airflow.models import DagBag

bag = DagBag()
for dag_id in sys.argv[1:]:
    print(f"\n=== {dag_id}", flush=True)
    bag.dags[dag_id].test()
    sys.stdout.flush()
