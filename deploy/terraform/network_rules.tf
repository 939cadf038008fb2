resource "aws_vpc_security_group_egress_rule" "this" {
  for_each = var.security_group.create ? var.security_group.egress : {}

  security_group_id            = aws_security_group.this[0].id
  description                  = each.key
  ip_protocol                  = "tcp"
  from_port                    = each.value.port
  to_port                      = each.value.port
  cidr_ipv4                    = each.value.cidr_ipv4
  prefix_list_id               = each.value.prefix_list_id
  referenced_security_group_id = each.value.security_group_id
  tags                         = var.tags
}
