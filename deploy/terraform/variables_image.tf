variable "repository" {
  description = <<-EOT
    The ECR repository of the image.
    - `create`: whether this module makes it; `false` where the image lies in one that is there already.
    - `name`: defaults to `dbt-<project>-<env>`. Where environments share one, the pushes to each count for all of them.
    - `immutable`: whether a tag, once pushed, stays.
    - `keep_images`: how many images stay, and so how many deployments back a rollback finds its image; the oldest go first.
    - `untagged_days`: after how many days images without a tag go.
    - `kms_key_arn`: the key that encrypts it, in the place of AWS's own.
  EOT
  type = object({
    create        = optional(bool, true)
    name          = optional(string)
    immutable     = optional(bool, true)
    keep_images   = optional(number, 50)
    untagged_days = optional(number, 14)
    kms_key_arn   = optional(string)
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.repository.name == null || can(regex("^[a-z0-9]+([._/-]+[a-z0-9]+)*$", var.repository.name))
    error_message = "repository.name: use lower-case letters, digits and single separators, such as \"dbt-shop\" or \"data/dbt-shop\"."
  }

  validation {
    condition     = var.repository.keep_images >= 2 && var.repository.keep_images == floor(var.repository.keep_images)
    error_message = "repository.keep_images: keep at least 2, so that there is an image to go back to."
  }

  validation {
    condition     = var.repository.untagged_days >= 1 && var.repository.untagged_days == floor(var.repository.untagged_days)
    error_message = "repository.untagged_days: give a number of whole days, 1 or more."
  }

  validation {
    condition = (
      var.repository.kms_key_arn == null
      || can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:\\d{12}:key/.+$", var.repository.kms_key_arn))
    )
    error_message = "repository.kms_key_arn: give the ARN of a key, not an alias."
  }
}

variable "image" {
  description = <<-EOT
    The image that the task runs, by exactly one of digest and tag.
    - `digest`: `sha256:…`, as `docker push` prints it; always the same bytes.
    - `tag`: looked up anew whenever a task starts.
    - `repository_url`: where it lies, without a tag; defaults to the repository above.
  EOT
  type = object({
    digest         = optional(string)
    tag            = optional(string)
    repository_url = optional(string)
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.image.digest == null || can(regex("^sha256:[0-9a-f]{64}$", var.image.digest))
    error_message = "image.digest: give sha256: and 64 hexadecimal digits, as `docker push` prints it."
  }

  validation {
    condition     = var.image.tag == null || can(regex("^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$", var.image.tag))
    error_message = "image.tag: at most 128 letters, digits, '_', '.' and '-', such as a commit; the repository goes into repository_url."
  }

  validation {
    condition     = var.image.repository_url == null || can(regex("^[a-z0-9.:/_-]+/[a-z0-9._/-]+$", var.image.repository_url))
    error_message = "image.repository_url: give host and name without a tag, as docker push takes them."
  }
}
