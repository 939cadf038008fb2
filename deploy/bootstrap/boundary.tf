# All that the roles of an environment ever need, and what the caller adds for task_role_statements. A role that a workflow makes is bounded
# by it, or whoever can push could make one that may do anything.
resource "aws_iam_policy" "boundary" {
  name        = local.boundary_name
  description = "Bounds the roles of dbt project ${var.project} in ${var.env}"
  policy      = jsonencode(local.boundary)
}

locals {
  boundary_base = jsondecode(templatefile("${path.module}/policies/boundary.json", local.values))
  boundary = merge(local.boundary_base, {
    Statement = concat(local.boundary_base.Statement, length(var.boundary_actions) == 0 ? [] : [
      { Effect = "Allow", Action = sort(var.boundary_actions), Resource = "*" }
    ])
  })
}
