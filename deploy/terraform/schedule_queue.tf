locals {
  queue_name = "${local.name}-not-started"
}

# Every message is a start that the scheduler gave up, with the reason in its attributes.
resource "aws_sqs_queue" "not_started" {
  count = local.is_scheduled ? 1 : 0

  name                      = local.queue_name
  message_retention_seconds = 14 * 24 * 3600
  sqs_managed_sse_enabled   = true
  tags                      = var.tags
}
