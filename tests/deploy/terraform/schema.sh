#!/usr/bin/env bash
# The part `schema` of `run`: Terraform with the schema of the AWS provider 6, by a stub that knows
# no AWS.
set -euo pipefail
: "${here:?}" "${built:?}" "${module:?start it by tests/deploy/terraform/run $(basename "$0" .sh)}"
. "$here/lib.sh"
work=$built/schema
rm -rf "$work"
mkdir -p "$work/home"

# One provider for all calls: starting it costs more than what Terraform does with it. It says on
# stdout how it is reached.
HOME=$work/home TF_STUB_SCHEMA=$built/schema.json PYTHONUNBUFFERED=1 \
    "$built/venv-stub/bin/python" "$here/stub/provider.py" --dev >"$work/provider.log" 2>&1 &
provider=$!
trap 'kill "$provider" 2>/dev/null || true' EXIT
wait_for "$provider" grep -q TF_REATTACH_PROVIDERS "$work/provider.log" || {
    cat "$work/provider.log" >&2
    exit 1
}
TF_REATTACH_PROVIDERS=$(sed -n "s/.*TF_REATTACH_PROVIDERS='\(.*\)'/\1/p" "$work/provider.log")
export TF_REATTACH_PROVIDERS

# refused NAME FILE TEXT MESSAGE: with the text in the place of the first line of a resource's file,
# `validate` has to fail and to say so.
refused() {
    local copy=$work/refused output
    copy_of_module "$copy"
    printf '%s\n' "$3" >>"$copy/$2"
    terraform -chdir="$copy" init -input=false -no-color >/dev/null
    if output=$(terraform -chdir="$copy" validate -no-color 2>&1); then
        not_ok "$1 is refused"
    elif ! grep -qF "$4" <<<"$output"; then
        not_ok "$1 is refused for this reason"
        printf '%s\n' "$output" | sed 's/^/    /'
    else
        ok "$1 is refused"
    fi
}
refused "an unknown argument" extra.tf 'resource "aws_ecs_cluster" "x" {
  name = "x"
  color = "red"
}' 'An argument named "color" is not expected here.'
refused "a missing argument" extra.tf 'resource "aws_ecs_cluster" "x" {}' 'The argument "name" is required'
refused "an unknown block" extra.tf 'resource "aws_ecs_cluster" "x" {
  name = "x"
  paint {}
}' 'Blocks of type "paint" are not expected here.'
refused "a wrong type" extra.tf 'resource "aws_ecs_cluster" "x" {
  name = ["x"]
}' 'Inappropriate value for attribute "name"'
refused "a missing block" extra.tf 'resource "aws_s3_bucket_versioning" "x" {
  bucket = "x"
}' 'At least 1 "versioning_configuration" blocks are required.'
refused "a resource that the provider has not" extra.tf 'resource "aws_ecs_clutser" "x" {}' 'does not support resource type'

copy_of_module "$work/module"
example=$work/module/examples/complete
cp "$here/example.tfvars.json" "$example/terraform.tfvars.json"
check "the module is initialised" terraform -chdir="$work/module" init -input=false -no-color
check "the module is valid" terraform -chdir="$work/module" validate -no-color
check "the example is initialised" terraform -chdir="$example" init -input=false -no-color
check "the example is valid" terraform -chdir="$example" validate -no-color
check "the example is planned" terraform -chdir="$example" plan -input=false -no-color -out=plan
check "the example is applied" terraform -chdir="$example" apply -input=false -no-color plan
check "the second plan is empty" terraform -chdir="$example" plan -input=false -no-color -detailed-exitcode
terraform -chdir="$example" show -json plan >"$work/plan.json"
check "the plan holds what it should" "$built/venv-stub/bin/python" "$here/plan_holds.py" "$work/plan.json"
# So that the test before cannot be one of nothing: an empty plan is not an accident.
check "a change makes the second plan not empty" bash -c \
    'terraform -chdir="$0" plan -input=false -no-color -detailed-exitcode -var company=other; [ $? = 2 ]' "$example"
check "the first apply can make the repository alone" terraform -chdir="$work/module" plan -input=false -no-color \
    -target=aws_ecr_repository.this -var project=shop -var env=dev -var credentials=none -var 'subnet_ids=["subnet-1"]' \
    -var 'security_group_ids=["sg-1"]'

status=0
terraform -chdir="$work/module" test -no-color >"$work/test.log" 2>&1 || status=$?
sed -n -E -e 's/^  run "(.*)"\.\.\. pass$/ok - terraform test: \1/p' \
    -e 's/^  run "(.*)"\.\.\. (fail|skip)$/not ok - terraform test: \1/p' "$work/test.log"
if [ "$status" != 0 ]; then
    grep -v '\.\.\. ' "$work/test.log" | sed 's/^/    /'
    exit "$status"
fi
