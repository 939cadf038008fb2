#!/usr/bin/env bash
# The part `moto` of `run`: the real AWS provider 3.39 on a local AWS. The argument is the directory
# with its wheel. Leaves the applied state in $built/applied.json.
set -euo pipefail
: "${here:?}" "${built:?}" "${module:?start it by tests/deploy/terraform/run $(basename "$0" .sh)}"
. "$here/lib.sh"
work=$built/moto
rm -rf "$work" "$built/applied.json"
mkdir -p "$work/providers/registry.terraform.io/hashicorp/aws" "$work/module"

"$built/venv-moto/bin/python" - "$1"/*.whl "$work/providers/registry.terraform.io/hashicorp/aws" <<'PYTHON'
import pathlib, sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as wheel:
    name = next(name for name in wheel.namelist() if name.endswith("terraform-provider-aws_3.39.0_linux_amd64.zip"))
    pathlib.Path(sys.argv[2], pathlib.Path(name).name).write_bytes(wheel.read(name))
PYTHON
mirror "$work/providers"
"$built/venv-moto/bin/python" "$here/moto/reduce.py" "$module" "$work/module"
cp "$here/moto/main.tf" "$work/"

# The system chooses a free port, and the server says which.
MOTO_IAM_LOAD_MANAGED_POLICIES=true PYTHONUNBUFFERED=1 \
    "$built/venv-moto/bin/moto_server" --host 127.0.0.1 --port 0 >"$work/moto.log" 2>&1 &
server=$!
trap 'kill "$server" 2>/dev/null || true' EXIT
wait_for "$server" grep -q 'Running on http' "$work/moto.log" || {
    cat "$work/moto.log" >&2
    exit 1
}
endpoint=$(sed -n -E 's/.*Running on (http:[^ ]+).*/\1/p' "$work/moto.log" | head -n 1)
export TF_VAR_endpoint=$endpoint

cd "$work"
check "the reduced module is initialised" terraform init -input=false -no-color
# Terraform says which provider it runs; nothing here must be the stub.
check "the provider is the real 3.39.0" grep -qF 'version     = "3.39.0"' .terraform.lock.hcl
check "it is applied" terraform apply -input=false -no-color -auto-approve
check "the second plan is empty" terraform plan -input=false -no-color -detailed-exitcode
terraform show -json >"$built/applied.json"
terraform plan -input=false -no-color -var memory=2048 -out=revision >/dev/null
terraform show -json revision >"$work/revision.json"
check "a task's new revision is there before the old one goes" jq --exit-status '[.resource_changes[]
    | select(.type == "aws_ecs_task_definition" and .change.actions != ["no-op"]) | .change.actions] == [["create", "delete"]]' \
    "$work/revision.json"
# Somebody changes a role by hand: the plan has to see it, or an empty plan would mean nothing.
check "a change by hand is seen" "$here/moto/change_by_hand.sh" "$endpoint" "$built/venv-moto/bin/python"
check "it is destroyed" terraform destroy -input=false -no-color -auto-approve

# The roles of GitHub's workflows, and their boundary.
cp -R "$here/../../../deploy/bootstrap" "$work/bootstrap"
cp "$here/moto/bootstrap_override.tf" "$work/bootstrap/"
printf 'variable "endpoint" {\n  type = string\n}\n' >"$work/bootstrap/endpoint.tf"
cat >"$work/bootstrap/terraform.tfvars" <<'SETTINGS'
project          = "shop"
env              = "live"
account_id       = "123456789012"
region           = "eu-west-1"
state_bucket     = "acme-terraform"
repository       = "acme/dbt.shop"
owner_id         = "11"
repository_id    = "22"
boundary_actions = ["redshift:GetClusterCredentials"]
SETTINGS
bootstrap() { terraform -chdir="$work/bootstrap" "$@" -input=false -no-color; }
check "the bootstrap is initialised" bootstrap init
check "the bootstrap is applied" bootstrap apply -auto-approve
check "the bootstrap's second plan is empty" bootstrap plan -detailed-exitcode
terraform -chdir="$work/bootstrap" show -json >"$work/bootstrap.json"
check "a role trusts both forms of the subject, of its own environment alone" jq --exit-status '
    [.values.root_module.resources[] | select(.type == "aws_iam_role")
        | .values.assume_role_policy | fromjson.Statement[0].Condition.StringEquals
        | .["token.actions.githubusercontent.com:sub"]]
    == [["repo:acme/dbt.shop:environment:live", "repo:acme@11/dbt.shop@22:environment:live"],
        ["repo:acme/dbt.shop:environment:live-plan", "repo:acme@11/dbt.shop@22:environment:live-plan"]]' "$work/bootstrap.json"
check "the workflow's role hands the module's roles to the services that they trust, and to no other" \
    jq --exit-status --slurpfile applied "$built/applied.json" '
    def every: .resources[]?, (.child_modules[]? | every);
    ([$applied[0].values.root_module | every | select(.type == "aws_iam_role")
        | .values.assume_role_policy | fromjson.Statement[].Principal.Service // empty] | unique)
    == ([.values.root_module.resources[] | select(.type == "aws_iam_role_policy" and .name == "apply")
        | .values.policy | fromjson.Statement[] | select(.Action == "iam:PassRole")
        | .Condition.StringEquals["iam:PassedToService"]] | add | sort)' "$work/bootstrap.json"
check "the bootstrap is destroyed" bootstrap destroy -auto-approve
check "nothing is left" "$built/venv-moto/bin/python" "$here/moto/left.py" "$endpoint"
