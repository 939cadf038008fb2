locals {
  bucket_name = coalesce(var.documentation_bucket.name, "dbt-documentation-${var.env}")
  publishes   = var.publish != "never"

  # Names and places only: whoever may describe a task definition can read all of this.
  own_environment = {
    for name, value in {
      ENV          = var.env
      PROJECT_NAME = var.project
      # Only this one. A task that somebody starts with another ENV works in a sandbox, and not in another deployment.
      DBT_ENTRYPOINT_DEPLOYMENTS  = var.env
      DBT_ENTRYPOINT_CREDENTIALS  = var.credentials
      DBT_ENTRYPOINT_PUBLISH      = var.publish
      DBT_ENTRYPOINT_DESTINATION  = local.publishes ? "s3://${local.bucket_name}/${var.project}" : null
      DBT_ENTRYPOINT_BUCKET_OWNER = local.publishes ? coalesce(var.documentation_bucket.owner, local.account) : null
      DBT_ENTRYPOINT_DEADLINE     = "${var.deadline_seconds}s"
      # Less than ECS waits, so that the ledger is written before SIGKILL.
      DBT_ENTRYPOINT_STOP_TIMEOUT = "${var.stop_timeout_seconds - 10}s"
      DBT_ENTRYPOINT_LOG_FORMAT   = var.log_format
      DBT_ENTRYPOINT_METRICS      = local.has_metrics ? "emf" : null
      DBT_ENTRYPOINT_PAGE_URL     = local.page_url
      DBT_REDSHIFT_SCHEMA         = var.redshift_schema
      AWS_REGION                  = local.region
    } : name => value if value != null
  }

  # Where a browser finds the pages of runs: as the caller says, or at the docs site of this call, if it shows them.
  shown_at = var.docs_site.enabled && var.docs_site.show_runs ? try(var.docs_site.aliases[0], local.docs_site.domain) : null
  page_url = !local.publishes ? null : var.page_url != null ? var.page_url : try("https://${local.shown_at}/${var.project}", null)

  image = format(
    "%s%s", local.repository_url,
    var.image.digest != null ? "@${var.image.digest}" : ":${coalesce(var.image.tag, "none")}",
  )

  container = {
    name      = local.container_name
    image     = local.image
    essential = true
    command   = var.command
    # Sorted, as the provider does, or every plan would show a change.
    environment = [for name in sort(keys(merge(var.environment, local.own_environment))) :
      { name = name, value = merge(var.environment, local.own_environment)[name] }
    ]
    stopTimeout            = var.stop_timeout_seconds
    readonlyRootFilesystem = var.readonly_root_filesystem
    # Belongs to the image's user only because the image declares a VOLUME at this very path; Fargate gives others to root.
    mountPoints = [{ sourceVolume = "tmp", containerPath = "/tmp", readOnly = false }]
    linuxParameters = {
      # The runner is a good PID 1 itself.
      initProcessEnabled = false
      capabilities       = { add = [], drop = ["ALL"] }
    }
    logConfiguration = {
      logDriver = "awslogs"
      options = {
        "awslogs-group"         = local.log_group_name
        "awslogs-region"        = local.region
        "awslogs-stream-prefix" = local.stream_prefix
        # A log that cannot be delivered must not hold up dbt; the buffer takes far more than a run writes in a minute.
        "mode"            = "non-blocking"
        "max-buffer-size" = "25m"
      }
    }
    portMappings   = []
    systemControls = []
    volumesFrom    = []
  }
}

resource "aws_ecs_task_definition" "this" {
  family                   = local.name
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = var.cpu
  memory                   = var.memory
  task_role_arn            = aws_iam_role.task.arn
  execution_role_arn       = aws_iam_role.execution.arn
  container_definitions    = jsonencode(concat([local.container], var.sidecars))
  tags                     = var.tags
  # Old revisions stay in service, for a rollback; scripts/deploy --destroy takes them out.
  skip_destroy = true

  runtime_platform {
    operating_system_family = "LINUX"
    cpu_architecture        = var.architecture
  }

  volume {
    name = "tmp"
  }

  dynamic "ephemeral_storage" {
    for_each = var.ephemeral_storage_gib == null ? [] : [var.ephemeral_storage_gib]

    content {
      size_in_gib = ephemeral_storage.value
    }
  }

  lifecycle {
    # A schedule or an Airflow that starts a task meanwhile finds one; and where the new revision is refused, the old one is still there.
    create_before_destroy = true

    precondition {
      # Not a validation of the variable: the repository has to be made before there is any image to name.
      condition     = (var.image.digest == null) != (var.image.tag == null)
      error_message = <<-EOT
        image: give exactly one of digest and tag. There is no image yet? Make the repository first, with
        terraform apply -target=module.NAME.aws_ecr_repository.this, and push one.
      EOT
    }
  }

  # A task that starts before its group is there cannot log, and fails.
  depends_on = [aws_cloudwatch_log_group.this]
}
