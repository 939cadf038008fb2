resource "aws_scheduler_schedule_group" "this" {
  count = local.is_scheduled ? 1 : 0

  name = local.schedule_group
  tags = var.tags
}

resource "aws_scheduler_schedule" "this" {
  # checkov:skip=CKV_AWS_297: a schedule holds a command and the names of subnets, which AWS's own key encrypts.
  for_each = var.schedules

  name                         = each.key
  description                  = "dbt project ${var.project} in ${var.env}"
  group_name                   = aws_scheduler_schedule_group.this[0].name
  schedule_expression          = each.value.expression
  schedule_expression_timezone = each.value.timezone
  state                        = each.value.enabled ? "ENABLED" : "DISABLED"

  flexible_time_window {
    mode                      = each.value.flexible_minutes > 0 ? "FLEXIBLE" : "OFF"
    maximum_window_in_minutes = each.value.flexible_minutes > 0 ? each.value.flexible_minutes : null
  }

  target {
    arn      = local.cluster_arn
    role_arn = aws_iam_role.scheduler[0].arn
    input = each.value.command == null ? null : jsonencode({
      containerOverrides = [{ name = local.container_name, command = each.value.command }]
    })

    ecs_parameters {
      # The family alone: a new revision needs no new schedule.
      task_definition_arn = aws_ecs_task_definition.this.arn_without_revision
      task_count          = 1
      group               = each.value.restart ? local.scheduled_group[each.key] : null
      launch_type         = length(var.capacity_provider_strategy) == 0 ? "FARGATE" : null
      propagate_tags      = "TASK_DEFINITION"

      dynamic "capacity_provider_strategy" {
        for_each = var.capacity_provider_strategy

        content {
          capacity_provider = capacity_provider_strategy.value.capacity_provider
          weight            = capacity_provider_strategy.value.weight
          base              = capacity_provider_strategy.value.base
        }
      }

      network_configuration {
        subnets          = var.subnet_ids
        security_groups  = local.security_group_ids
        assign_public_ip = var.assign_public_ip
      }
    }

    retry_policy {
      maximum_retry_attempts       = var.schedule_retry.maximum_attempts
      maximum_event_age_in_seconds = var.schedule_retry.maximum_age_seconds
    }

    dead_letter_config {
      arn = aws_sqs_queue.not_started[0].arn
    }
  }

  depends_on = [aws_iam_role_policy.scheduler, aws_ecs_cluster_capacity_providers.this]
}
