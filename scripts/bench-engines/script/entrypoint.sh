#!/usr/bin/env bash
# The entrypoint that teams bake into their dbt image, and that dbt-entrypoint takes the place of: a
# helper fetches the credentials into a file, the file is sourced, dbt runs six times, the AWS CLI
# copies the artifacts. Written as such scripts are, and no slower.
set -euo pipefail

credentials=$(mktemp)
trap 'rm -f "$credentials"' EXIT
python3 "$(dirname "$0")/credentials.py" "$GLUE_CONNECTION" "$credentials"
# shellcheck source=/dev/null
. "$credentials"

cd "$DBT_PROJECT_DIR"
dbt deps
dbt debug
dbt run
dbt test
dbt source freshness
dbt docs generate

aws s3 cp target "s3://dbt-documentation-$ENV/$PROJECT_NAME/" --recursive --exclude '*' --include '*.json' --include '*.html'
