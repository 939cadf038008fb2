# Bad input is refused before anything is planned: one case for every validation of the names and the image.

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

run "project_in_capitals" {
  command         = plan
  expect_failures = [var.project]

  variables {
    project = "Shop"
  }
}

run "project_too_long_for_a_role" {
  command         = plan
  expect_failures = [var.project]

  variables {
    project          = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
    role_name_suffix = "-dev"
  }
}

run "project_with_two_separators" {
  command         = plan
  expect_failures = [var.project]

  variables {
    project = "web--shop"
  }
}

run "project_that_ends_with_a_separator" {
  command         = plan
  expect_failures = [var.project]

  variables {
    project = "shop-"
  }
}

run "project_and_env_as_long_as_they_may_be" {
  command = plan

  variables {
    project = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
    env     = "an-env-of-18-chars"
  }
}

run "project_and_env_too_long_for_a_rule" {
  command         = plan
  expect_failures = [var.project]

  variables {
    project = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
    env     = "an-env-of-18-chars"
  }
}

run "env_with_an_underscore" {
  command         = plan
  expect_failures = [var.env]

  variables {
    env = "my_dev"
  }
}

run "env_local" {
  command         = plan
  expect_failures = [var.env]

  variables {
    env = "local"
  }
}

run "role_name_suffix_with_a_slash" {
  command         = plan
  expect_failures = [var.role_name_suffix]

  variables {
    role_name_suffix = "/dev"
  }
}

run "permissions_boundary_by_name" {
  command         = plan
  expect_failures = [var.permissions_boundary]

  variables {
    permissions_boundary = "boundary"
  }
}

run "tags_of_aws" {
  command         = plan
  expect_failures = [var.tags]

  variables {
    tags = { "aws:team" = "data" }
  }
}

run "repository_in_capitals" {
  command         = plan
  expect_failures = [var.repository]

  variables {
    repository = { name = "Shop" }
  }
}

run "repository_that_keeps_one_image" {
  command         = plan
  expect_failures = [var.repository]

  variables {
    repository = { keep_images = 1 }
  }
}

run "repository_that_keeps_half_a_day" {
  command         = plan
  expect_failures = [var.repository]

  variables {
    repository = { untagged_days = 0.5 }
  }
}

run "repository_key_by_alias" {
  command         = plan
  expect_failures = [var.repository]

  variables {
    repository = { kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:alias/a" }
  }
}

run "image_digest_too_short" {
  command         = plan
  expect_failures = [var.image]

  variables {
    image = { digest = "sha256:0123" }
  }
}

run "image_tag_with_a_repository" {
  command         = plan
  expect_failures = [var.image]

  variables {
    image = { tag = "dbt-shop:a" }
  }
}

run "image_repository_without_a_host" {
  command         = plan
  expect_failures = [var.image]

  variables {
    image = { tag = "a", repository_url = "dbt-shop" }
  }
}
