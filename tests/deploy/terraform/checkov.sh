#!/usr/bin/env bash
# The part `checkov` of `run`. Exceptions are comments in the module, each with its reason.
set -euo pipefail
: "${here:?}" "${built:?}" "${module:?start it by tests/deploy/terraform/run $(basename "$0" .sh)}"
. "$here/lib.sh"
work=$built/checkov
rm -rf "$work"
mkdir -p "$work"
checkov() {
    # No network: neither policies nor modules from elsewhere, no platform to report to.
    "$built/venv-checkov/bin/checkov" --framework terraform --skip-download --compact "$@"
}

copy_of_module "$work/module"
checkov --directory "$work/module" --output json >"$work/module.json" || true
"$built/venv-checkov/bin/python" - "$work/module.json" <<'PYTHON'
import json, sys
with open(sys.argv[1], encoding="utf-8") as file:
    results = json.load(file)["results"]
for kind, word in (("passed_checks", "ok"), ("failed_checks", "not ok")):
    for check in results[kind]:
        print(f"{word} - {check['check_id']} {check['resource']}: {check['check_name']}")
unargued = 0
for check in results["skipped_checks"]:
    is_argued = len(check["check_result"].get("suppress_comment") or "") > 20
    unargued += not is_argued
    print(f"{'ok' if is_argued else 'not ok'} - {check['check_id']} {check['resource']} is skipped with a reason")
sys.exit(bool(results["failed_checks"] or unargued))
PYTHON

# That it finds something where there is something.
mkdir "$work/open"
printf 'resource "aws_s3_bucket_public_access_block" "x" {\n  bucket = "x"\n  block_public_acls = false\n}\n' >"$work/open/main.tf"
checkov --directory "$work/open" --quiet --output json >"$work/open.json" || true
check "an open bucket is found" grep -q '"check_id": "CKV_AWS_53"' "$work/open.json"
