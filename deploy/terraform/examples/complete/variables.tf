variable "region" {
  description = "Region of everything but the docs sites' certificates."
  type        = string
  default     = "eu-west-1"
}

variable "company" {
  description = "Begins the names of the buckets, which are global."
  type        = string
}

variable "image_digests" {
  description = "The image of every deployment, as `docker push` printed its digest. Promoting is copying a line from dev to live."
  type        = map(string)
}

variable "vpc_id" {
  description = "The VPC of the subnets."
  type        = string
}

variable "subnet_ids" {
  description = "Private subnets with a way to AWS and to the warehouse."
  type        = list(string)
}

variable "warehouse_security_group_id" {
  description = "Security group of the Redshift cluster or workgroup."
  type        = string
}

variable "secret_arns" {
  description = "The secret that the Glue Connection of every deployment refers to."
  type        = map(string)
}

variable "secret_kms_key_arn" {
  description = "The key that encrypts the secrets."
  type        = string
}

variable "documentation_kms_key_arn" {
  description = "The key that encrypts the documentation buckets; null for S3's own."
  type        = string
  default     = null
}

variable "web_acl_arn" {
  description = "A web ACL for the docs sites; null for none."
  type        = string
  default     = null
}

variable "airflow_role_arn" {
  description = "The role that Airflow's workers run as."
  type        = string
}

variable "alarm_topic_arn" {
  description = "Where failures are told."
  type        = string
}
