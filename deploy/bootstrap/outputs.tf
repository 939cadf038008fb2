output "plan_role_arn" {
  description = "AWS_ROLE_ARN of GitHub's environment ENV-plan."
  value       = aws_iam_role.github["plan"].arn
}

output "apply_role_arn" {
  description = "AWS_ROLE_ARN of GitHub's environment ENV."
  value       = aws_iam_role.github["apply"].arn
}

output "permissions_boundary" {
  description = "permissions_boundary in ENV.tfvars."
  value       = aws_iam_policy.boundary.arn
}

output "boundary_actions" {
  description = "What --allow has said: it stays, unless it is said anew."
  value       = var.boundary_actions
}
