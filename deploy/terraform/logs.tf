resource "aws_cloudwatch_log_group" "this" {
  # checkov:skip=CKV_AWS_158: CloudWatch encrypts all logs; the runner masks secrets, and a key of one's own can be given.
  # checkov:skip=CKV_AWS_338: 90 days tell how a run went; who has to keep logs for a year says so.
  name              = local.log_group_name
  retention_in_days = var.log_retention_days
  kms_key_id        = var.log_kms_key_arn
  tags              = var.tags
}
