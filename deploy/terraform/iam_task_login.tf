locals {
  login_is_fetched = var.credentials != "none"
  # "glue:redshift" → "glue" and "redshift"; an ARN keeps its colons.
  login_source = split(":", var.credentials)[0]
  login_name   = trimprefix(var.credentials, "${local.login_source}:")

  own_secret_arns = local.login_source != "secretsmanager" ? [] : [
    # Secrets Manager ends every ARN with six characters of its own; a question mark each, so that `shop` does not open `shop-payroll`.
    startswith(local.login_name, "arn:") ? local.login_name :
    "arn:${local.partition}:secretsmanager:${local.region}:${local.account}:secret:${local.login_name}-??????"
  ]
  secret_arns = concat(local.own_secret_arns, sort(var.secret_arns))
}

data "aws_iam_policy_document" "login" {
  dynamic "statement" {
    for_each = local.login_source == "glue" ? [local.login_name] : []

    content {
      sid     = "ReadTheConnection"
      actions = ["glue:GetConnection"]
      # Glue asks for both: the catalog, of which an account has one, and the connection.
      resources = [
        "arn:${local.partition}:glue:${local.region}:${local.account}:catalog",
        "arn:${local.partition}:glue:${local.region}:${local.account}:connection/${statement.value}",
      ]
    }
  }

  dynamic "statement" {
    for_each = length(local.secret_arns) > 0 ? [local.secret_arns] : []

    content {
      sid       = "ReadTheSecret"
      actions   = ["secretsmanager:GetSecretValue"]
      resources = statement.value
    }
  }

  dynamic "statement" {
    for_each = local.login_source == "ssm" ? [trim(local.login_name, "/")] : []

    content {
      sid     = "ReadTheParameters"
      actions = ["ssm:GetParametersByPath"]
      # The runner asks for the path with a slash at its end, which the star covers, and for what lies below.
      resources = ["arn:${local.partition}:ssm:${local.region}:${local.account}:parameter/${statement.value}/*"]
    }
  }

  dynamic "statement" {
    for_each = length(var.secret_kms_key_arns) > 0 ? [sort(var.secret_kms_key_arns)] : []

    content {
      sid       = "DecryptTheSecret"
      actions   = ["kms:Decrypt"]
      resources = statement.value

      # The service decrypts with the role's rights. The role itself has no business with the key.
      condition {
        test     = "StringEquals"
        variable = "kms:ViaService"
        values = distinct([for service in(local.login_source == "ssm" ? ["ssm.${local.region}"] :
          [for arn in local.secret_arns : "secretsmanager.${split(":", arn)[3]}"]) :
          "${service}.${data.aws_partition.current.dns_suffix}"
        ])
      }
    }
  }

  dynamic "statement" {
    for_each = length(var.connection_kms_key_arns) > 0 ? [sort(var.connection_kms_key_arns)] : []

    content {
      sid       = "DecryptTheConnection"
      actions   = ["kms:Decrypt"]
      resources = statement.value
      # No kms:ViaService: Glue hands an encrypted password out as it is, and the runner calls KMS itself.
    }
  }
}
