locals {
  queue_name = "${local.name}-not-started"
}

# Every message is a start that was given up, with the reason in its attributes.
resource "aws_sqs_queue" "not_started" {
  count = local.is_scheduled ? 1 : 0

  name                      = local.queue_name
  message_retention_seconds = 14 * 24 * 3600
  sqs_managed_sse_enabled   = true
  tags                      = var.tags
}

# The scheduler writes by its role; a rule can do so by the queue's policy alone.
resource "aws_sqs_queue_policy" "not_started" {
  count = length(local.restart_rules) > 0 ? 1 : 0

  queue_url = aws_sqs_queue.not_started[0].id
  policy    = data.aws_iam_policy_document.not_started.json
}

data "aws_iam_policy_document" "not_started" {
  statement {
    sid       = "RulesOfThisProject"
    actions   = ["sqs:SendMessage"]
    resources = ["arn:${local.partition}:sqs:${local.region}:${local.account}:${local.queue_name}"]

    principals {
      type        = "Service"
      identifiers = ["events.amazonaws.com"]
    }

    condition {
      test     = "ArnLike"
      variable = "aws:SourceArn"
      values   = [local.restart_rule_arns]
    }
  }
}
