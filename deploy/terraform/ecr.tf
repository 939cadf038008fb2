# Each environment has a repository of its own. In a shared one the pushes to dev would, by their number, let the image of live expire;
# in its own the image that an environment runs is among the newest.
locals {
  repository_name = coalesce(var.repository.name, local.name)
  repository_url = coalesce(
    var.image.repository_url,
    "${local.account}.dkr.ecr.${local.region}.${data.aws_partition.current.dns_suffix}/${local.repository_name}",
  )
  # Null for an image that lies elsewhere than in ECR, which needs no rights to be pulled.
  in_ecr = try(regex("^(?P<account>\\d{12})\\.dkr\\.ecr\\.(?P<region>[a-z0-9-]+)\\.[a-z.]+/(?P<name>.+)$", local.repository_url), null)
  repository_arn = try(
    "arn:${local.partition}:ecr:${local.in_ecr.region}:${local.in_ecr.account}:repository/${local.in_ecr.name}", null
  )
}

resource "aws_ecr_repository" "this" {
  # checkov:skip=CKV_AWS_136: AWS's own key encrypts it; an image holds no secret, and a key of one's own can be given.
  # checkov:skip=CKV_AWS_51: tags are immutable unless the caller says otherwise.
  count = var.repository.create ? 1 : 0

  name                 = local.repository_name
  image_tag_mutability = var.repository.immutable ? "IMMUTABLE" : "MUTABLE"
  force_delete         = var.force_destroy
  tags                 = var.tags

  image_scanning_configuration {
    scan_on_push = true
  }

  encryption_configuration {
    encryption_type = var.repository.kms_key_arn == null ? "AES256" : "KMS"
    kms_key         = var.repository.kms_key_arn
  }
}

resource "aws_ecr_lifecycle_policy" "this" {
  count = var.repository.create ? 1 : 0

  repository = aws_ecr_repository.this[0].name
  policy = jsonencode({
    rules = [
      {
        rulePriority = 1
        description  = "Images without a tag go after ${var.repository.untagged_days} days"
        selection = {
          tagStatus   = "untagged"
          countType   = "sinceImagePushed"
          countUnit   = "days"
          countNumber = var.repository.untagged_days
        }
        action = { type = "expire" }
      },
      {
        rulePriority = 2
        description  = "The newest ${var.repository.keep_images} images stay"
        selection = {
          tagStatus   = "any"
          countType   = "imageCountMoreThan"
          countNumber = var.repository.keep_images
        }
        action = { type = "expire" }
      },
    ]
  })
}
