locals {
  security_group_ids = concat(aws_security_group.this[*].id, var.security_group_ids)
}

resource "aws_security_group" "this" {
  # checkov:skip=CKV2_AWS_5: it is attached to tasks, which the orchestrator starts, and not to a resource of this module.
  count = var.security_group.create ? 1 : 0

  name        = local.name
  description = "Tasks of dbt project ${var.project} in ${var.env}: nothing in, the warehouse and AWS out"
  vpc_id      = var.security_group.vpc_id
  tags        = merge(var.tags, { Name = local.name })
}
