# The least that a caller has to say, and what comes of it.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  project            = "shop"
  env                = "dev"
  credentials        = "glue:redshift"
  subnet_ids         = ["subnet-0123456789abcdef0"]
  security_group_ids = ["sg-0123456789abcdef0"]
  image              = { tag = "1.2.3" }
}

run "task_definition" {
  command = plan

  assert {
    condition     = aws_ecs_task_definition.this.family == "dbt-shop-dev"
    error_message = "The family is ${aws_ecs_task_definition.this.family}."
  }

  assert {
    condition = (
      aws_ecs_task_definition.this.network_mode == "awsvpc"
      && aws_ecs_task_definition.this.requires_compatibilities == toset(["FARGATE"])
    )
    error_message = "Not a task for Fargate."
  }

  assert {
    condition     = aws_ecs_task_definition.this.cpu == "512" && aws_ecs_task_definition.this.memory == "1024"
    error_message = "Not half a vCPU and 1 GB."
  }

  assert {
    condition     = one(aws_ecs_task_definition.this.runtime_platform).cpu_architecture == "X86_64"
    error_message = "Not X86_64."
  }

  assert {
    condition     = length(aws_ecs_task_definition.this.ephemeral_storage) == 0
    error_message = "Ephemeral storage is set, though nobody asked for more than Fargate's own."
  }
}

# So a rollback has something to go back to.
run "old_revisions_stay" {
  command = plan

  assert {
    condition     = aws_ecs_task_definition.this.skip_destroy
    error_message = "A new revision takes the one before out of service."
  }
}

run "container" {
  command = plan

  assert {
    condition     = length(jsondecode(aws_ecs_task_definition.this.container_definitions)) == 1
    error_message = "Not one container."
  }

  assert {
    condition     = jsondecode(aws_ecs_task_definition.this.container_definitions)[0].readonlyRootFilesystem
    error_message = "The root file system can be written to."
  }

  assert {
    condition = (
      jsondecode(aws_ecs_task_definition.this.container_definitions)[0].mountPoints == [
        { containerPath = "/tmp", readOnly = false, sourceVolume = "tmp" }
      ]
      && one(aws_ecs_task_definition.this.volume).name == "tmp"
    )
    error_message = "No volume at /tmp."
  }

  assert {
    condition     = jsondecode(aws_ecs_task_definition.this.container_definitions)[0].linuxParameters.capabilities.drop == ["ALL"]
    error_message = "The container keeps capabilities."
  }

  assert {
    condition     = jsondecode(aws_ecs_task_definition.this.container_definitions)[0].command == ["run"]
    error_message = "The command is not run."
  }

  # The runner has to be done before ECS kills.
  assert {
    condition = (
      jsondecode(aws_ecs_task_definition.this.container_definitions)[0].stopTimeout == 120
      && contains(
        jsondecode(aws_ecs_task_definition.this.container_definitions)[0].environment,
        { name = "DBT_ENTRYPOINT_STOP_TIMEOUT", value = "110s" },
      )
    )
    error_message = "The stop timeouts are not 120 s for ECS and 110 s for the runner."
  }

  assert {
    condition = {
      for name, value in jsondecode(aws_ecs_task_definition.this.container_definitions)[0].logConfiguration.options : name => value
      if startswith(name, "awslogs-")
    } == { "awslogs-group" = "/ecs/dbt-shop-dev", "awslogs-region" = "eu-west-1", "awslogs-stream-prefix" = "dbt" }
    error_message = "The log goes elsewhere."
  }

  assert {
    condition     = !can(jsondecode(aws_ecs_task_definition.this.container_definitions)[0].secrets)
    error_message = "There are secrets in the task definition; the runner fetches them itself."
  }
}

run "environment" {
  command = plan

  assert {
    condition = (
      { for variable in jsondecode(aws_ecs_task_definition.this.container_definitions)[0].environment : variable.name => variable.value }
      == {
        AWS_REGION                  = "eu-west-1"
        DBT_ENTRYPOINT_BUCKET_OWNER = "123456789012"
        DBT_ENTRYPOINT_CREDENTIALS  = "glue:redshift"
        DBT_ENTRYPOINT_DEADLINE     = "3600s"
        DBT_ENTRYPOINT_DEPLOYMENTS  = "dev"
        DBT_ENTRYPOINT_DESTINATION  = "s3://dbt-documentation-dev/shop"
        DBT_ENTRYPOINT_LOG_FORMAT   = "text"
        DBT_ENTRYPOINT_PUBLISH      = "on-success"
        DBT_ENTRYPOINT_STOP_TIMEOUT = "110s"
        ENV                         = "dev"
        PROJECT_NAME                = "shop"
    })
    error_message = "The environment is ${jsonencode(jsondecode(aws_ecs_task_definition.this.container_definitions)[0].environment)}."
  }
}

run "names" {
  command = plan

  assert {
    condition     = aws_iam_role.task.name == "DBTServiceRole-shop" && aws_iam_role.execution.name == "DBTExecutionRole-shop"
    error_message = "The roles are ${aws_iam_role.task.name} and ${aws_iam_role.execution.name}."
  }

  assert {
    condition     = aws_s3_bucket.docs[0].bucket == "dbt-documentation-dev"
    error_message = "The bucket is ${aws_s3_bucket.docs[0].bucket}."
  }

  assert {
    condition     = aws_ecs_cluster.this[0].name == "dbt-dev" && aws_cloudwatch_log_group.this.name == "/ecs/dbt-shop-dev"
    error_message = "The cluster is ${aws_ecs_cluster.this[0].name}, the log group ${aws_cloudwatch_log_group.this.name}."
  }
}

run "registry" {
  command = plan

  assert {
    condition = (
      aws_ecr_repository.this[0].name == "dbt-shop-dev" && aws_ecr_repository.this[0].image_tag_mutability == "IMMUTABLE"
      && one(aws_ecr_repository.this[0].image_scanning_configuration).scan_on_push && !aws_ecr_repository.this[0].force_delete
    )
    error_message = "The repository has another name, tags that can be moved, no scan on push, or goes away with its images."
  }

  assert {
    condition = (
      [for rule in jsondecode(aws_ecr_lifecycle_policy.this[0].policy).rules : [rule.selection.tagStatus, rule.selection.countNumber]]
      == [["untagged", 14], ["any", 50]]
    )
    error_message = "The lifecycle is not: 14 days for images without a tag, 50 images in all."
  }
}

run "documentation_bucket" {
  command = plan

  assert {
    condition = alltrue([
      aws_s3_bucket_public_access_block.docs[0].block_public_acls, aws_s3_bucket_public_access_block.docs[0].block_public_policy,
      aws_s3_bucket_public_access_block.docs[0].ignore_public_acls, aws_s3_bucket_public_access_block.docs[0].restrict_public_buckets,
    ])
    error_message = "Public access is not blocked altogether."
  }

  assert {
    condition     = one(aws_s3_bucket_versioning.docs[0].versioning_configuration).status == "Enabled"
    error_message = "The bucket is not versioned."
  }

  assert {
    condition = (
      one(one(aws_s3_bucket_server_side_encryption_configuration.docs[0].rule).apply_server_side_encryption_by_default).sse_algorithm
      == "AES256"
    )
    error_message = "The bucket is not encrypted."
  }

  assert {
    condition     = one(aws_s3_bucket_ownership_controls.docs[0].rule).object_ownership == "BucketOwnerEnforced"
    error_message = "Objects can have ACLs."
  }

  assert {
    condition     = [for rule in aws_s3_bucket_lifecycle_configuration.docs[0].rule : rule.id] == ["overwritten", "ledger-shop"]
    error_message = "Old versions or the ledger stay forever."
  }

  assert {
    condition     = one(aws_s3_bucket_lifecycle_configuration.docs[0].rule[0].expiration).expired_object_delete_marker
    error_message = "Markers of deleted objects stay forever."
  }
}

run "what_is_off" {
  command = plan

  assert {
    condition = (
      length(aws_scheduler_schedule.this) + length(aws_scheduler_schedule_group.this) + length(aws_sqs_queue.not_started)
      + length(aws_iam_role.scheduler) + length(aws_sqs_queue_policy.not_started)
      + length(aws_cloudwatch_event_rule.restart) + length(aws_cloudwatch_event_target.restart)
      == 0
    )
    error_message = "There are parts of a schedule."
  }

  assert {
    condition = (
      length(aws_cloudfront_response_headers_policy.runs) + length(aws_cloudfront_distribution.docs) + length(aws_cloudfront_function.viewers) + length(aws_cloudfront_key_value_store.viewers)
      == 0
    )
    error_message = "There are parts of a docs site."
  }

  assert {
    condition     = length(aws_security_group.this) + length(aws_vpc_security_group_egress_rule.this) == 0
    error_message = "There is a security group of the module's own."
  }

  assert {
    condition = (
      length(aws_cloudwatch_event_rule.failed) + length(aws_cloudwatch_event_target.failed)
      + length(aws_cloudwatch_metric_alarm.not_started) + length(aws_cloudwatch_metric_alarm.no_success)
      + length(aws_cloudwatch_dashboard.this)
      == 0
    )
    error_message = "There are alarms."
  }

  assert {
    condition = (
      length(aws_iam_role.orchestrator) + length(aws_iam_role_policy.orchestrator) + length(aws_iam_role_policy.orchestrator_on_task)
      == 0
    )
    error_message = "Somebody may orchestrate, though no Airflow was named."
  }
}

run "airflow_variable" {
  command = apply

  assert {
    condition = keys(output.airflow_variable) == [
      "assign_public_ip", "awslogs_group", "awslogs_region", "awslogs_stream_prefix", "capacity_provider_strategy", "cluster",
      "container_name", "deadline_seconds", "docs_url", "env", "project", "region", "role_arn", "security_groups", "stop_timeout_seconds",
      "subnets", "task_definition",
    ]
    error_message = "The DAG expects other keys than ${join(", ", keys(output.airflow_variable))}."
  }

  assert {
    condition = (
      jsonencode({ for key, value in output.airflow_variable : key => value if key != "awslogs_group" && key != "task_definition" })
      == jsonencode({
        assign_public_ip      = false
        awslogs_region        = "eu-west-1"
        awslogs_stream_prefix = "dbt"

        capacity_provider_strategy = []

        cluster              = "dbt-dev"
        container_name       = "dbt"
        deadline_seconds     = 3600
        docs_url             = null
        env                  = "dev"
        project              = "shop"
        region               = "eu-west-1"
        role_arn             = null
        security_groups      = ["sg-0123456789abcdef0"]
        stop_timeout_seconds = 120
        subnets              = ["subnet-0123456789abcdef0"]
    }))
    error_message = "The variable is ${jsonencode(output.airflow_variable)}."
  }

  assert {
    condition = (
      output.airflow_variable.awslogs_group == "/ecs/dbt-shop-dev"
      && output.airflow_variable.task_definition == "dbt-shop-dev"
    )
    error_message = "The log group or the family is not that of the task."
  }
}
