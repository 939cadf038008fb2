variable "publish" {
  description = "When the runner publishes the docs: `on-success`, `always`, or `never`, which takes the rights on the bucket away, too."
  type        = string
  default     = "on-success"
  nullable    = false

  validation {
    condition     = contains(["on-success", "always", "never"], var.publish)
    error_message = "publish: take \"on-success\", \"always\" or \"never\"."
  }
}

variable "documentation_bucket" {
  description = <<-EOT
    The bucket that the runner publishes to, below the project's name.
    - `create`: whether this module makes it; `false` where another project of the environment did.
    - `name`: defaults to `dbt-documentation-<env>`. Names are global: if somebody else has that one, name yours here.
    - `owner`: the account that owns it, which the runner insists on; defaults to this account.
    - `kms_key_arn`: the key that encrypts it. With a docs site its policy has to let CloudFront decrypt.
    - `noncurrent_days`: after how many days overwritten objects go.
    - `ledger_days`: after how many days the ledgers of `ledger_projects` (default: this project) go. The docs site's first page leads to
      these projects.
  EOT
  type = object({
    create          = optional(bool, true)
    name            = optional(string)
    owner           = optional(string)
    kms_key_arn     = optional(string)
    noncurrent_days = optional(number, 30)
    ledger_days     = optional(number, 90)
    ledger_projects = optional(set(string))
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.documentation_bucket.name == null || can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", var.documentation_bucket.name))
    error_message = "documentation_bucket.name: a bucket's name has 3 to 63 lower-case letters, digits, '.' and '-', and no s3://."
  }

  validation {
    condition     = var.documentation_bucket.owner == null || can(regex("^\\d{12}$", var.documentation_bucket.owner))
    error_message = "documentation_bucket.owner: give the 12 digits of an account, as a string."
  }

  validation {
    condition = (
      var.documentation_bucket.owner == null
      || !var.documentation_bucket.create
      || var.documentation_bucket.owner == local.account
    )
    error_message = "documentation_bucket.owner: a bucket of this module belongs to this account; with create = true leave it out."
  }

  validation {
    condition = var.documentation_bucket.kms_key_arn == null || can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:\\d{12}:key/[^*]+$",
    var.documentation_bucket.kms_key_arn))
    error_message = "documentation_bucket.kms_key_arn: give the ARN of a key, not an alias."
  }

  validation {
    condition     = var.documentation_bucket.noncurrent_days >= 1 && var.documentation_bucket.ledger_days >= 1
    error_message = "documentation_bucket: noncurrent_days and ledger_days are 1 or more."
  }
}

variable "page_url" {
  description = <<-EOT
    The address under which the project's folder of the bucket can be opened in a browser, without a slash at its end: the closing line,
    Slack and Airflow then lead to the page of each run. Defaults to the docs site of this call, if it has one that shows runs.
  EOT
  type        = string
  default     = null

  validation {
    condition     = var.page_url == null || can(regex("^https?://[^/?#@]+(/[^?#]*[^/?#])?$", var.page_url))
    error_message = "page_url: give an address such as \"https://docs.example.com/shop\", without a slash at its end, a login, '?' or '#'."
  }
}

variable "docs_site" {
  description = <<-EOT
    A website for the docs: CloudFront before the bucket, for viewers with a name and password. Who may view is kept in a key value store,
    of which Terraform knows nothing but the name; see "Viewers of the docs site".
    - `enabled`: whether there is one; the bucket has to be made by the same call.
    - `aliases`, `certificate_arn`: names of your own, and the certificate for them, from ACM in us-east-1.
    - `price_class`: from where it is served; `PriceClass_100` is Europe and North America.
    - `web_acl_arn`: a web ACL of WAF, for instance one that lets only the office in.
    - `show_runs`: whether viewers may see the pages and records of runs, too; a viewer whose entry in the store ends with ` docs` sees
      only the docs. What is below a folder `state` nobody sees: it holds values of variables.
  EOT
  type = object({
    enabled         = optional(bool, false)
    aliases         = optional(list(string), [])
    certificate_arn = optional(string)
    price_class     = optional(string, "PriceClass_100")
    web_acl_arn     = optional(string)
    show_runs       = optional(bool, false)
  })
  default  = {}
  nullable = false

  validation {
    condition     = !var.docs_site.enabled || var.documentation_bucket.create
    error_message = "docs_site: its bucket has to trust it, so enable it where the bucket is made (documentation_bucket.create = true)."
  }

  validation {
    condition     = (length(var.docs_site.aliases) > 0) == (var.docs_site.certificate_arn != null)
    error_message = "docs_site: aliases and certificate_arn go together; give both or none."
  }

  validation {
    condition = (
      var.docs_site.certificate_arn == null
      || can(regex("^arn:[a-z-]+:acm:us-east-1:\\d{12}:certificate/.+$", var.docs_site.certificate_arn))
    )
    error_message = "docs_site.certificate_arn: CloudFront takes certificates of ACM in us-east-1 only; request it there."
  }

  validation {
    condition     = contains(["PriceClass_100", "PriceClass_200", "PriceClass_All"], var.docs_site.price_class)
    error_message = "docs_site.price_class: take \"PriceClass_100\", \"PriceClass_200\" or \"PriceClass_All\"."
  }
}
