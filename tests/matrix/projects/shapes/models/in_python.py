def model(dbt, session):  # noqa: ARG001
    dbt.config(materialized="table", tags=["python"])
    rows = dbt.ref("numbers")
    factor = dbt.config.get("factor", 2)
    return rows.project(f"id * {factor} as id, word")
