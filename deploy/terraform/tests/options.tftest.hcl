# Everything that can be switched on or off, one at a time.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  project            = "shop"
  env                = "live"
  role_name_suffix   = "-live"
  credentials        = "secretsmanager:prod/redshift"
  subnet_ids         = ["subnet-0123456789abcdef0"]
  security_group_ids = ["sg-0123456789abcdef0"]
  image              = { tag = "a" }
}

run "nothing_that_others_made" {
  command = plan

  variables {
    repository           = { create = false }
    cluster              = { create = false, name = "team" }
    documentation_bucket = { create = false, name = "acme-docs", owner = "210987654321" }
  }

  assert {
    condition = (
      length(aws_ecr_repository.this) + length(aws_ecr_lifecycle_policy.this) + length(aws_ecs_cluster.this) + length(aws_s3_bucket.docs)
      == 0
    )
    error_message = "Something is made that others made."
  }

  assert {
    condition = (
      length(aws_s3_bucket_policy.docs) + length(aws_s3_bucket_versioning.docs) + length(aws_s3_bucket_lifecycle_configuration.docs)
      + length(aws_s3_bucket_public_access_block.docs) + length(aws_s3_bucket_ownership_controls.docs)
      + length(aws_s3_bucket_server_side_encryption_configuration.docs) == 0
    )
    error_message = "A setting of a bucket that others made is changed."
  }

  assert {
    condition     = output.airflow_variable.cluster == "team" && output.cluster_arn == "arn:aws:ecs:eu-west-1:123456789012:cluster/team"
    error_message = "The cluster is ${output.cluster_arn}."
  }

  assert {
    condition = length(setsubtract(
      [
        { name = "DBT_ENTRYPOINT_BUCKET_OWNER", value = "210987654321" },
        { name = "DBT_ENTRYPOINT_DESTINATION", value = "s3://acme-docs/shop" },
      ],
      jsondecode(aws_ecs_task_definition.this.container_definitions)[0].environment,
    )) == 0
    error_message = "The runner is not told of the bucket and its owner."
  }
}

run "publishing_nothing" {
  command = plan

  variables {
    publish              = "never"
    documentation_bucket = { create = false }
  }

  assert {
    condition = [for variable in jsondecode(aws_ecs_task_definition.this.container_definitions)[0].environment : variable.value
      if contains(["DBT_ENTRYPOINT_PUBLISH", "DBT_ENTRYPOINT_DESTINATION", "DBT_ENTRYPOINT_BUCKET_OWNER"], variable.name)
    ] == ["never"]
    error_message = "A run that publishes nothing is told where to publish."
  }
}

run "a_project_that_needs_nothing" {
  command = plan

  variables {
    credentials          = "none"
    publish              = "never"
    documentation_bucket = { create = false }
  }

  assert {
    condition     = length(aws_iam_role_policy.task) == 0
    error_message = "The role has a policy, which would be empty."
  }
}

# The mocks make ARNs up, so the names are looked at here and not where several deployments meet.
run "roles_with_a_suffix" {
  command = plan

  variables {
    schedules = { nightly = { expression = "rate(1 day)" } }
  }

  assert {
    condition = (
      [aws_iam_role.task.name, aws_iam_role.execution.name, aws_iam_role.scheduler[0].name]
      == ["DBTServiceRole-shop-live", "DBTExecutionRole-shop-live", "DBTSchedulerRole-shop-live"]
    )
    error_message = "A role lacks its suffix, and another environment of the account could not make its own."
  }
}

run "security_group" {
  command = plan

  variables {
    security_group = { vpc_id = "vpc-0123456789abcdef0" }
  }

  assert {
    condition = (
      { for name, rule in aws_vpc_security_group_egress_rule.this : name => [rule.from_port, rule.to_port, rule.ip_protocol] }
      == { https = [443, 443, "tcp"], redshift = [5439, 5439, "tcp"] }
    )
    error_message = "The ways out are ${jsonencode(keys(aws_vpc_security_group_egress_rule.this))}."
  }

  # No ingress may slip in with the group.
  assert {
    condition     = aws_security_group.this[0].vpc_id == "vpc-0123456789abcdef0" && try(length(aws_security_group.this[0].ingress), 0) == 0
    error_message = "The group lies elsewhere, or lets something in."
  }
}

run "airflow_by_the_service_role" {
  command = apply

  variables {
    airflow_role_arns = ["arn:aws:iam::123456789012:role/airflow"]
  }

  assert {
    condition     = length(aws_iam_role_policy.orchestrator_on_task) == 1 && length(aws_iam_role.orchestrator) == 0
    error_message = "The rights are not on the service role, or not only."
  }

  assert {
    condition     = output.airflow_variable.role_arn == aws_iam_role.task.arn
    error_message = "Airflow is told of another role."
  }
}

run "airflow_by_a_role_of_its_own" {
  command = apply

  variables {
    airflow_role_arns = ["arn:aws:iam::123456789012:role/airflow"]
    orchestrator_role = "separate"
  }

  assert {
    condition = (
      length(aws_iam_role_policy.orchestrator_on_task) == 0
      && aws_iam_role.orchestrator[0].name == "DBTOrchestratorRole-shop-live"
    )
    error_message = "The rights are not on the separate role, or not only."
  }

  assert {
    condition     = output.airflow_variable.role_arn == aws_iam_role.orchestrator[0].arn
    error_message = "Airflow is told of another role."
  }
}

run "schedules" {
  command = apply

  variables {
    schedules = {
      nightly = { expression = "cron(0 5 * * ? *)", timezone = "Europe/Berlin" }
      hourly  = { expression = "rate(1 hour)", command = ["run", "--select", "orders+"], enabled = false, flexible_minutes = 5 }
    }
    tags = { team = "data" }
  }

  assert {
    condition     = keys(aws_scheduler_schedule.this) == ["hourly", "nightly"] && length(aws_sqs_queue.not_started) == 1
    error_message = "The schedules are ${join(", ", keys(aws_scheduler_schedule.this))}."
  }

  assert {
    condition = (
      aws_scheduler_schedule.this["nightly"].state == "ENABLED" && one(aws_scheduler_schedule.this["nightly"].target).input == null
      && one(aws_scheduler_schedule.this["nightly"].flexible_time_window).mode == "OFF"
    )
    error_message = "The plain schedule is not plain."
  }

  assert {
    condition = (
      aws_scheduler_schedule.this["hourly"].state == "DISABLED"
      && jsondecode(one(aws_scheduler_schedule.this["hourly"].target).input) == {
        containerOverrides = [{ name = "dbt", command = ["run", "--select", "orders+"] }]
      }
      && one(aws_scheduler_schedule.this["hourly"].flexible_time_window).maximum_window_in_minutes == 5
    )
    error_message = "The schedule with a command does not follow its settings."
  }

  assert {
    condition = alltrue([for schedule in aws_scheduler_schedule.this : (
      one(one(schedule.target).retry_policy).maximum_retry_attempts == 5
      && one(one(schedule.target).retry_policy).maximum_event_age_in_seconds == 3600
      && one(one(schedule.target).dead_letter_config).arn == aws_sqs_queue.not_started[0].arn
    )])
    error_message = "A schedule has no retries or no dead-letter queue."
  }

  assert {
    condition = alltrue([for schedule in aws_scheduler_schedule.this :
      one(one(one(schedule.target).ecs_parameters).network_configuration).subnets == toset(["subnet-0123456789abcdef0"])
    ])
    error_message = "A schedule starts the task in other subnets."
  }
}

run "restarts" {
  command = apply

  variables {
    schedules = {
      nightly = { expression = "cron(0 5 * * ? *)" }
      hourly  = { expression = "rate(1 hour)", command = ["run", "--select", "orders+"], enabled = false }
      once    = { expression = "at(2027-01-01T00:00:00)", restart = false }
    }
    schedule_retry   = { maximum_attempts = 7, maximum_age_seconds = 900 }
    assign_public_ip = true
    tags             = { team = "data" }
  }

  assert {
    condition = (
      keys(aws_cloudwatch_event_rule.restart) == ["hourly__held", "hourly__killed", "nightly__held", "nightly__killed"]
      && keys(aws_cloudwatch_event_target.restart) == keys(aws_cloudwatch_event_rule.restart)
      && aws_cloudwatch_event_rule.restart["nightly__killed"].name == "dbt-shop-live__nightly__killed"
    )
    error_message = "The rules are ${join(", ", keys(aws_cloudwatch_event_rule.restart))}."
  }

  # A rule goes by the group of its own schedule's tasks, and gives its own tasks another one, or it would start them forever.
  assert {
    condition = alltrue([for key, rule in aws_cloudwatch_event_rule.restart : (
      jsondecode(rule.event_pattern).detail.group
      == ["dbt-shop-live__${split("__", key)[0]}__scheduled"]
      && jsondecode(rule.event_pattern).detail.group
      == [one(one(aws_scheduler_schedule.this[split("__", key)[0]].target).ecs_parameters).group]
      && one(aws_cloudwatch_event_target.restart[key].ecs_target).group == rule.name
      && jsondecode(rule.event_pattern).detail.clusterArn == ["arn:aws:ecs:eu-west-1:123456789012:cluster/dbt-live"]
    )])
    error_message = "A rule hears of other tasks than those of its schedule, or of its own."
  }

  # What nobody restarts stays in the family's group, as tasks that are started by hand.
  assert {
    condition     = one(one(aws_scheduler_schedule.this["once"].target).ecs_parameters).group == null
    error_message = "A schedule that is not restarted has a group of its own."
  }

  assert {
    condition     = { for key, rule in aws_cloudwatch_event_rule.restart : key => rule.state if startswith(key, "hourly") || rule.state != "ENABLED" } == { "hourly__held" = "DISABLED", "hourly__killed" = "DISABLED" }
    error_message = "What is restarted is not what is enabled."
  }

  # The command of the schedule, if it has one, and the settings beside it, whatever the command is.
  assert {
    condition = { for key, target in aws_cloudwatch_event_target.restart : key => jsondecode(target.input) } == {
      "nightly__killed" = { containerOverrides = [{
        name = "dbt"
        environment = [
          { name = "DBT_ENTRYPOINT_LEASE_WAIT", value = "1800s" },
          { name = "DBT_ENTRYPOINT_RESUME", value = "last" },
          { name = "DBT_ENTRYPOINT_RESUME_WITHIN", value = "7020s" },
        ]
      }] }
      "nightly__held" = { containerOverrides = [{
        name = "dbt", environment = [{ name = "DBT_ENTRYPOINT_LEASE_WAIT", value = "1800s" }]
      }] }
      "hourly__killed" = { containerOverrides = [{
        name    = "dbt"
        command = ["run", "--select", "orders+"]
        environment = [
          { name = "DBT_ENTRYPOINT_LEASE_WAIT", value = "1800s" },
          { name = "DBT_ENTRYPOINT_RESUME", value = "last" },
          { name = "DBT_ENTRYPOINT_RESUME_WITHIN", value = "7020s" },
        ]
      }] }
      "hourly__held" = { containerOverrides = [{
        name        = "dbt"
        command     = ["run", "--select", "orders+"]
        environment = [{ name = "DBT_ENTRYPOINT_LEASE_WAIT", value = "1800s" }]
      }] }
    }
    error_message = "A restart runs something else: ${jsonencode([for target in aws_cloudwatch_event_target.restart : target.input])}."
  }

  assert {
    condition = alltrue([for target in aws_cloudwatch_event_target.restart : (
      target.arn == "arn:aws:ecs:eu-west-1:123456789012:cluster/dbt-live"
      && target.role_arn == aws_iam_role.scheduler[0].arn
      && one(target.ecs_target).task_definition_arn == "arn:aws:ecs:eu-west-1:123456789012:task-definition/dbt-shop-live"
      && one(target.ecs_target).launch_type == "FARGATE" && one(target.ecs_target).task_count == 1
      && one(target.ecs_target).propagate_tags == "TASK_DEFINITION"
      && one(one(target.ecs_target).network_configuration).subnets == toset(["subnet-0123456789abcdef0"])
      && one(one(target.ecs_target).network_configuration).security_groups == toset(["sg-0123456789abcdef0"])
      && one(one(target.ecs_target).network_configuration).assign_public_ip
    )])
    error_message = "A restart starts another task, elsewhere, or by another role."
  }

  assert {
    condition = alltrue([for target in aws_cloudwatch_event_target.restart : (
      one(target.retry_policy).maximum_retry_attempts == 7 && one(target.retry_policy).maximum_event_age_in_seconds == 900
      && one(target.dead_letter_config).arn == aws_sqs_queue.not_started[0].arn
    )])
    error_message = "A restart that could not be started is lost."
  }

  assert {
    condition     = length(aws_sqs_queue_policy.not_started) == 1
    error_message = "EventBridge may not write to the queue."
  }
}

# The deadline is of the whole run, its wait for the lease too, and the runner refuses to resume what is older than six hours by default.
run "restarts_of_short_runs" {
  command = plan

  variables {
    schedules        = { nightly = { expression = "rate(1 day)" } }
    deadline_seconds = 61
  }

  assert {
    condition = (
      jsondecode(aws_cloudwatch_event_target.restart["nightly__held"].input).containerOverrides[0].environment
      == [{ name = "DBT_ENTRYPOINT_LEASE_WAIT", value = "30s" }]
    )
    error_message = "A restart waits for the lease until its deadline has passed."
  }
}

run "restarts_of_long_runs" {
  command = plan

  variables {
    schedules        = { nightly = { expression = "rate(1 day)" } }
    deadline_seconds = 28800
    environment      = { DBT_ENTRYPOINT_LEASE_WAIT = "2h" }
  }

  assert {
    condition = jsondecode(aws_cloudwatch_event_target.restart["nightly__killed"].input).containerOverrides[0].environment == [
      { name = "DBT_ENTRYPOINT_RESUME", value = "last" }, { name = "DBT_ENTRYPOINT_RESUME_WITHIN", value = "21600s" },
    ]
    error_message = "A restart finishes a run of long ago, or waits for the lease as nobody has said."
  }
}

run "no_restarts" {
  command = plan

  variables {
    schedules = { nightly = { expression = "rate(1 day)", restart = false } }
  }

  assert {
    condition = (
      length(aws_cloudwatch_event_rule.restart) + length(aws_cloudwatch_event_target.restart) + length(aws_sqs_queue_policy.not_started)
      == 0
    )
    error_message = "There are rules that restart nothing."
  }

  assert {
    condition = [for statement in data.aws_iam_policy_document.trust_scheduler.statement :
    one(statement.principals).identifiers] == [toset(["scheduler.amazonaws.com"])]
    error_message = "The role trusts a service that has no need of it."
  }
}

run "docs_site" {
  command = apply

  variables {
    docs_site = { enabled = true, aliases = ["docs.acme.example"], certificate_arn = "arn:aws:acm:us-east-1:123456789012:certificate/1" }
  }

  assert {
    condition     = aws_cloudfront_distribution.docs[0].default_root_object == "index.html"
    error_message = "The site has no index."
  }

  assert {
    condition = (
      one(aws_cloudfront_distribution.docs[0].default_cache_behavior).viewer_protocol_policy == "redirect-to-https"
      && one(one(aws_cloudfront_distribution.docs[0].default_cache_behavior).function_association).event_type == "viewer-request"
    )
    error_message = "The site can be seen without TLS, or without being asked who one is."
  }

  assert {
    condition     = aws_cloudfront_origin_access_control.docs[0].signing_behavior == "always"
    error_message = "The site's requests to the bucket are not signed."
  }

  assert {
    condition     = strcontains(aws_cloudfront_function.viewers[0].code, "const projects = [\"shop\"];")
    error_message = "The site's first page leads nowhere."
  }

  assert {
    condition     = strcontains(aws_cloudfront_function.viewers[0].code, "const showsRuns = false;")
    error_message = "Viewers see the records of runs by default."
  }

  assert {
    condition = toset(one([for statement in data.aws_iam_policy_document.bucket.statement :
      statement.resources if statement.sid == "NotOnTheDocsSite"])) == toset([for place in ["state/*", "*/state/*", "runs/*", "*/runs/*"] :
      "arn:aws:s3:::dbt-documentation-live/${place}"
    ])
    error_message = "The site can read what the runner keeps for itself."
  }

  assert {
    condition = (
      output.docs_site_url == "https://docs.acme.example/shop/"
      && output.docs_viewers_arn == aws_cloudfront_key_value_store.viewers[0].arn
    )
    error_message = "The site is at ${output.docs_site_url}."
  }

  assert {
    condition     = output.airflow_variable.docs_url == output.docs_site_url
    error_message = "Airflow is told of docs at ${output.airflow_variable.docs_url}."
  }

  assert {
    condition     = one(aws_cloudfront_distribution.docs[0].viewer_certificate).minimum_protocol_version == "TLSv1.2_2021"
    error_message = "With a certificate of one's own the site speaks old TLS."
  }
}

run "alarms" {
  command = plan

  variables {
    alarms    = { topic_arn = "arn:aws:sns:eu-west-1:123456789012:alarms" }
    schedules = { nightly = { expression = "rate(1 day)" } }
  }

  assert {
    condition = jsondecode(aws_cloudwatch_event_rule.failed[0].event_pattern).detail == {
      clusterArn = ["arn:aws:ecs:eu-west-1:123456789012:cluster/dbt-live"]
      containers = { exitCode = [{ "anything-but" = [0] }, { exists = false }] }
      group      = ["family:dbt-shop-live", { prefix = "dbt-shop-live__" }]
      lastStatus = ["STOPPED"]
    }
    error_message = "The alarm listens to ${aws_cloudwatch_event_rule.failed[0].event_pattern}."
  }

  # AWS's chat application drops what a transformer has changed.
  assert {
    condition = (
      length(aws_cloudwatch_event_target.failed[0].input_transformer) == 0
      && aws_cloudwatch_event_target.failed[0].input == null && aws_cloudwatch_event_target.failed[0].input_path == null
    )
    error_message = "The topic gets something else than the event."
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.not_started[0].dimensions == tomap({ QueueName = "dbt-shop-live-not-started" })
    error_message = "The alarm watches another queue."
  }
}

run "no_success" {
  command = plan

  variables {
    alarms    = { topic_arn = "arn:aws:sns:eu-west-1:123456789012:alarms", no_success_hours = 26 }
    dashboard = true
  }

  # A run that never started has no metric at all.
  assert {
    condition     = aws_cloudwatch_metric_alarm.no_success[0].treat_missing_data == "breaching"
    error_message = "Nobody is told of a run that never started."
  }

  assert {
    condition = (
      aws_cloudwatch_metric_alarm.no_success[0].period * aws_cloudwatch_metric_alarm.no_success[0].evaluation_periods == 26 * 3600
      && aws_cloudwatch_metric_alarm.no_success[0].datapoints_to_alarm == 26
      && aws_cloudwatch_metric_alarm.no_success[0].comparison_operator == "LessThanThreshold"
      && aws_cloudwatch_metric_alarm.no_success[0].threshold == 1
    )
    error_message = "The alarm waits for another time, or for something else than a success."
  }

  assert {
    condition = (
      aws_cloudwatch_metric_alarm.no_success[0].namespace == "dbt-entrypoint"
      && aws_cloudwatch_metric_alarm.no_success[0].dimensions == tomap({ project = "shop", env = "live" })
    )
    error_message = "The alarm watches the metrics of others."
  }

  assert {
    condition = contains(
      jsondecode(aws_ecs_task_definition.this.container_definitions)[0].environment,
      { name = "DBT_ENTRYPOINT_METRICS", value = "emf" },
    )
    error_message = "The runner writes no metrics."
  }

  assert {
    condition = alltrue([for widget in jsondecode(aws_cloudwatch_dashboard.this[0].dashboard_body).widgets :
      alltrue([for metric in widget.properties.metrics : slice(metric, 2, 6) == ["project", "shop", "env", "live"]])
    ])
    error_message = "The dashboard shows the metrics of others."
  }
}

run "pages_shown_elsewhere" {
  command = plan

  variables {
    page_url = "https://docs.acme.example/shop"
  }

  assert {
    condition = contains(
      jsondecode(aws_ecs_task_definition.this.container_definitions)[0].environment,
      { name = "DBT_ENTRYPOINT_PAGE_URL", value = "https://docs.acme.example/shop" },
    )
    error_message = "The runner does not know where its pages are shown."
  }
}

run "keys" {
  command = plan

  variables {
    log_kms_key_arn      = "arn:aws:kms:eu-west-1:123456789012:key/1"
    documentation_bucket = { kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/2" }
  }

  assert {
    condition     = aws_cloudwatch_log_group.this.kms_key_id == "arn:aws:kms:eu-west-1:123456789012:key/1"
    error_message = "The log's key is not taken."
  }

  assert {
    condition = (
      one(one(aws_s3_bucket_server_side_encryption_configuration.docs[0].rule).apply_server_side_encryption_by_default).sse_algorithm
      == "aws:kms"
      && one(aws_s3_bucket_server_side_encryption_configuration.docs[0].rule).bucket_key_enabled
    )
    error_message = "The bucket's key is not taken."
  }
}

run "a_larger_task" {
  command = plan

  variables {
    cpu                   = 4096
    memory                = 8192
    architecture          = "ARM64"
    ephemeral_storage_gib = 50
    environment           = { DBT_ENTRYPOINT_STEPS = "build,docs" }
    redshift_schema       = "analytics"
    permissions_boundary  = "arn:aws:iam::123456789012:policy/boundary"
    force_destroy         = true
  }

  assert {
    condition = (
      one(aws_ecs_task_definition.this.runtime_platform).cpu_architecture == "ARM64"
      && one(aws_ecs_task_definition.this.ephemeral_storage).size_in_gib == 50
    )
    error_message = "The task is not as large as it was asked to be."
  }

  assert {
    condition = length(setsubtract(
      [{ name = "DBT_ENTRYPOINT_STEPS", value = "build,docs" }, { name = "DBT_REDSHIFT_SCHEMA", value = "analytics" }],
      jsondecode(aws_ecs_task_definition.this.container_definitions)[0].environment,
    )) == 0
    error_message = "The variables do not reach the container."
  }

  assert {
    condition = (
      aws_iam_role.task.permissions_boundary == aws_iam_role.execution.permissions_boundary
      && aws_iam_role.task.permissions_boundary != null
    )
    error_message = "A role is not bounded."
  }

  assert {
    condition     = aws_ecr_repository.this[0].force_delete && aws_s3_bucket.docs[0].force_destroy
    error_message = "force_destroy does not reach the repository and the bucket."
  }
}

run "docs_site_with_the_records_of_runs" {
  command = apply

  variables {
    docs_site            = { enabled = true, show_runs = true }
    documentation_bucket = { ledger_projects = ["shop", "finance"] }
  }

  assert {
    condition     = strcontains(aws_cloudfront_function.viewers[0].code, "const projects = [\"finance\",\"shop\"];")
    error_message = "The site's first page does not lead to all projects of the bucket."
  }

  assert {
    condition = [for each in aws_cloudfront_distribution.docs[0].ordered_cache_behavior :
      [each.path_pattern, each.response_headers_policy_id, one(each.function_association).event_type]
    ] == [["*/runs/*", aws_cloudfront_response_headers_policy.runs[0].id, "viewer-request"]]
    error_message = "Pages of runs are shown without their policy, or to anybody."
  }

  assert {
    condition = startswith(
      one(one(aws_cloudfront_response_headers_policy.runs[0].security_headers_config).content_security_policy).content_security_policy,
      "default-src 'none'; style-src 'sha256-",
    )
    error_message = "A page of a run may load what it likes."
  }

  assert {
    condition = contains(
      [for variable in jsondecode(aws_ecs_task_definition.this.container_definitions)[0].environment : variable.value
      if variable.name == "DBT_ENTRYPOINT_PAGE_URL"],
      "https://${aws_cloudfront_distribution.docs[0].domain_name}/shop",
    )
    error_message = "The runner does not know where its pages are shown."
  }

  assert {
    condition     = strcontains(aws_cloudfront_function.viewers[0].code, "const showsRuns = true;")
    error_message = "The function keeps the records of runs from viewers."
  }

  assert {
    condition = toset(one([for statement in data.aws_iam_policy_document.bucket.statement :
      statement.resources if statement.sid == "NotOnTheDocsSite"])) == toset([for place in ["state/*", "*/state/*"] :
      "arn:aws:s3:::dbt-documentation-live/${place}"
    ])
    error_message = "The policy keeps the records of runs from viewers, or shows more."
  }
}

run "spot" {
  command = apply

  variables {
    capacity_provider_strategy = [{ capacity_provider = "FARGATE_SPOT", weight = 4 }, { capacity_provider = "FARGATE", base = 1 }]
    schedules                  = { nightly = { expression = "rate(1 day)" } }
  }

  assert {
    condition     = aws_ecs_cluster_capacity_providers.this[0].capacity_providers == toset(["FARGATE", "FARGATE_SPOT"])
    error_message = "The cluster does not have what its tasks name."
  }

  # ECS takes one of both.
  assert {
    condition = (
      one(one(aws_scheduler_schedule.this["nightly"].target).ecs_parameters).launch_type == null
      && { for each in one(one(aws_scheduler_schedule.this["nightly"].target).ecs_parameters).capacity_provider_strategy :
      each.capacity_provider => [each.base, each.weight] } == { FARGATE = [1, 1], FARGATE_SPOT = [0, 4] }
    )
    error_message = "The schedule starts its task elsewhere."
  }

  assert {
    condition = alltrue([for target in aws_cloudwatch_event_target.restart : (
      one(target.ecs_target).launch_type == null
      && { for each in one(target.ecs_target).capacity_provider_strategy : each.capacity_provider => [each.base, each.weight] }
      == { FARGATE = [1, 1], FARGATE_SPOT = [0, 4] }
    )])
    error_message = "A restart starts its task elsewhere."
  }

  assert {
    condition = jsonencode(output.airflow_variable.capacity_provider_strategy) == jsonencode([
      { base = 0, capacityProvider = "FARGATE_SPOT", weight = 4 }, { base = 1, capacityProvider = "FARGATE", weight = 1 },
    ])
    error_message = "Airflow is told of ${jsonencode(output.airflow_variable.capacity_provider_strategy)}."
  }
}

run "spot_on_a_cluster_of_others" {
  command = plan

  variables {
    capacity_provider_strategy = [{ capacity_provider = "FARGATE_SPOT" }]
    cluster                    = { create = false }
  }

  assert {
    condition     = length(aws_ecs_cluster_capacity_providers.this) == 0
    error_message = "The capacity of a cluster that others made is changed."
  }
}

run "a_container_beside_and_a_writable_root" {
  command = plan

  variables {
    readonly_root_filesystem = false
    sidecars                 = [{ name = "proxy", image = "registry.example/proxy:1", essential = false }]
  }

  assert {
    condition     = jsondecode(aws_ecs_task_definition.this.container_definitions)[*].name == ["dbt", "proxy"]
    error_message = "The containers are ${jsonencode(jsondecode(aws_ecs_task_definition.this.container_definitions)[*].name)}."
  }

  assert {
    condition     = !jsondecode(aws_ecs_task_definition.this.container_definitions)[0].readonlyRootFilesystem
    error_message = "The root file system cannot be written to."
  }
}

run "rights_of_the_caller_alone" {
  command = plan

  variables {
    credentials          = "none"
    publish              = "never"
    task_role_statements = [{ actions = ["redshift:GetClusterCredentials"], resources = ["*"] }]
  }

  assert {
    condition = (
      length(aws_iam_role_policy.task) == 1
      && [for statement in data.aws_iam_policy_document.task.statement : statement.actions] == [toset(["redshift:GetClusterCredentials"])]
    )
    error_message = "The role cannot do what the caller has added."
  }
}
