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
      group = ["family:${local.name}", { prefix = local.restart_prefix }]
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

# Of the runner's own metrics, so it also sees a run that nothing ever started: an hour without a run has no data, and that breaches, too.
resource "aws_cloudwatch_metric_alarm" "no_success" {
  count = try(var.alarms.no_success_hours, null) == null ? 0 : 1

  alarm_name          = "${local.name}-no-success"
  alarm_description   = "No run of dbt project ${var.project} in ${var.env} has succeeded for ${var.alarms.no_success_hours} hours"
  namespace           = local.metrics_namespace
  metric_name         = "run_succeeded"
  dimensions          = local.metrics_dimensions
  statistic           = "Sum"
  period              = 3600
  evaluation_periods  = var.alarms.no_success_hours
  datapoints_to_alarm = var.alarms.no_success_hours
  threshold           = 1
  comparison_operator = "LessThanThreshold"
  treat_missing_data  = "breaching"
  alarm_actions       = [var.alarms.topic_arn]
  ok_actions          = [var.alarms.topic_arn]
  tags                = var.tags
}

resource "aws_cloudwatch_metric_alarm" "not_started" {
  count = var.alarms != null && local.is_scheduled ? 1 : 0

  alarm_name          = local.queue_name
  alarm_description   = "EventBridge gave up starting ${local.name}; the reason is in the message's attributes in SQS"
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
