"""Writes dbt projects of any size, shaped as teams have them: the same files for the same number of
models, byte for byte.

Of ten models four are staging views, each on a source table of its own, two are views that join
them, and four are tables for reports, of which every tenth is incremental. There are two data tests
for each model, freshness for each source, and a description for everything.
"""

import pathlib
import shutil

SYSTEMS = [
    "crm",
    "billing",
    "shop",
    "logistics",
    "support",
    "marketing",
    "web",
    "hr",
    "finance",
    "product",
]
TABLES_OF_A_SOURCE = 10
ROWS = 20

PROJECT = """name: bench
version: "1.0.0"
profile: shop

flags:
  send_anonymous_usage_stats: false

models:
  bench:
    staging:
      +materialized: view
      +schema: staging
    intermediate:
      +materialized: view
      +schema: intermediate
    marts:
      +materialized: table
"""

MACROS = {
    "cents_to_amount": "{% macro cents_to_amount(column) -%}\n"
    "    cast({{ column }} / 100.0 as numeric(12, 2))\n{%- endmacro %}\n",
    "clean_text": "{% macro clean_text(column) -%}\n    nullif(lower(trim({{ column }})), '')\n"
    "{%- endmacro %}\n",
    "latest": "{% macro latest(columns) -%}\n    greatest({{ columns | join(', ') }})\n"
    "{%- endmacro %}\n",
    "since_last_run": (
        "{% macro since_last_run(column) -%}\n"
        "    {% if is_incremental() %}where {{ column }} > (select max({{ column }}) from "
        "{{ this }}){% endif %}\n"
        "{%- endmacro %}\n"
    ),
}

# What the columns mean, as doc blocks that the descriptions refer to.
COLUMNS = {
    "entity_id": "The key, as the source system gives it.",
    "parent_id": "The entity that this one belongs to.",
    "status": "Where the entity is in its life: `new`, `open` or `done`.",
    "amount": "What it is worth, with two decimals.",
    "created_at": "When it came to be, in UTC.",
    "loaded_at": "When the row was loaded, in UTC.",
}

STAGING = """with source as (

    select * from {{{{ source('{source}', '{table}') }}}}

),

renamed as (

    select
        id as entity_id,
        parent_id,
        {{{{ clean_text('status') }}}} as status,
        {{{{ cents_to_amount('amount_cents') }}}} as amount,
        created_at,
        _loaded_at as loaded_at
    from source

)

select * from renamed
"""

JOINED = """{config}with left_side as (

    select * from {{{{ ref('{left}') }}}}

),

right_side as (

    select * from {{{{ ref('{right}') }}}}

),

joined as (

    select
        left_side.entity_id,
        left_side.parent_id,
        coalesce(left_side.status, right_side.status) as status,
        left_side.amount + coalesce(right_side.amount, 0) as amount,
        left_side.created_at,
        {{{{ latest(['left_side.loaded_at', 'right_side.loaded_at']) }}}} as loaded_at
    from left_side
    left join right_side on left_side.entity_id = right_side.entity_id

)

select * from joined
{tail}"""

RAW = """create table analytics_raw.{table} as
select
    n as id,
    1 as parent_id,
    case n % 3 when 0 then 'new' when 1 then 'open' else ' Done' end as status,
    n * 100 as amount_cents,
    current_timestamp as created_at,
    current_timestamp as _loaded_at
from generate_series(1, {rows}) as numbers(n);
"""


class Project:
    """The models of a project, by layer, and the tables that it reads."""

    def __init__(self, models: int):
        staging, intermediate = models * 4 // 10, models * 2 // 10
        self.tables = [f"{system(index)}_table_{index:04}" for index in range(staging)]
        self.staging = [f"stg_{table}" for table in self.tables]
        self.intermediate = [f"int_joined_{index:04}" for index in range(intermediate)]
        self.marts = [f"fct_report_{index:04}" for index in range(models - staging - intermediate)]

    def raw(self) -> str:
        """SQL that makes what the sources name."""
        return "create schema analytics_raw;\n" + "".join(
            RAW.format(table=table, rows=ROWS) for table in self.tables
        )

    def write(self, directory: pathlib.Path, profiles: pathlib.Path) -> None:
        texts = {"dbt_project.yml": PROJECT, "models/columns.md": documentation()}
        texts |= {f"macros/{name}.sql": text for name, text in MACROS.items()}
        for index, name in enumerate(self.staging):
            table = self.tables[index]
            texts[f"models/staging/{system(index)}/{name}.sql"] = STAGING.format(
                source=source(index), table=table
            )
        for index, name in enumerate(self.intermediate):
            # Each joins two neighbours, so that every staging model is read by one.
            pair = {
                "left": self.staging[2 * index],
                "right": self.staging[(2 * index + 1) % len(self.staging)],
            }
            texts[f"models/intermediate/{name}.sql"] = JOINED.format(config="", tail="", **pair)
        for index, name in enumerate(self.marts):
            texts[f"models/marts/{name}.sql"] = self.mart(index)
        texts |= self.descriptions()
        for path, text in texts.items():
            (directory / path).parent.mkdir(parents=True, exist_ok=True)
            (directory / path).write_text(text)
        shutil.copy(profiles, directory / "profiles.yml")

    def mart(self, index: int) -> str:
        # A third of them stands on another mart: graphs are a few levels deep.
        left = (
            self.marts[index // 2]
            if index % 3 == 2
            else self.intermediate[index % len(self.intermediate)]
        )
        right = self.staging[index % len(self.staging)]
        config, tail = "", ""
        if index % 10 == 9:
            config = "{{ config(materialized='incremental', unique_key='entity_id') }}\n\n"
            tail = "{{ since_last_run('loaded_at') }}\n"
        return JOINED.format(config=config, tail=tail, left=left, right=right)

    def descriptions(self) -> dict[str, str]:
        texts = {}
        for first in range(0, len(self.tables), TABLES_OF_A_SOURCE):
            group = range(first, min(first + TABLES_OF_A_SOURCE, len(self.tables)))
            folder = f"models/staging/{system(first)}"
            texts[f"{folder}/_{source(first)}__sources.yml"] = sources(
                source(first), [self.tables[index] for index in group]
            )
            models = [model(self.staging[index], accepted=index % 2 == 0) for index in group]
            texts[f"{folder}/_{source(first)}__models.yml"] = "models:\n" + "".join(models)
        undemanding = [model(name, tested=False) for name in self.intermediate]
        texts["models/intermediate/_intermediate.yml"] = "models:\n" + "".join(undemanding)
        marts = [
            model(name, parent=self.staging[0] if index % 2 == 0 else None)
            for index, name in enumerate(self.marts)
        ]
        texts["models/marts/_marts.yml"] = "models:\n" + "".join(marts)
        return texts


def system(index: int) -> str:
    return SYSTEMS[index // TABLES_OF_A_SOURCE % len(SYSTEMS)]


def source(index: int) -> str:
    """A system with more tables than one source takes has several sources."""
    number = index // TABLES_OF_A_SOURCE // len(SYSTEMS)
    return system(index) + (f"_{number}" if number else "")


def documentation() -> str:
    return "\n".join(
        f"{{% docs {name} %}}\n{text}\n{{% enddocs %}}\n" for name, text in COLUMNS.items()
    )


def sources(name: str, tables: list[str]) -> str:
    text = f"""sources:
  - name: {name}
    description: What the system {name} delivers, as it delivers it.
    schema: analytics_raw
    config:
      loaded_at_field: _loaded_at
      freshness:
        warn_after: {{count: 12, period: hour}}
        error_after: {{count: 48, period: hour}}
    tables:
"""
    for table in tables:
        text += (
            f"      - name: {table}\n        description: The table {table}.\n        columns:\n"
        )
        text += "".join(
            f"          - name: {column}\n"
            for column in ["id", "status", "amount_cents", "_loaded_at"]
        )
    return text


def model(name: str, tested: bool = True, accepted: bool = False, parent: str | None = None) -> str:
    text = (
        f"  - name: {name}\n"
        f"    description: One row per entity; read by reports and by people.\n    columns:\n"
    )
    for column in COLUMNS:
        text += f"      - name: {column}\n        description: \"{{{{ doc('{column}') }}}}\"\n"
        if tested and column == "entity_id":
            text += "        data_tests: [unique, not_null]\n"
        if accepted and column == "status":
            text += (
                "        data_tests:\n          - accepted_values:\n"
                "              arguments: {values: [new, open, done]}\n"
            )
        if parent and column == "parent_id":
            text += (
                f"        data_tests:\n          - relationships:\n"
                f"              arguments: {{to: ref('{parent}'), field: entity_id}}\n"
            )
    return text
