# What ECS itself does before the container starts: pull the image and open the log stream. The container never sees this role.

resource "aws_iam_role" "execution" {
  name                 = local.role_names.execution
  description          = "ECS pulls the image and writes the logs of dbt project ${var.project} in ${var.env}"
  assume_role_policy   = data.aws_iam_policy_document.trust_ecs.json
  permissions_boundary = var.permissions_boundary
  tags                 = var.tags
}

resource "aws_iam_role_policy" "execution" {
  name   = "pull-and-log"
  role   = aws_iam_role.execution.id
  policy = data.aws_iam_policy_document.execution.json
}

# Instead of AWS's managed policy, which opens every repository and every log group of the account.
data "aws_iam_policy_document" "execution" {
  # checkov:skip=CKV_AWS_356: ecr:GetAuthorizationToken knows no resource.
  dynamic "statement" {
    for_each = local.repository_arn == null ? [] : [local.repository_arn]

    content {
      sid       = "LogInToEcr"
      actions   = ["ecr:GetAuthorizationToken"]
      resources = ["*"]
    }
  }

  dynamic "statement" {
    for_each = local.repository_arn == null ? [] : [local.repository_arn]

    content {
      sid       = "PullTheImage"
      actions   = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
      resources = [statement.value]
    }
  }

  statement {
    sid       = "WriteTheLog"
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["${local.log_group_arn}:log-stream:${local.stream_prefix}/*"]
  }
}

data "aws_iam_policy_document" "trust_ecs" {
  statement {
    sid     = "EcsTasksOfThisAccount"
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["ecs-tasks.amazonaws.com"]
    }

    # The confused deputy: without these two, ECS could be told from another account to use the role. ECS does not name the cluster or
    # the task in aws:SourceArn in a way that a policy could use, so it is the account and the region.
    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.account]
    }

    condition {
      test     = "ArnLike"
      variable = "aws:SourceArn"
      values   = ["arn:${local.partition}:ecs:${local.region}:${local.account}:*"]
    }
  }
}
