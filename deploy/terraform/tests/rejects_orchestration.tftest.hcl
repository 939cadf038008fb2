# Bad input is refused before anything is planned: one case for every validation of Airflow, schedules, alarms and logs.

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

run "airflow_by_account" {
  command         = plan
  expect_failures = [var.airflow_role_arns]

  variables {
    airflow_role_arns = ["arn:aws:iam::123456789012:root"]
  }
}

run "airflow_with_a_wildcard" {
  command         = plan
  expect_failures = [var.airflow_role_arns]

  variables {
    airflow_role_arns = ["arn:aws:iam::123456789012:role/*"]
  }
}

run "orchestrator_role_unknown" {
  command         = plan
  expect_failures = [var.orchestrator_role]

  variables {
    orchestrator_role = "own"
  }
}

run "schedule_with_a_blank_in_its_name" {
  command         = plan
  expect_failures = [var.schedules]

  variables {
    schedules = { "every night" = { expression = "rate(1 day)" } }
  }
}

# dbt-shop-dev__ and __killed are 22 of the 64 letters that a rule's name may have.
run "schedule_whose_rules_have_too_long_a_name" {
  command         = plan
  expect_failures = [var.schedules]

  variables {
    schedules = { abcdefghijklmnopqrstuvwxyz0123456789abcdefg = { expression = "rate(1 day)" } }
  }
}

run "schedule_without_rules_and_with_a_long_name" {
  command = plan

  variables {
    schedules = { abcdefghijklmnopqrstuvwxyz0123456789abcdefg = { expression = "rate(1 day)", restart = false } }
  }

  assert {
    condition     = length(aws_scheduler_schedule.this) == 1
    error_message = "There is no schedule."
  }
}

run "schedule_whose_rules_have_the_longest_name" {
  command = plan

  variables {
    schedules = { abcdefghijklmnopqrstuvwxyz0123456789abcdef = { expression = "rate(1 day)" } }
  }

  assert {
    condition     = length(aws_cloudwatch_event_rule.restart["abcdefghijklmnopqrstuvwxyz0123456789abcdef__killed"].name) == 64
    error_message = "A name is refused that would fit."
  }
}

run "schedule_with_a_dot_in_its_name" {
  command         = plan
  expect_failures = [var.schedules]

  variables {
    schedules = { "every.night" = { expression = "rate(1 day)" } }
  }
}

run "schedule_of_crontab" {
  command         = plan
  expect_failures = [var.schedules]

  variables {
    schedules = { nightly = { expression = "0 5 * * *" } }
  }
}

run "schedule_too_flexible" {
  command         = plan
  expect_failures = [var.schedules]

  variables {
    schedules = { nightly = { expression = "rate(1 day)", flexible_minutes = 1441 } }
  }
}

run "schedule_with_an_empty_command" {
  command         = plan
  expect_failures = [var.schedules]

  variables {
    schedules = { nightly = { expression = "rate(1 day)", command = [] } }
  }
}

run "schedule_retry_too_often" {
  command         = plan
  expect_failures = [var.schedule_retry]

  variables {
    schedule_retry = { maximum_attempts = 186 }
  }
}

run "schedule_retry_too_short" {
  command         = plan
  expect_failures = [var.schedule_retry]

  variables {
    schedule_retry = { maximum_age_seconds = 30 }
  }
}

run "alarm_after_no_time" {
  command         = plan
  expect_failures = [var.alarms]

  variables {
    alarms = { topic_arn = "arn:aws:sns:eu-west-1:123456789012:alarms", no_success_hours = 0 }
  }
}

run "alarm_after_more_than_a_week" {
  command         = plan
  expect_failures = [var.alarms]

  variables {
    alarms = { topic_arn = "arn:aws:sns:eu-west-1:123456789012:alarms", no_success_hours = 169 }
  }
}

run "alarm_after_half_an_hour" {
  command         = plan
  expect_failures = [var.alarms]

  variables {
    alarms = { topic_arn = "arn:aws:sns:eu-west-1:123456789012:alarms", no_success_hours = 1.5 }
  }
}

run "alarm_by_name" {
  command         = plan
  expect_failures = [var.alarms]

  variables {
    alarms = { topic_arn = "alarms" }
  }
}

run "log_retention_that_cloudwatch_has_not" {
  command         = plan
  expect_failures = [var.log_retention_days]

  variables {
    log_retention_days = 10
  }
}

run "log_key_by_alias" {
  command         = plan
  expect_failures = [var.log_kms_key_arn]

  variables {
    log_kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:alias/a"
  }
}
