terraform {
  # 1.9 is the first version whose validations may look at other variables; `terraform test` with mocks needs 1.7.
  required_version = ">= 1.9"

  required_providers {
    aws = {
      source = "hashicorp/aws"
      # Of the providers before 6.0, none was ever tried with the docs site's key value store.
      version = ">= 6.0"
    }
  }
}
