# What the container may do: read its login, publish below its own prefix, and what the caller adds.

resource "aws_iam_role" "task" {
  name                 = local.role_names.task
  description          = "dbt project ${var.project} in ${var.env}"
  assume_role_policy   = data.aws_iam_policy_document.trust_task.json
  permissions_boundary = var.permissions_boundary
  tags                 = var.tags
}

data "aws_iam_policy_document" "trust_task" {
  source_policy_documents = [data.aws_iam_policy_document.trust_ecs.json]

  dynamic "statement" {
    for_each = local.airflow_assumes == "task" ? [var.airflow_role_arns] : []

    content {
      sid     = "Airflow"
      actions = ["sts:AssumeRole"]

      principals {
        type        = "AWS"
        identifiers = statement.value
      }
    }
  }
}

# A project that needs no login and publishes nothing has nothing to be allowed, and IAM takes no empty policy.
resource "aws_iam_role_policy" "task" {
  count = local.login_is_fetched || local.publishes || length(var.task_role_statements) > 0 ? 1 : 0

  name   = "login-and-publish"
  role   = aws_iam_role.task.id
  policy = data.aws_iam_policy_document.task.json
}

data "aws_iam_policy_document" "task" {
  source_policy_documents = concat(
    local.login_is_fetched ? [data.aws_iam_policy_document.login.json] : [],
    local.publishes ? [data.aws_iam_policy_document.publish.json] : [],
  )

  dynamic "statement" {
    for_each = var.task_role_statements

    content {
      actions   = statement.value.actions
      resources = statement.value.resources

      dynamic "condition" {
        for_each = statement.value.conditions

        content {
          test     = condition.value.test
          variable = condition.value.variable
          values   = condition.value.values
        }
      }
    }
  }
}
