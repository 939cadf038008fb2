resource "aws_ecs_cluster" "this" {
  # checkov:skip=CKV_AWS_65: Container Insights are on unless the caller says otherwise.
  count = var.cluster.create ? 1 : 0

  name = local.cluster_name
  tags = var.tags

  setting {
    name  = "containerInsights"
    value = var.cluster.container_insights
  }
}
