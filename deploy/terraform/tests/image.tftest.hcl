# By digest or by tag, here or elsewhere.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  project            = "shop"
  env                = "dev"
  credentials        = "none"
  subnet_ids         = ["subnet-0123456789abcdef0"]
  security_group_ids = ["sg-0123456789abcdef0"]
}

run "by_tag" {
  command = plan

  variables {
    image = { tag = "1.2.3" }
  }

  assert {
    condition     = output.image == "123456789012.dkr.ecr.eu-west-1.amazonaws.com/dbt-shop-dev:1.2.3"
    error_message = "The image is ${output.image}."
  }
}

run "by_digest" {
  command = plan

  variables {
    image = { digest = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef" }
  }

  assert {
    condition = jsondecode(aws_ecs_task_definition.this.container_definitions)[0].image == (
      "123456789012.dkr.ecr.eu-west-1.amazonaws.com/dbt-shop-dev@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
    )
    error_message = "The image is ${output.image}."
  }
}

run "of_another_account" {
  command = plan

  variables {
    repository = { create = false }
    image      = { repository_url = "210987654321.dkr.ecr.eu-central-1.amazonaws.com/data/dbt", tag = "a" }
  }

  assert {
    condition     = output.image == "210987654321.dkr.ecr.eu-central-1.amazonaws.com/data/dbt:a" && length(aws_ecr_repository.this) == 0
    error_message = "The image is ${output.image}, the number of repositories ${length(aws_ecr_repository.this)}."
  }

  assert {
    condition     = local.repository_arn == "arn:aws:ecr:eu-central-1:210987654321:repository/data/dbt"
    error_message = "The repository to pull from is ${jsonencode(local.repository_arn)}."
  }
}

run "of_a_registry_that_is_not_aws" {
  command = plan

  variables {
    image = { repository_url = "registry.example/data/dbt", tag = "a" }
  }

  assert {
    condition     = local.repository_arn == null
    error_message = "The execution role may pull from ${jsonencode(local.repository_arn)}."
  }
}

run "of_a_shared_repository" {
  command = plan

  variables {
    repository = { create = false, name = "data/dbt", immutable = false }
    image      = { tag = "a" }
  }

  assert {
    condition     = output.image == "123456789012.dkr.ecr.eu-west-1.amazonaws.com/data/dbt:a"
    error_message = "The image is ${output.image}."
  }
}

run "neither_digest_nor_tag" {
  command         = plan
  expect_failures = [aws_ecs_task_definition.this]
}

run "both_digest_and_tag" {
  command = plan

  variables {
    image = { digest = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", tag = "a" }
  }

  expect_failures = [aws_ecs_task_definition.this]
}

run "tags_that_move_and_a_key" {
  command = plan

  variables {
    image      = { tag = "a" }
    repository = { immutable = false, keep_images = 5, untagged_days = 1, kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/1" }
  }

  assert {
    condition = (
      aws_ecr_repository.this[0].image_tag_mutability == "MUTABLE"
      && one(aws_ecr_repository.this[0].encryption_configuration).kms_key == "arn:aws:kms:eu-west-1:123456789012:key/1"
      && one(aws_ecr_repository.this[0].encryption_configuration).encryption_type == "KMS"
    )
    error_message = "The repository does not follow its settings."
  }
}
