#!/usr/bin/env bash
# change_by_hand.sh ENDPOINT PYTHON: widen a role's policy behind Terraform's back, and see that the
# next plan is not empty.
set -euo pipefail
"$2" - "$1" <<'PYTHON'
import json, sys
import boto3
iam = boto3.client("iam", endpoint_url=sys.argv[1], region_name="eu-west-1", aws_access_key_id="test", aws_secret_access_key="test")
everything = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
iam.put_role_policy(RoleName="DBTServiceRole-shop-live", PolicyName="login-and-publish", PolicyDocument=json.dumps(everything))
PYTHON
status=0
terraform plan -input=false -no-color -detailed-exitcode || status=$?
[ "$status" = 2 ]
