locals {
  bucket_arn = "arn:${local.partition}:s3:::${local.bucket_name}"
}

data "aws_iam_policy_document" "publish" {
  statement {
    sid       = "PublishBelowTheProject"
    actions   = ["s3:GetObject", "s3:PutObject"]
    resources = ["${local.bucket_arn}/${var.project}/*"]
  }

  statement {
    sid       = "ListTheProject"
    actions   = ["s3:ListBucket"]
    resources = [local.bucket_arn]

    condition {
      test     = "StringLike"
      variable = "s3:prefix"
      # With the slash, or `shop` would show `shop-payroll`, too.
      values = ["${var.project}/*"]
    }
  }

  # Before step one the runner looks whether the bucket is there. HeadBucket is s3:ListBucket without a prefix, and no key of S3 tells it
  # from a listing of the whole bucket without one: who reads this role's credentials can see the names of other projects' objects, never
  # what is in them. Projects that must not know of each other need a bucket each.
  statement {
    sid       = "LookAtTheBucket"
    actions   = ["s3:ListBucket"]
    resources = [local.bucket_arn]

    condition {
      test     = "Null"
      variable = "s3:prefix"
      values   = ["true"]
    }
  }

  dynamic "statement" {
    for_each = var.documentation_bucket.kms_key_arn == null ? [] : [var.documentation_bucket.kms_key_arn]

    content {
      sid       = "EncryptInTheBucket"
      actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
      resources = [statement.value]

      condition {
        test     = "StringEquals"
        variable = "kms:ViaService"
        values   = ["s3.${local.region}.${data.aws_partition.current.dns_suffix}"]
      }
    }
  }
}
