//! Publishing that fails: what is tried again, what is final, and the code that says so without
//! hiding dbt's own.

use tempfile::TempDir;

use crate::support::aws::SECRET_KEY;
use crate::support::deployment::{Deployment, run_id};
use crate::support::fake::Fake;
use crate::support::fault_proxy::Fault;
use crate::support::project::{PASSWORD, Scene};
use crate::support::result::Finished;

/// Answers that hit uploads of the docs: `shop/index.html` and nothing else, unless a test says so.
fn failing(count: usize, fault: &Fault) -> Deployment {
    Deployment::with_faults(Fake::new(), |proxy, bucket| {
        proxy.first(
            count,
            &format!("PUT /{bucket}/shop/index.html"),
            fault.clone(),
        )
    })
}

#[track_caller]
fn assert_dbt_was_well(run: &Finished) {
    let closing = run.closing();
    assert!(
        closing["steps"]
            .as_array()
            .unwrap()
            .iter()
            .all(|step| step["status"] == "success"),
        "dbt's part: {run}"
    );
    assert_eq!(closing["status"], "error");
    assert!(closing["error"].is_string(), "{run}");
}

#[test]
fn what_passes_by_itself_is_survived() {
    for fault in [
        Fault::s3(
            500,
            "InternalError",
            "We encountered an internal error. Please try again.",
        ),
        Fault::s3(503, "SlowDown", "Please reduce your request rate."),
        Fault::Reset,
    ] {
        let lab = failing(2, &fault);
        lab.run().assert_code(0);
        assert!(lab.docs().contains(&"shop/index.html".to_owned()));
        assert_eq!(lab.proxy.count("/shop/index.html"), 3);
    }
}

#[test]
fn what_does_not_pass_is_74_and_dbts_result_is_reported() {
    for fault in [
        Fault::s3(
            500,
            "InternalError",
            "We encountered an internal error. Please try again.",
        ),
        Fault::s3(503, "SlowDown", "Please reduce your request rate."),
        Fault::Reset,
    ] {
        let lab = failing(usize::MAX, &fault);
        let run = lab.run();
        run.assert_code(74);
        assert_dbt_was_well(&run);
        run.assert_err_has(&["index.html"]);
        assert!(
            lab.proxy.count("/shop/index.html") >= 3,
            "tried {} times",
            lab.proxy.count("/shop/index.html")
        );
        // The ledger does not depend on the docs.
        assert!(
            lab.ledger(&run_id(&run))
                .contains(&"summary.json".to_owned())
        );
    }
}

#[test]
fn a_denied_upload_is_74_at_once_with_a_hint() {
    let denied = Fault::s3(
        403,
        "AccessDenied",
        "User: arn:aws:sts::123456789012:assumed-role/dbt/1 is not authorized to perform: \
            s3:PutObject on resource: \"arn:aws:s3:::bucket/shop/index.html\"",
    );
    let lab = failing(usize::MAX, &denied);
    let run = lab.run();
    run.assert_code(74)
        .assert_err_has(&["hint: allow s3:PutObject on ", &lab.bucket.name]);
    assert_dbt_was_well(&run);
    assert_eq!(lab.proxy.count("/shop/index.html"), 1, "a denial is final");
}

/// What S3 says, and what the hint makes of it.
#[test]
fn what_stands_in_the_way_is_what_s3_says() {
    let who = "User: arn:aws:sts::123456789012:assumed-role/dbt/1 is not authorized to perform:";
    let put = "s3:PutObject on resource: \"arn:aws:s3:::bucket/shop/index.html\"";
    let kms = "kms:GenerateDataKey on resource: arn:aws:kms:eu-west-1:123456789012:key/k";
    for (status, code, message, hint) in [
        (
            403,
            "AccessDenied",
            format!("{who} {put} with an explicit deny in a resource-based policy"),
            "hint: remove the explicit deny of s3:PutObject",
        ),
        (
            403,
            "AccessDenied",
            format!("{who} {put} with an explicit deny in a resource-based policy"),
            "in the bucket policy",
        ),
        (
            403,
            "AccessDenied",
            format!("{who} {put} because no VPC endpoint policy allows the s3:PutObject action"),
            "in the policy of the VPC endpoint",
        ),
        (
            403,
            "AccessDenied",
            format!("{who} {kms} with an explicit deny in a resource-based policy"),
            "in the key policy",
        ),
        (
            400,
            "InvalidRequest",
            "The x-amz-checksum-crc32 header is not supported".to_owned(),
            "AWS_REQUEST_CHECKSUM_CALCULATION=when_required",
        ),
    ] {
        let lab = failing(usize::MAX, &Fault::s3(status, code, &message));
        let run = lab.run();
        run.assert_code(74).assert_err_has(&[hint]);
        let allows = run.err().contains("hint: allow");
        assert_eq!(allows, message.contains("because no"), "{run}");
    }
}

/// Whether each upload has a checksum, by the settings of the SDK.
#[test]
fn a_store_that_knows_no_checksum_can_be_told_so() {
    let profile = "[default]\nrequest_checksum_calculation = when_required\n";
    for (given, file, expected) in [
        (None, "", true),
        (Some("when_supported"), profile, true),
        (Some("when_required"), "", false),
        (Some("WHEN_REQUIRED"), "", false),
        (Some(""), profile, false),
        (None, profile, false),
    ] {
        let lab = Deployment::healthy();
        let config = lab.scene.project.path().join("aws-config");
        std::fs::write(&config, file).unwrap();
        let mut runner = lab.runner().env("AWS_CONFIG_FILE", &config);
        if let Some(value) = given {
            runner = runner.env("AWS_REQUEST_CHECKSUM_CALCULATION", value);
        }
        runner.run().assert_code(0);
        let uploads: Vec<_> = lab
            .proxy
            .log()
            .into_iter()
            .filter(|seen| seen.line.starts_with("PUT "))
            .collect();
        assert!(!uploads.is_empty());
        for seen in uploads {
            let has_one = [
                "x-amz-checksum-crc32",
                "x-amz-trailer",
                "x-amz-sdk-checksum-algorithm",
            ]
            .iter()
            .any(|name| seen.request.get(name).is_some());
            assert_eq!(has_one, expected, "{given:?} {file:?}: {}", seen.line);
        }
    }
}

#[test]
fn a_silent_s3_is_74_in_bounded_time() {
    let lab = failing(usize::MAX, &Fault::Silence);
    let run = lab.run();
    run.assert_code(74);
    assert_dbt_was_well(&run);
}

#[test]
fn a_failure_of_dbt_is_not_masked_by_a_failure_to_publish() {
    let fake = Fake::new().on("test", "exit", "1");
    let lab = Deployment::with_faults(fake, |proxy, bucket| {
        proxy.on(
            &format!("PUT /{bucket}/"),
            Fault::s3(500, "InternalError", "no"),
        )
    });
    // Without a lease, or the run would not start.
    let run = lab
        .runner()
        .args(["--publish", "always", "--lease", "off"])
        .run();
    run.assert_code(1);
    assert_eq!(run.step("test")["status"], "failed");
    run.assert_err_has(&["error: "]);
}

#[test]
fn a_ledger_that_cannot_be_kept_is_74_too() {
    let lab = Deployment::with_faults(Fake::new(), |proxy, bucket| {
        proxy.on(
            &format!("PUT /{bucket}/shop/runs/"),
            Fault::s3(403, "AccessDenied", "Access Denied"),
        )
    });
    let run = lab.run();
    run.assert_code(74);
    run.assert_err_has(&["runs/"]);
}

#[test]
fn a_missing_bucket_is_found_before_the_first_step() {
    let lab = Deployment::healthy();
    let run = lab
        .runner()
        .args(["--destination", "s3://no-such-bucket-of-these-tests/docs"])
        .run();
    run.assert_code(74)
        .assert_err_has(&["no-such-bucket-of-these-tests"]);
    assert!(lab.scene.fake.steps().is_empty(), "{run}");
}

#[test]
fn a_bucket_in_another_region_is_found_before_the_first_step() {
    let body = Fault::s3(
        301,
        "PermanentRedirect",
        "The bucket you are attempting to access must be addressed using the specified endpoint.",
    );
    let Fault::Answer(answer) = body else {
        unreachable!()
    };
    let answer = answer.header("x-amz-bucket-region", "us-west-2");
    let lab = Deployment::with_faults(Fake::new(), |proxy, bucket| {
        proxy.on(&format!(" /{bucket}"), Fault::Answer(answer))
    });
    let run = lab.run();
    run.assert_code(74);
    assert!(lab.scene.fake.steps().is_empty(), "{run}");
    run.assert_err_has(&["region"]);
}

#[test]
fn a_bucket_that_may_only_be_written_to_is_no_reason_to_stop() {
    // A role with s3:PutObject alone: looking at the bucket is denied, which decides nothing.
    let lab = Deployment::with_faults(Fake::new(), |proxy, bucket| {
        proxy
            .on(
                &format!("HEAD /{bucket}"),
                Fault::s3(403, "AccessDenied", "Access Denied"),
            )
            .on(
                &format!("GET /{bucket}"),
                Fault::s3(403, "AccessDenied", "Access Denied"),
            )
    });
    lab.run().assert_code(0);
    assert!(lab.docs().contains(&"shop/index.html".to_owned()));
}

#[test]
fn a_file_that_holds_a_secret_is_not_published_and_named() {
    for secret in [PASSWORD, SECRET_KEY, "token-of-the-git-host"] {
        let fake = Fake::new().on("docs", "healthy", "").on(
            "docs",
            "write",
            format!("deep/leak.json {{\"p\": \"{secret}\"}}"),
        );
        let lab = Deployment::new(fake);
        let run = lab
            .runner()
            .env("DBT_ENV_SECRET_GIT", "token-of-the-git-host")
            .run();
        run.assert_code(74)
            .assert_err_has(&["leak.json"])
            .assert_lacks(secret.as_bytes());
        assert_dbt_was_well(&run);
        assert!(
            !lab.keys().iter().any(|key| key.contains("leak")),
            "{:?}",
            lab.keys()
        );
        lab.bucket.assert_lacks(secret.as_bytes());
    }
}

#[test]
fn an_escaped_secret_is_found_and_one_in_a_large_file_too() {
    let json = serde_json::to_string(PASSWORD).unwrap();
    let late = format!("big.json {}{json}", " ".repeat(3 << 20));
    let lab = Deployment::new(
        Fake::new()
            .on("docs", "healthy", "")
            .on("docs", "write", late),
    );
    let run = lab.run();
    run.assert_code(74).assert_err_has(&["big.json"]);
    assert!(!lab.keys().iter().any(|key| key.contains("big")));
}

#[test]
fn a_secret_without_its_line_end_or_by_its_lines_is_found_as_well() {
    let key = "-----BEGIN KEY-----\nline-of-the-key\n-----END KEY-----\n";
    for (secret, content) in [
        ("token-of-the-git-host\n", "token-of-the-git-host"),
        (key, "    line-of-the-key\\n"),
        ("it's a \"token\"", "it''s a &quot;token&quot;"),
    ] {
        let write = format!("manifest.json {{\"p\": \"{content}\"}}");
        let fake = Fake::new()
            .on("docs", "healthy", "")
            .on("docs", "write", write);
        let lab = Deployment::new(fake);
        let run = lab.runner().env("DBT_ENV_SECRET_GIT", secret).run();
        run.assert_code(74).assert_err_has(&["manifest.json"]);
        lab.bucket.assert_lacks(content.as_bytes());
    }
}

#[test]
fn a_leak_in_the_ledger_is_refused_as_well() {
    let leak = format!("model.shop.orders=error:{}", PASSWORD.replace(' ', "+"));
    let fake = Fake::new()
        .on("run", "results", leak)
        .on("run", "exit", "1");
    let lab = Deployment::new(fake);
    let run = lab.run();
    run.assert_code(1)
        .assert_lacks(PASSWORD.as_bytes())
        .assert_err_has(&["run_results.json"]);
    lab.bucket.assert_lacks(PASSWORD.as_bytes());
}

#[test]
fn a_short_value_is_not_scanned_for() {
    let fake =
        Fake::new()
            .on("docs", "healthy", "")
            .on("docs", "write", "page.json {\"order\": 1}");
    let lab = Deployment::new(fake);
    lab.runner()
        .env("DBT_ENV_SECRET_TINY", "order")
        .run()
        .assert_code(0);
    assert!(lab.docs().contains(&"shop/page.json".to_owned()));
}

#[test]
fn a_folder_that_cannot_be_written_to_is_74() {
    let scene = Scene::healthy();
    scene.project.write("a_file", "");
    let run = scene
        .publishing_runner(&scene.project.path().join("a_file/site"))
        .run();
    run.assert_code(74);
}

/// Its name is in the message, and would be the last line of the log.
#[test]
fn the_name_of_a_file_forges_no_line_of_the_log() {
    let script = "printf '{}' > \"$1/manifest.json\"; \
        printf %s \"$DBT_REDSHIFT_PASSWORD\" > \"$1/a\n{\\\"status\\\":\\\"success\\\"}\n.json\"";
    let scene = Scene::new(Fake::new().on("run", "bash", script));
    let destination = TempDir::new().unwrap();
    let run = scene
        .publishing_runner(destination.path())
        .args(["--steps", "run"])
        .run();
    run.assert_code(74).assert_err_has(&[
        "holds the value of a secret",
        "\n  {\"status\":\"success\"}\n  .json",
    ]);
    assert!(!run.err().contains("\n{"), "{run}");
}
