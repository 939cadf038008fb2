# Bad input is refused before anything is planned: one case for every validation of the login and the bucket.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  project            = "shop"
  env                = "dev"
  credentials        = "glue:redshift"
  subnet_ids         = ["subnet-0123456789abcdef0"]
  security_group_ids = ["sg-0123456789abcdef0"]
  image              = { tag = "a" }
}

run "credentials_unknown" {
  command         = plan
  expect_failures = [var.credentials]

  variables {
    credentials = "vault:redshift"
  }
}

run "credentials_from_the_environment" {
  command         = plan
  expect_failures = [var.credentials]

  variables {
    credentials = "env"
  }
}

run "credentials_with_a_wildcard" {
  command         = plan
  expect_failures = [var.credentials]

  variables {
    credentials = "glue:*"
  }
}

run "credentials_with_a_path_that_is_none" {
  command         = plan
  expect_failures = [var.credentials]

  variables {
    credentials = "ssm:shop"
  }
}

run "secret_arns_by_name" {
  command         = plan
  expect_failures = [var.secret_arns]

  variables {
    secret_arns = ["redshift"]
  }
}

run "secret_arns_with_a_wildcard" {
  command         = plan
  expect_failures = [var.secret_arns]

  variables {
    secret_arns = ["arn:aws:secretsmanager:eu-west-1:123456789012:secret:*"]
  }
}

run "secret_arns_without_a_connection" {
  command         = plan
  expect_failures = [var.secret_arns]

  variables {
    credentials = "ssm:/shop/"
    secret_arns = ["arn:aws:secretsmanager:eu-west-1:123456789012:secret:a-AbCdEf"]
  }
}

run "secret_key_by_alias" {
  command         = plan
  expect_failures = [var.secret_kms_key_arns]

  variables {
    credentials         = "ssm:/shop/"
    secret_kms_key_arns = ["arn:aws:kms:eu-west-1:123456789012:alias/a"]
  }
}

run "secret_key_without_a_secret" {
  command         = plan
  expect_failures = [var.secret_kms_key_arns]

  variables {
    secret_kms_key_arns = ["arn:aws:kms:eu-west-1:123456789012:key/1"]
  }
}

run "secret_key_without_a_login" {
  command         = plan
  expect_failures = [var.secret_kms_key_arns]

  variables {
    credentials         = "none"
    secret_kms_key_arns = ["arn:aws:kms:eu-west-1:123456789012:key/1"]
  }
}

run "connection_key_by_alias" {
  command         = plan
  expect_failures = [var.connection_kms_key_arns]

  variables {
    connection_kms_key_arns = ["arn:aws:kms:eu-west-1:123456789012:alias/a"]
  }
}

run "connection_key_without_a_connection" {
  command         = plan
  expect_failures = [var.connection_kms_key_arns]

  variables {
    credentials             = "ssm:/shop/"
    connection_kms_key_arns = ["arn:aws:kms:eu-west-1:123456789012:key/1"]
  }
}

run "redshift_schema_with_a_dash" {
  command         = plan
  expect_failures = [var.redshift_schema]

  variables {
    redshift_schema = "my-schema"
  }
}

run "publish_unknown" {
  command         = plan
  expect_failures = [var.publish]

  variables {
    publish = "sometimes"
  }
}

run "bucket_as_a_url" {
  command         = plan
  expect_failures = [var.documentation_bucket]

  variables {
    documentation_bucket = { name = "s3://docs" }
  }
}

run "bucket_owner_by_name" {
  command         = plan
  expect_failures = [var.documentation_bucket]

  variables {
    documentation_bucket = { create = false, owner = "acme" }
  }
}

run "bucket_of_another_account_made_here" {
  command         = plan
  expect_failures = [var.documentation_bucket]

  variables {
    documentation_bucket = { owner = "210987654321" }
  }
}

run "bucket_key_by_alias" {
  command         = plan
  expect_failures = [var.documentation_bucket]

  variables {
    documentation_bucket = { kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:alias/a" }
  }
}

run "bucket_that_keeps_nothing" {
  command         = plan
  expect_failures = [var.documentation_bucket]

  variables {
    documentation_bucket = { ledger_days = 0 }
  }
}

run "docs_site_of_a_bucket_made_elsewhere" {
  command         = plan
  expect_failures = [var.docs_site]

  variables {
    documentation_bucket = { create = false }
    docs_site            = { enabled = true }
  }
}

run "docs_site_alias_without_a_certificate" {
  command         = plan
  expect_failures = [var.docs_site]

  variables {
    docs_site = { enabled = true, aliases = ["docs.acme.example"] }
  }
}

run "docs_site_certificate_of_another_region" {
  command         = plan
  expect_failures = [var.docs_site]

  variables {
    docs_site = { enabled = true, aliases = ["docs.acme.example"], certificate_arn = "arn:aws:acm:eu-west-1:123456789012:certificate/1" }
  }
}

run "docs_site_price_class_unknown" {
  command         = plan
  expect_failures = [var.docs_site]

  variables {
    docs_site = { enabled = true, price_class = "cheap" }
  }
}

run "a_right_to_everything" {
  command         = plan
  expect_failures = [var.task_role_statements]

  variables {
    task_role_statements = [{ actions = ["*"], resources = ["*"] }]
  }
}

run "a_right_to_nothing" {
  command         = plan
  expect_failures = [var.task_role_statements]

  variables {
    task_role_statements = [{ actions = ["s3:PutObject"], resources = [] }]
  }
}

run "page_url_with_a_slash_at_its_end" {
  command         = plan
  expect_failures = [var.page_url]

  variables {
    page_url = "https://docs.acme.example/shop/"
  }
}

run "page_url_with_a_login" {
  command         = plan
  expect_failures = [var.page_url]

  variables {
    page_url = "https://ann:secret@docs.acme.example"
  }
}
