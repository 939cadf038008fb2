# The docs as a website: CloudFront signs its requests to the bucket, which stays private; a function lets known viewers in.

locals {
  docs_site = {
    distribution_arn = one(aws_cloudfront_distribution.docs[*].arn)
    distribution_id  = one(aws_cloudfront_distribution.docs[*].id)
    domain           = one(aws_cloudfront_distribution.docs[*].domain_name)
    viewers_arn      = one(aws_cloudfront_key_value_store.viewers[*].arn)
  }
}

locals {
  viewers_code = replace(replace(
    file("${path.module}/cdn_viewers.js"), "const showsRuns = false;", "const showsRuns = ${var.docs_site.show_runs};"),
    "const projects = [];", "const projects = ${jsonencode(sort(local.projects_of_bucket))};"
  )
}

# AWS's own policies, by the ids that they have in every account.
locals {
  # Honours `Cache-Control: no-cache`, which the runner puts on the docs.
  caching_optimized = "658327ea-f89d-4fab-a63d-7e88639e58f6"
  # HSTS, nosniff, no frames of other sites.
  security_headers = "67f7725c-6f97-4210-82d7-5512b31e9d03"
}

# What a page of a run may do: show itself. The style and the script are known by their hashes, which a page repeats in itself; those of
# earlier versions stay, since their pages do.
locals {
  page_styles  = ["sha256-DQ18JK0CZQsSDeIhAqvXUvI8q8HPlOtpDUr+RmjyzDg="]
  page_scripts = ["sha256-JC/WzKqX0aV/bcnkTquoy6nI2wcz0GUVCkOVRu76kVw="]
  page_policy = join("; ", [
    "default-src 'none'",
    "style-src ${join(" ", formatlist("'%s'", local.page_styles))}",
    "script-src ${join(" ", formatlist("'%s'", local.page_scripts))}",
    "img-src data:",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ])
}

resource "aws_cloudfront_response_headers_policy" "runs" {
  # checkov:skip=CKV_AWS_259: HSTS as in AWS's own policy; subdomains and the list of browsers are for the owner of the domain to decide.
  count = var.docs_site.enabled && var.docs_site.show_runs ? 1 : 0

  name    = "${local.name}-runs"
  comment = "What pages of runs may do in a browser"

  security_headers_config {
    content_security_policy {
      content_security_policy = local.page_policy
      override                = true
    }

    content_type_options {
      override = true
    }

    frame_options {
      frame_option = "DENY"
      override     = true
    }

    referrer_policy {
      referrer_policy = "no-referrer"
      override        = true
    }

    strict_transport_security {
      access_control_max_age_sec = 31536000
      override                   = true
    }
  }
}

resource "aws_cloudfront_origin_access_control" "docs" {
  count = var.docs_site.enabled ? 1 : 0

  name                              = local.bucket_name
  description                       = "The docs site reads its bucket"
  origin_access_control_origin_type = "s3"
  # Always: the viewer's own Authorization header must not reach S3.
  signing_behavior = "always"
  signing_protocol = "sigv4"
}

# Holds who may view. Terraform makes it and never looks inside: neither a password nor its hash is in the code, the plan or the state,
# and a viewer comes or goes without a deployment.
resource "aws_cloudfront_key_value_store" "viewers" {
  count = var.docs_site.enabled ? 1 : 0

  name    = "${local.name}-viewers"
  comment = "Viewers of ${local.bucket_name}: name to SHA-256 of name:password"
}

resource "aws_cloudfront_function" "viewers" {
  count = var.docs_site.enabled ? 1 : 0

  name                         = "${local.name}-viewers"
  comment                      = "Lets known viewers in and finds index.html"
  runtime                      = "cloudfront-js-2.0"
  publish                      = true
  code                         = local.viewers_code
  key_value_store_associations = [aws_cloudfront_key_value_store.viewers[0].arn]
}

resource "aws_cloudfront_distribution" "docs" {
  # checkov:skip=CKV_AWS_68: the caller may give a web ACL; a site of static files behind a password does without by default.
  # checkov:skip=CKV2_AWS_47: the rule against Log4j is of no use before static files; a web ACL may be given.
  # checkov:skip=CKV_AWS_86: access logs cost a bucket more; the caller who needs them adds a delivery of logs to the distribution.
  # checkov:skip=CKV_AWS_310: there is one bucket, and nothing to fail over to.
  # checkov:skip=CKV_AWS_374: a password and not a country decides who may view.
  # checkov:skip=CKV_AWS_174: with CloudFront's own name AWS fixes the version of TLS; with a name of one's own it is 1.2.
  # checkov:skip=CKV2_AWS_32: it has AWS's own policy, by its id, which checkov does not know.
  # checkov:skip=CKV2_AWS_42: a certificate of one's own where there is a name of one's own.
  count = var.docs_site.enabled ? 1 : 0

  comment             = "dbt docs in ${local.bucket_name}"
  enabled             = true
  is_ipv6_enabled     = true
  http_version        = "http2and3"
  default_root_object = "index.html"
  aliases             = var.docs_site.aliases
  price_class         = var.docs_site.price_class
  web_acl_id          = var.docs_site.web_acl_arn
  tags                = var.tags

  origin {
    origin_id                = "docs"
    domain_name              = aws_s3_bucket.docs[0].bucket_regional_domain_name
    origin_access_control_id = aws_cloudfront_origin_access_control.docs[0].id
  }

  default_cache_behavior {
    target_origin_id           = "docs"
    viewer_protocol_policy     = "redirect-to-https"
    allowed_methods            = ["GET", "HEAD"]
    cached_methods             = ["GET", "HEAD"]
    compress                   = true
    cache_policy_id            = local.caching_optimized
    response_headers_policy_id = local.security_headers

    function_association {
      event_type   = "viewer-request"
      function_arn = aws_cloudfront_function.viewers[0].arn
    }
  }

  # dbt's own page needs more than a page of a run may do.
  dynamic "ordered_cache_behavior" {
    for_each = aws_cloudfront_response_headers_policy.runs[*].id

    content {
      path_pattern               = "*/runs/*"
      target_origin_id           = "docs"
      viewer_protocol_policy     = "redirect-to-https"
      allowed_methods            = ["GET", "HEAD"]
      cached_methods             = ["GET", "HEAD"]
      compress                   = true
      cache_policy_id            = local.caching_optimized
      response_headers_policy_id = ordered_cache_behavior.value

      function_association {
        event_type   = "viewer-request"
        function_arn = aws_cloudfront_function.viewers[0].arn
      }
    }
  }

  restrictions {
    geo_restriction {
      restriction_type = "none"
    }
  }

  viewer_certificate {
    cloudfront_default_certificate = var.docs_site.certificate_arn == null
    acm_certificate_arn            = var.docs_site.certificate_arn
    ssl_support_method             = var.docs_site.certificate_arn == null ? null : "sni-only"
    minimum_protocol_version       = var.docs_site.certificate_arn == null ? "TLSv1" : "TLSv1.2_2021"
  }
}
