locals {
  projects_of_bucket = coalesce(var.documentation_bucket.ledger_projects, [var.project])
}

resource "aws_s3_bucket" "docs" {
  # checkov:skip=CKV_AWS_18: who reads and writes is known from the roles; CloudTrail's data events tell the rest, for the account.
  # checkov:skip=CKV_AWS_144: all that is in it comes back with the next run.
  # checkov:skip=CKV_AWS_145: AES256 unless the caller gives a key; the docs hold no rows of the warehouse.
  # checkov:skip=CKV2_AWS_62: nothing waits for new docs.
  count = var.documentation_bucket.create ? 1 : 0

  bucket        = local.bucket_name
  force_destroy = var.force_destroy
  tags          = var.tags
}

resource "aws_s3_bucket_public_access_block" "docs" {
  count = var.documentation_bucket.create ? 1 : 0

  bucket                  = aws_s3_bucket.docs[0].id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_policy" "docs" {
  count = var.documentation_bucket.create ? 1 : 0

  bucket = aws_s3_bucket.docs[0].id
  policy = data.aws_iam_policy_document.bucket.json

  # S3 refuses two changes of a bucket's access at once.
  depends_on = [aws_s3_bucket_public_access_block.docs]
}

data "aws_iam_policy_document" "bucket" {
  statement {
    sid       = "TlsOnly"
    effect    = "Deny"
    actions   = ["s3:*"]
    resources = [local.bucket_arn, "${local.bucket_arn}/*"]

    principals {
      type        = "*"
      identifiers = ["*"]
    }

    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }

  dynamic "statement" {
    for_each = var.docs_site.enabled ? [local.docs_site.distribution_arn] : []

    content {
      sid       = "DocsSite"
      actions   = ["s3:GetObject"]
      resources = ["${local.bucket_arn}/*"]

      principals {
        type        = "Service"
        identifiers = ["cloudfront.amazonaws.com"]
      }

      # This distribution, and not anybody's.
      condition {
        test     = "StringEquals"
        variable = "aws:SourceArn"
        values   = [statement.value]
      }
    }
  }

  # What the runner keeps for itself, whatever the function before the site makes of a path.
  dynamic "statement" {
    for_each = var.docs_site.enabled ? [compact(["state", var.docs_site.show_runs ? "" : "runs"])] : []

    content {
      sid       = "NotOnTheDocsSite"
      effect    = "Deny"
      actions   = ["s3:GetObject"]
      resources = flatten([for folder in statement.value : ["${local.bucket_arn}/${folder}/*", "${local.bucket_arn}/*/${folder}/*"]])

      principals {
        type        = "Service"
        identifiers = ["cloudfront.amazonaws.com"]
      }
    }
  }
}
