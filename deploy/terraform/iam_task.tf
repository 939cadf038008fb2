# What the container may do: read its login, and publish below its own prefix.

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
  count = local.login_is_fetched || local.publishes ? 1 : 0

  name   = "login-and-publish"
  role   = aws_iam_role.task.id
  policy = data.aws_iam_policy_document.task.json
}

data "aws_iam_policy_document" "task" {
  source_policy_documents = concat(
    local.login_is_fetched ? [data.aws_iam_policy_document.login.json] : [],
    local.publishes ? [data.aws_iam_policy_document.publish.json] : [],
  )
}
