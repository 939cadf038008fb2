locals {
  # Repositories that were made or renamed since July 2026 say their ids beside the names; older ones do so once they are told to. A
  # repository sends one of both, and either names this one alone: since then nobody can send the first form for a name that was freed.
  subjects = [
    "repo:${var.repository}",
    format("repo:%s@%s/%s@%s", split("/", var.repository)[0], var.owner_id, split("/", var.repository)[1], var.repository_id),
  ]
  # The role that changes something is for the environment of that name, which GitHub gives to the main branch alone.
  environments = { plan = "${var.env}-plan", apply = var.env }
}

resource "aws_iam_role" "github" {
  for_each = local.names

  name        = each.value
  description = "GitHub's ${local.environments[each.key]} of ${var.repository}"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRoleWithWebIdentity"
      Principal = { Federated = "arn:${local.partition}:iam::${var.account_id}:oidc-provider/token.actions.githubusercontent.com" }
      # No wildcard: with one, every branch and every pull request could have the role.
      Condition = { StringEquals = {
        "token.actions.githubusercontent.com:aud" = "sts.amazonaws.com"
        "token.actions.githubusercontent.com:sub" = [for subject in local.subjects : "${subject}:environment:${local.environments[each.key]}"]
      } }
    }]
  })
}

# Reads what is planned: settings, and none of the data that ReadOnlyAccess would open to scripts that somebody has pushed.
resource "aws_iam_role_policy" "plan" {
  name   = "plan"
  role   = aws_iam_role.github["plan"].id
  policy = templatefile("${path.module}/policies/plan.json", local.values)
}

# Everything but IAM, and of IAM the roles of the module, within the boundary.
resource "aws_iam_role_policy_attachment" "apply" {
  role       = aws_iam_role.github["apply"].name
  policy_arn = "arn:${local.partition}:iam::aws:policy/PowerUserAccess"
}

resource "aws_iam_role_policy" "apply" {
  name   = "roles"
  role   = aws_iam_role.github["apply"].id
  policy = templatefile("${path.module}/policies/roles.json", local.values)
}
