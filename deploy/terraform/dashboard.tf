# The runner's closing line is a line of CloudWatch's embedded metric format: the log group makes metrics of it, and nobody needs a right.
locals {
  has_metrics       = var.dashboard || try(var.alarms.no_success_hours, null) != null
  metrics_namespace = "dbt-entrypoint"
  metrics_dimensions = {
    project = var.project
    env     = var.env
  }
}

locals {
  # One metric of this project and environment, as a dashboard names it.
  metric = { for name in [
    "duration", "nodes_error", "nodes_skipped", "nodes_success", "nodes_warn", "run_failed", "run_succeeded",
  ] : name => [local.metrics_namespace, name, "project", var.project, "env", var.env] }

  widgets = [
    {
      title = "Runs"
      view  = "timeSeries"
      metrics = [
        concat(local.metric.run_succeeded, [{ label = "succeeded", color = "#1a7f4b" }]),
        concat(local.metric.run_failed, [{ label = "failed", color = "#b3261e" }]),
      ]
      stat = "Sum"
    },
    {
      title   = "Duration in seconds"
      view    = "timeSeries"
      metrics = [concat(local.metric.duration, [{ label = "a run" }])]
      stat    = "Maximum"
    },
    {
      title = "Nodes that need attention"
      view  = "timeSeries"
      metrics = [
        concat(local.metric.nodes_error, [{ label = "failed", color = "#b3261e" }]),
        concat(local.metric.nodes_warn, [{ label = "warned", color = "#b97700" }]),
        concat(local.metric.nodes_skipped, [{ label = "skipped", color = "#7f7f7f" }]),
      ]
      stat = "Maximum"
    },
    {
      title   = "Nodes that succeeded"
      view    = "timeSeries"
      metrics = [concat(local.metric.nodes_success, [{ label = "nodes" }])]
      stat    = "Maximum"
    },
  ]
}

resource "aws_cloudwatch_dashboard" "this" {
  count = var.dashboard ? 1 : 0

  dashboard_name = local.name
  dashboard_body = jsonencode({
    widgets = [for place, widget in local.widgets : {
      type   = "metric"
      x      = place % 2 * 12
      y      = floor(place / 2) * 6
      width  = 12
      height = 6
      properties = {
        title   = widget.title
        view    = widget.view
        metrics = widget.metrics
        stat    = widget.stat
        period  = 3600
        region  = local.region
      }
    }]
  })
}
