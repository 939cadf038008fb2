# What Airflow may do: start this task, watch it, stop it, read its log and what its runs have left.

locals {
  airflow_assumes = length(var.airflow_role_arns) == 0 ? "none" : var.orchestrator_role == "service" ? "task" : "orchestrator"
}

data "aws_iam_policy_document" "orchestrator" {
  # checkov:skip=CKV_AWS_356: ecs:ListTasks knows no resource but container instances, which Fargate has none of; the cluster bounds it.
  statement {
    sid     = "StartThisTask"
    actions = ["ecs:RunTask"]
    # Any revision, and the family alone, by which the DAG names it.
    resources = [for suffix in ["", ":*"] :
      "arn:${local.partition}:ecs:${local.region}:${local.account}:task-definition/${local.name}${suffix}"
    ]

    condition {
      test     = "ArnEquals"
      variable = "ecs:cluster"
      values   = [local.cluster_arn]
    }
  }

  statement {
    sid     = "WatchAndStopTasksOfTheCluster"
    actions = ["ecs:DescribeTasks", "ecs:StopTask"]
    # A task's ARN names its cluster and not its family, so the cluster is the border.
    resources = ["arn:${local.partition}:ecs:${local.region}:${local.account}:task/${local.cluster_name}/*"]

    condition {
      test     = "ArnEquals"
      variable = "ecs:cluster"
      values   = [local.cluster_arn]
    }
  }

  statement {
    sid       = "FindTasksOfTheCluster"
    actions   = ["ecs:ListTasks"]
    resources = ["*"]

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
    sid       = "ReadTheLog"
    actions   = ["logs:GetLogEvents"]
    resources = ["${local.log_group_arn}:log-stream:${local.stream_prefix}/*"]
  }

  # Of the nodes of each step Airflow makes the table in its own log. It asks for objects by their names, and lists none.
  dynamic "statement" {
    for_each = local.publishes ? [1] : []

    content {
      sid       = "ReadTheLedger"
      actions   = ["s3:GetObject"]
      resources = ["${local.bucket_arn}/${var.project}/runs/*"]
    }
  }

  dynamic "statement" {
    for_each = local.publishes ? compact([var.documentation_bucket.kms_key_arn]) : []

    content {
      sid       = "DecryptTheLedger"
      actions   = ["kms:Decrypt"]
      resources = [statement.value]

      condition {
        test     = "StringEquals"
        variable = "kms:ViaService"
        values   = ["s3.${local.region}.${data.aws_partition.current.dns_suffix}"]
      }
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
}

resource "aws_iam_role_policy" "orchestrator_on_task" {
  count = local.airflow_assumes == "task" ? 1 : 0

  name   = "orchestrate"
  role   = aws_iam_role.task.id
  policy = data.aws_iam_policy_document.orchestrator.json
}

resource "aws_iam_role" "orchestrator" {
  count = local.airflow_assumes == "orchestrator" ? 1 : 0

  name                 = local.role_names.orchestrator
  description          = "Airflow runs dbt project ${var.project} in ${var.env}"
  assume_role_policy   = data.aws_iam_policy_document.trust_airflow.json
  permissions_boundary = var.permissions_boundary
  tags                 = var.tags
}

resource "aws_iam_role_policy" "orchestrator" {
  count = local.airflow_assumes == "orchestrator" ? 1 : 0

  name   = "orchestrate"
  role   = aws_iam_role.orchestrator[0].id
  policy = data.aws_iam_policy_document.orchestrator.json
}

data "aws_iam_policy_document" "trust_airflow" {
  statement {
    sid     = "Airflow"
    actions = ["sts:AssumeRole"]

    principals {
      type        = "AWS"
      identifiers = var.airflow_role_arns
    }
  }
}
