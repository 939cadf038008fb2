resource "aws_s3_bucket_ownership_controls" "docs" {
  count = var.documentation_bucket.create ? 1 : 0

  bucket = aws_s3_bucket.docs[0].id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_versioning" "docs" {
  count = var.documentation_bucket.create ? 1 : 0

  bucket = aws_s3_bucket.docs[0].id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "docs" {
  count = var.documentation_bucket.create ? 1 : 0

  bucket = aws_s3_bucket.docs[0].id

  rule {
    # One call to KMS for many objects.
    bucket_key_enabled = var.documentation_bucket.kms_key_arn != null

    apply_server_side_encryption_by_default {
      sse_algorithm     = var.documentation_bucket.kms_key_arn == null ? "AES256" : "aws:kms"
      kms_master_key_id = var.documentation_bucket.kms_key_arn
    }
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "docs" {
  count = var.documentation_bucket.create ? 1 : 0

  bucket = aws_s3_bucket.docs[0].id

  rule {
    id     = "overwritten"
    status = "Enabled"

    filter {}

    noncurrent_version_expiration {
      noncurrent_days = var.documentation_bucket.noncurrent_days
    }

    # What a deletion leaves once the versions below it are gone; nothing else would ever remove it.
    expiration {
      expired_object_delete_marker = true
    }

    abort_incomplete_multipart_upload {
      days_after_initiation = 7
    }
  }

  dynamic "rule" {
    # A filter takes no wildcards, so every project has a rule of its own.
    for_each = local.projects_of_bucket

    content {
      id     = "ledger-${rule.value}"
      status = "Enabled"

      filter {
        prefix = "${rule.value}/runs/"
      }

      expiration {
        days = var.documentation_bucket.ledger_days
      }
    }
  }

  # The rule on old versions means nothing before there are versions.
  depends_on = [aws_s3_bucket_versioning.docs]
}
