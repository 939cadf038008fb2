# A strategy may name only what the cluster has.
resource "aws_ecs_cluster_capacity_providers" "this" {
  count = var.cluster.create && length(var.capacity_provider_strategy) > 0 ? 1 : 0

  cluster_name       = aws_ecs_cluster.this[0].name
  capacity_providers = distinct([for each in var.capacity_provider_strategy : each.capacity_provider])
}
