# ECS tells EventBridge when a task stops. A run that ended well is the only one that nobody needs to hear of.
resource "aws_cloudwatch_event_rule" "failed" {
  count = var.alarms == null ? 0 : 1

  name        = "${local.name}-failed"
  description = "A task of dbt project ${var.project} in ${var.env} failed, or did not start"
  tags        = var.tags
  event_pattern = jsonencode({
    source        = ["aws.ecs"]
    "detail-type" = ["ECS Task State Change"]
    detail = {
      clusterArn = [local.cluster_arn]
      lastStatus = ["STOPPED"]
      # RunTask makes the family the group, unless the caller names another.
      group = ["family:${local.name}"]
      # A container that never started has no exit code.
      containers = { exitCode = [{ "anything-but" = [0] }, { exists = false }] }
    }
  })
}

resource "aws_cloudwatch_event_target" "failed" {
  count = var.alarms == null ? 0 : 1

  rule = aws_cloudwatch_event_rule.failed[0].name
  arn  = var.alarms.topic_arn
  # The event as it is. AWS's chat application (Amazon Q Developer, before: Chatbot) drops an event that an input transformer has changed.
}

resource "aws_cloudwatch_metric_alarm" "not_started" {
  count = var.alarms != null && local.is_scheduled ? 1 : 0

  alarm_name          = local.queue_name
  alarm_description   = "EventBridge Scheduler gave up starting ${local.name}; the reason is in the message's attributes in SQS"
  namespace           = "AWS/SQS"
  metric_name         = "ApproximateNumberOfMessagesVisible"
  dimensions          = { QueueName = local.queue_name }
  statistic           = "Maximum"
  period              = 300
  evaluation_periods  = 1
  threshold           = 0
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = [var.alarms.topic_arn]
  tags                = var.tags
}
