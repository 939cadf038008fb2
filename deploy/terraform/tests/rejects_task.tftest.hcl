# Bad input is refused before anything is planned: one case for every validation of the task and its network.

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

run "cpu_that_fargate_has_not" {
  command         = plan
  expect_failures = [var.cpu]

  variables {
    cpu = 600
  }
}

run "memory_too_small_for_the_cpu" {
  command         = plan
  expect_failures = [var.memory]

  variables {
    cpu    = 1024
    memory = 1024
  }
}

run "memory_between_the_steps" {
  command         = plan
  expect_failures = [var.memory]

  variables {
    memory = 1500
  }
}

run "architecture_of_another_name" {
  command         = plan
  expect_failures = [var.architecture]

  variables {
    architecture = "amd64"
  }
}

run "ephemeral_storage_too_small" {
  command         = plan
  expect_failures = [var.ephemeral_storage_gib]

  variables {
    ephemeral_storage_gib = 20
  }
}

run "ephemeral_storage_too_large" {
  command         = plan
  expect_failures = [var.ephemeral_storage_gib]

  variables {
    ephemeral_storage_gib = 201
  }
}

run "command_empty" {
  command         = plan
  expect_failures = [var.command]

  variables {
    command = []
  }
}

run "deadline_of_seconds" {
  command         = plan
  expect_failures = [var.deadline_seconds]

  variables {
    deadline_seconds = 55
  }
}

run "deadline_of_half_a_second" {
  command         = plan
  expect_failures = [var.deadline_seconds]

  variables {
    deadline_seconds = 60.5
  }
}

run "stop_timeout_over_the_limit" {
  command         = plan
  expect_failures = [var.stop_timeout_seconds]

  variables {
    stop_timeout_seconds = 300
  }
}

run "stop_timeout_too_short" {
  command         = plan
  expect_failures = [var.stop_timeout_seconds]

  variables {
    stop_timeout_seconds = 10
  }
}

run "stop_timeout_of_half_a_second" {
  command         = plan
  expect_failures = [var.stop_timeout_seconds]

  variables {
    stop_timeout_seconds = 90.5
  }
}

run "log_format_unknown" {
  command         = plan
  expect_failures = [var.log_format]

  variables {
    log_format = "yaml"
  }
}

run "environment_with_a_dash" {
  command         = plan
  expect_failures = [var.environment]

  variables {
    environment = { "MY-NAME" = "a" }
  }
}

run "environment_with_a_password" {
  command         = plan
  expect_failures = [var.environment]

  variables {
    environment = { DBT_REDSHIFT_PASSWORD = "hunter2" }
  }
}

run "environment_with_a_token" {
  command         = plan
  expect_failures = [var.environment]

  variables {
    environment = { DBT_ENV_GIT_Token = "hunter2" }
  }
}

run "environment_of_the_module" {
  command         = plan
  expect_failures = [var.environment]

  variables {
    environment = { DBT_ENTRYPOINT_DEPLOYMENTS = "dev,live" }
  }
}

run "cluster_by_arn" {
  command         = plan
  expect_failures = [var.cluster]

  variables {
    cluster = { create = false, name = "arn:aws:ecs:eu-west-1:123456789012:cluster/a" }
  }
}

run "cluster_insights_unknown" {
  command         = plan
  expect_failures = [var.cluster]

  variables {
    cluster = { container_insights = "on" }
  }
}

run "subnet_ids_empty" {
  command         = plan
  expect_failures = [var.subnet_ids]

  variables {
    subnet_ids = []
  }
}

run "subnet_ids_by_name" {
  command         = plan
  expect_failures = [var.subnet_ids]

  variables {
    subnet_ids = ["private-a"]
  }
}

run "subnet_ids_too_many" {
  command         = plan
  expect_failures = [var.subnet_ids]

  variables {
    subnet_ids = [for number in range(17) : "subnet-${number}"]
  }
}

run "security_group_ids_by_name" {
  command         = plan
  expect_failures = [var.security_group_ids]

  variables {
    security_group_ids = ["default"]
  }
}

run "security_group_ids_too_many" {
  command         = plan
  expect_failures = [var.security_group_ids]

  variables {
    security_group_ids = ["sg-1", "sg-2", "sg-3", "sg-4", "sg-5"]
  }
}

run "security_group_without_a_vpc" {
  command         = plan
  expect_failures = [var.security_group]

  variables {
    security_group = { create = true }
  }
}

run "security_group_none_at_all" {
  command         = plan
  expect_failures = [var.security_group]

  variables {
    security_group_ids = []
  }
}

run "security_group_port_zero" {
  command         = plan
  expect_failures = [var.security_group]

  variables {
    security_group = { vpc_id = "vpc-1", egress = { all = { port = 0, cidr_ipv4 = "0.0.0.0/0" } } }
  }
}

run "security_group_rule_to_two_places" {
  command         = plan
  expect_failures = [var.security_group]

  variables {
    security_group = { vpc_id = "vpc-1", egress = { both = { port = 443, cidr_ipv4 = "10.0.0.0/8", prefix_list_id = "pl-1" } } }
  }
}

run "a_sidecar_without_an_image" {
  command         = plan
  expect_failures = [var.sidecars]

  variables {
    sidecars = [{ name = "proxy" }]
  }
}

run "a_sidecar_with_the_name_of_dbts_container" {
  command         = plan
  expect_failures = [var.sidecars]

  variables {
    sidecars = [{ name = "dbt", image = "registry.example/proxy:1" }]
  }
}

run "capacity_with_a_weight_that_ecs_has_not" {
  command         = plan
  expect_failures = [var.capacity_provider_strategy]

  variables {
    capacity_provider_strategy = [{ capacity_provider = "FARGATE_SPOT", weight = 1001 }]
  }
}

run "capacity_with_two_bases" {
  command         = plan
  expect_failures = [var.capacity_provider_strategy]

  variables {
    capacity_provider_strategy = [{ capacity_provider = "FARGATE_SPOT", base = 1 }, { capacity_provider = "FARGATE", base = 1 }]
  }
}
