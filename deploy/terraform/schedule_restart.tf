# The scheduler does not see how a task ends, but ECS tells EventBridge. A task of a schedule that ended in one of two ways is started once
# more. What counts as killed, taken away or lost is what Airflow's package takes for it, too.

locals {
  # Begins the names of the rules, and of the groups of tasks that a schedule or a rule starts. No name of a project or environment has two
  # underscores, so it begins no other project's. ECS keeps the rule's name as who has started a task, and takes no dot or colon there.
  restart_prefix  = "${local.name}__"
  scheduled_group = { for name in keys(var.schedules) : name => "${local.restart_prefix}${name}__scheduled" }

  restart_rules = merge([for name, schedule in var.schedules : {
    for end in keys(local.restarts) : "${name}__${end}" => { schedule = name, end = end } if schedule.restart
  }]...)

  # The deadline is of the whole run, what it waits for the lease included.
  lease_wait_seconds = min(1800, floor(var.deadline_seconds / 2))

  restarts = {
    killed = {
      description = "killed, taken away or lost"
      ends = { "$or" = [
        # AWS took the machine away: SIGTERM, then SIGKILL. With another code the run had ended before.
        {
          stopCode   = ["SpotInterruption", "TerminationNotice"]
          containers = { name = [local.container_name], exitCode = [137, 143, { exists = false }] }
        },
        # SIGKILL, mostly since memory ran out; or no code at all, since the machine below is gone. Unless somebody stopped it.
        {
          stopCode   = [{ "anything-but" = ["TaskFailedToStart", "UserInitiated"] }, { exists = false }]
          containers = { name = [local.container_name], exitCode = [137, { exists = false }] }
        },
      ] }
      environment = {
        DBT_ENTRYPOINT_RESUME = "last"
        # Should the run that was killed have left no record, the last one is an older one, which is not to be finished. So no run that is
        # older than this one can be: it ran to its deadline, its restart was tried again for so long, took ten minutes to start, and
        # waited for the lease. Never more than the runner's own limit.
        DBT_ENTRYPOINT_RESUME_WITHIN = format("%ds", min(21600, sum([
          var.deadline_seconds, var.stop_timeout_seconds, var.schedule_retry.maximum_age_seconds, 600, local.lease_wait_seconds,
        ])))
      }
    }
    held = {
      description = "found the lease held"
      ends = {
        stopCode   = [{ "anything-but" = "UserInitiated" }]
        containers = { name = [local.container_name], exitCode = [75] }
      }
      environment = {}
    }
  }

  # A rule has no delay, so the run itself waits: for the lease of the other run, or for that of the killed one to grow old. Whoever has set
  # the wait for all runs knows better.
  restart_environment = {
    for name, value in { DBT_ENTRYPOINT_LEASE_WAIT = "${local.lease_wait_seconds}s" } : name => value
    if !contains(keys(var.environment), name)
  }
}

resource "aws_cloudwatch_event_rule" "restart" {
  for_each = local.restart_rules

  name        = "${local.restart_prefix}${each.key}"
  description = "A run of schedule ${each.value.schedule} of dbt project ${var.project} in ${var.env} ${local.restarts[each.value.end].description}"
  state       = var.schedules[each.value.schedule].enabled ? "ENABLED" : "DISABLED"
  tags        = var.tags
  event_pattern = jsonencode({
    source        = ["aws.ecs"]
    "detail-type" = ["ECS Task State Change"]
    detail = merge({
      clusterArn = [local.cluster_arn]
      lastStatus = ["STOPPED"]
      # Not the group of the tasks that this rule starts, so that none is started twice.
      group = [local.scheduled_group[each.value.schedule]]
    }, local.restarts[each.value.end].ends)
  })
}

resource "aws_cloudwatch_event_target" "restart" {
  for_each = local.restart_rules

  rule     = aws_cloudwatch_event_rule.restart[each.key].name
  arn      = local.cluster_arn
  role_arn = aws_iam_role.scheduler[0].arn
  # As settings, which fit every command. An option that the command itself has comes before them.
  input = jsonencode({ containerOverrides = [{ for key, value in {
    name    = local.container_name
    command = var.schedules[each.value.schedule].command
    environment = [for name, value in merge(local.restart_environment, local.restarts[each.value.end].environment) :
      { name = name, value = value }
    ]
  } : key => value if value != null }] })

  ecs_target {
    # The family alone, as of a schedule.
    task_definition_arn = "arn:${local.partition}:ecs:${local.region}:${local.account}:task-definition/${local.name}"
    task_count          = 1
    group               = "${local.restart_prefix}${each.key}"
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

  depends_on = [aws_ecs_task_definition.this, aws_iam_role_policy.scheduler, aws_sqs_queue_policy.not_started]
}
