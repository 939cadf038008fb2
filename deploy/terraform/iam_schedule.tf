# What EventBridge may do, its scheduler and its rules: start this task, and put what could not start into the dead-letter queue.

locals {
  is_scheduled      = length(var.schedules) > 0
  schedule_group    = local.name
  restart_rule_arns = "arn:${local.partition}:events:${local.region}:${local.account}:rule/${local.restart_prefix}*"
}

resource "aws_iam_role" "scheduler" {
  count = local.is_scheduled ? 1 : 0

  name                 = local.role_names.scheduler
  description          = "EventBridge starts dbt project ${var.project} in ${var.env}"
  assume_role_policy   = data.aws_iam_policy_document.trust_scheduler.json
  permissions_boundary = var.permissions_boundary
  tags                 = var.tags
}

data "aws_iam_policy_document" "trust_scheduler" {
  statement {
    sid     = "SchedulesOfThisGroup"
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["scheduler.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.account]
    }

    # The scheduler names the group, not the schedule.
    condition {
      test     = "ArnEquals"
      variable = "aws:SourceArn"
      values   = ["arn:${local.partition}:scheduler:${local.region}:${local.account}:schedule-group/${local.schedule_group}"]
    }
  }

  dynamic "statement" {
    for_each = length(local.restart_rules) > 0 ? [local.restart_rule_arns] : []

    content {
      sid     = "RulesOfThisProject"
      actions = ["sts:AssumeRole"]

      principals {
        type        = "Service"
        identifiers = ["events.amazonaws.com"]
      }

      condition {
        test     = "StringEquals"
        variable = "aws:SourceAccount"
        values   = [local.account]
      }

      condition {
        test     = "ArnLike"
        variable = "aws:SourceArn"
        values   = [statement.value]
      }
    }
  }
}

resource "aws_iam_role_policy" "scheduler" {
  count = local.is_scheduled ? 1 : 0

  name   = "start"
  role   = aws_iam_role.scheduler[0].id
  policy = data.aws_iam_policy_document.scheduler.json
}

data "aws_iam_policy_document" "scheduler" {
  statement {
    sid     = "StartThisTask"
    actions = ["ecs:RunTask"]
    resources = [for suffix in ["", ":*"] :
      "arn:${local.partition}:ecs:${local.region}:${local.account}:task-definition/${local.name}${suffix}"
    ]

    condition {
      test     = "ArnEquals"
      variable = "ecs:cluster"
      values   = [local.cluster_arn]
    }
  }

  # RunTask copies the task definition's tags to the task, which ECS takes for tagging.
  statement {
    sid       = "TagTheTask"
    actions   = ["ecs:TagResource"]
    resources = ["arn:${local.partition}:ecs:${local.region}:${local.account}:task/${local.cluster_name}/*"]

    condition {
      test     = "StringEquals"
      variable = "ecs:CreateAction"
      values   = ["RunTask"]
    }
  }

  statement {
    sid       = "HandTheRolesToEcs"
    actions   = ["iam:PassRole"]
    resources = [local.role_arns.task, local.role_arns.execution]

    condition {
      test     = "StringEquals"
      variable = "iam:PassedToService"
      values   = ["ecs-tasks.amazonaws.com"]
    }
  }

  statement {
    sid       = "KeepWhatCouldNotStart"
    actions   = ["sqs:SendMessage"]
    resources = ["arn:${local.partition}:sqs:${local.region}:${local.account}:${local.queue_name}"]
  }
}
