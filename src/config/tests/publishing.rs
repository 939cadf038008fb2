//! Owns the tests of when is published and where to: defaults by environment, destinations, bucket
//! names.
//!
//! Never asks whether a place exists.

use super::*;

/// `never`, or when and where to.
fn publish(scene: &Scene) -> String {
    match scene.run().1.publish {
        Publish::Never => "never".to_owned(),
        Publish::To {
            even_after_failure: false,
            location,
        } => format!("on-success {location}"),
        Publish::To {
            even_after_failure: true,
            location,
        } => format!("always {location}"),
    }
}

#[test]
fn the_default_depends_on_the_environment_and_on_an_explicit_destination() {
    for (env, deployments, when, destination, expected) in [
        ("", "", "", "", "never"),
        ("local", "", "", "", "never"),
        ("feature-1", "", "", "", "never"),
        (
            "dev",
            "",
            "",
            "",
            "on-success s3://dbt-documentation-dev/shop",
        ),
        (
            "live",
            "",
            "",
            "",
            "on-success s3://dbt-documentation-live/shop",
        ),
        ("dev", "prod", "", "", "never"),
        (
            "prod",
            "prod,stage",
            "",
            "",
            "on-success s3://dbt-documentation-prod/shop",
        ),
        ("dev", "", "never", "", "never"),
        (
            "dev",
            "",
            "always",
            "",
            "always s3://dbt-documentation-dev/shop",
        ),
        (
            "local",
            "",
            "on-success",
            "",
            "on-success s3://dbt-documentation-local/shop",
        ),
        (
            "local",
            "",
            "always",
            "",
            "always s3://dbt-documentation-local/shop",
        ),
        (
            "local",
            "",
            "",
            "s3://mine/docs",
            "on-success s3://mine/docs",
        ),
        (
            "local",
            "",
            "",
            "file:///tmp/docs",
            "on-success file:///tmp/docs",
        ),
        ("local", "", "never", "s3://mine/docs", "never"),
        (
            "dev",
            "",
            "always",
            "s3://mine/docs",
            "always s3://mine/docs",
        ),
    ] {
        let scene = Scene::new()
            .var("ENV", env)
            .var("DBT_ENTRYPOINT_DEPLOYMENTS", deployments);
        let scene = scene
            .var("DBT_ENTRYPOINT_PUBLISH", when)
            .var("DBT_ENTRYPOINT_DESTINATION", destination);
        assert_eq!(
            publish(&scene),
            expected,
            "{env:?} {deployments:?} {when:?} {destination:?}"
        );
    }
}

#[test]
fn a_deployment_is_what_the_setting_names() {
    for (env, deployments, expected) in [
        ("dev", "", true),
        ("live", "", true),
        ("local", "", false),
        ("DEV", "", false),
        ("a", "a,b", true),
    ] {
        let scene = Scene::new()
            .var("ENV", env)
            .var("DBT_ENTRYPOINT_DEPLOYMENTS", deployments)
            .flags(&["--publish", "never"]);
        assert_eq!(
            scene.run().0.is_deployment(),
            expected,
            "{env} of {deployments:?}"
        );
    }
}

#[test]
fn a_destination_is_a_bucket_with_a_prefix_or_an_absolute_directory() {
    for (given, expected) in [
        ("s3://bucket", "s3://bucket"),
        ("s3://bucket/", "s3://bucket"),
        ("s3://bucket/a/b//", "s3://bucket/a/b"),
        ("s3://bucket/with space/ü%20", "s3://bucket/with space/ü%20"),
        ("s3://a.b-1/x", "s3://a.b-1/x"),
        ("s3://bucket/a$1/{b}", "s3://bucket/a$1/{b}"),
        ("file:///tmp/docs/", "file:///tmp/docs/"),
        ("file:///tmp/with%20space", "file:///tmp/with space"),
    ] {
        let scene = Scene::new().flags(&["--destination", given]);
        assert_eq!(publish(&scene), format!("on-success {expected}"), "{given}");
    }
}

#[test]
fn what_is_no_destination_is_refused_even_if_nothing_is_published() {
    let long = format!("s3://bucket/{}", "x".repeat(801));
    for (given, what) in [
        (
            "bucket/docs",
            "is neither s3://bucket/prefix nor file:///directory",
        ),
        ("S3://bucket", "is neither"),
        ("https://bucket.s3.amazonaws.com/x", "is neither"),
        ("file://docs", "is not file:///absolute/directory"),
        ("file:docs", "is not file:///absolute/directory"),
        ("s3://", "it must have 3 to 63 characters"),
        ("s3://bucket//x", "holds an empty part"),
        ("s3://bucket/a//x", "holds an empty part"),
        ("s3://bucket/../x", "holds an empty part, '.' or '..'"),
        ("s3://bucket/a\nb", "holds a control character"),
        (&long, "longer than 800 bytes"),
        (
            "s3://dbt-documentation-dev/$PROJECT_NAME",
            "a variable after '$'",
        ),
        ("s3://dbt-documentation-${ENV}/x", "a variable after '$'"),
        ("s3://bucket/$(date)", "a variable after '$'"),
        ("file:///docs/$HOME", "a variable after '$'"),
        (
            "s3://bucket/{{ env_var('X') }}",
            "{{ … }}, which is not expanded here",
        ),
        (
            "s3://arn:aws:s3:::bucket/x",
            "a bucket is called by its name alone",
        ),
    ] {
        let faults = Scene::new()
            .flags(&["--destination", given, "--publish", "never"])
            .faults();
        assert!(
            faults.len() == 1
                && faults[0].starts_with("--destination: ")
                && faults[0].contains(what),
            "{given}: {faults:?}"
        );
    }
}

#[test]
fn credentials_in_a_destination_are_refused_and_not_repeated() {
    for given in [
        "s3://AKIAKEY:SECRET@bucket/docs",
        "s3://AKIAKEY:SEC/RET@bucket/docs",
        "s3://SECRET@bucket",
        "https://ada:SECRET@host/x",
        "AKIAKEY:SECRET@bucket",
        "file://ada:SECRET@host/x",
    ] {
        let faults = Scene::new().flags(&["--destination", given]).faults();
        assert!(
            faults.len() == 1
                && faults[0].contains("(not shown)")
                && !faults[0].contains("SEC")
                && !faults[0].contains("AKIAKEY"),
            "{given}: {faults:?}"
        );
    }
    // A key of an object may hold both.
    let scene = Scene::new().flags(&["--destination", "s3://bucket/a:b@c"]);
    assert_eq!(publish(&scene), "on-success s3://bucket/a:b@c");
}

/// What S3 has ever let anybody create, and what stands for a bucket.
#[test]
fn a_bucket_that_may_exist_is_not_refused() {
    let (long, longest) = ("a".repeat(63), "a".repeat(255));
    for name in [
        "abc",
        &long,
        &longest,
        "1-2",
        "a.b.c",
        "10.0.0.1.2",
        "abc-xn--c",
        "Old_Bucket",
        "Reports.2011_",
        "a..b",
        "abc-",
        "xn--abc",
        "docs-a1b2c3d4e5f6g7h8i9j0k1l2m3use1a-s3alias",
        "docs-lambda-a1b2--ol-s3",
        "docs--use1-az4--x-s3",
        "docs--use1-az4--xa-s3",
        "arn:aws:s3:eu-west-1:123456789012:accesspoint/docs",
        "arn:aws:s3-outposts:eu-west-1:123456789012:outpost/op-01ac/accesspoint/docs",
    ] {
        let given = format!("s3://{name}/shop");
        let scene = Scene::new().flags(&["--destination", &given]);
        let Publish::To { location, .. } = scene.run().1.publish else {
            panic!("{name}");
        };
        let Location::S3 { bucket, prefix, .. } = &location else {
            panic!("{name}");
        };
        assert_eq!((bucket.as_str(), prefix.as_str()), (name, "shop"));
        assert_eq!(location.to_string(), given);
    }
}

#[test]
fn impossible_bucket_names_are_refused() {
    let long = "a".repeat(256);
    for name in [
        "", "ab", &long, "a b", "bücket", "a:b", "-abc", "_abc", ".abc", "10.0.0.1",
    ] {
        let faults = Scene::new()
            .flags(&["--destination", &format!("s3://{name}/x")])
            .faults();
        assert!(
            faults.len() == 1 && faults[0].contains("is not a valid bucket name"),
            "{name}: {faults:?}"
        );
    }
    let faults = Scene::new()
        .flags(&["--destination", "s3://arn:aws:s3:::bucket/x"])
        .faults();
    assert!(
        faults.len() == 1 && faults[0].contains("ARN of an access point"),
        "{faults:?}"
    );
}

/// Each makes a name that nobody could create now.
#[test]
fn a_derived_bucket_has_a_name_of_todays_rules() {
    for env in [
        "Dev",
        "dev_eu",
        "dev-",
        "a..b",
        "x-s3alias",
        "x--x-s3",
        &"a".repeat(50),
    ] {
        let faults = Scene::new()
            .flags(&["--env", env, "--publish", "always"])
            .faults();
        assert!(
            faults.len() == 1 && faults[0].contains("is not a valid bucket name"),
            "{env}: {faults:?}"
        );
    }
}

#[test]
fn an_impossible_name_that_is_derived_blames_the_setting_it_is_made_of() {
    let faults = |scene: Scene| scene.faults().join("\n");
    let fault = faults(
        Scene::new()
            .var("ENV", "Dev_EU")
            .var("DBT_ENTRYPOINT_DEPLOYMENTS", "Dev_EU"),
    );
    assert!(
        fault.starts_with("variable ENV: \"dbt-documentation-Dev_EU\" is not a valid bucket name"),
        "{fault}"
    );
    let fault = faults(Scene::new().settings("project_name: x\nenv: Dev_EU\npublish: always\n"));
    assert!(
        fault.starts_with("~/settings.yml:2: env: \"dbt-documentation-Dev_EU\""),
        "{fault}"
    );
    let fault = faults(Scene::new().flags(&["--env", "dev", "--project-name", "a/../b"]));
    assert!(
        fault.starts_with("--project-name: the prefix \"a/../b\""),
        "{fault}"
    );
    assert!(fault.contains("--destination"), "{fault}");
    // With a destination of its own, the name matters no more.
    Scene::new()
        .flags(&["--env", "Dev_EU", "--destination", "s3://mine"])
        .run();
}

#[test]
fn owner_and_encryption_go_with_a_bucket_and_not_with_a_directory() {
    let flags = [
        "--bucket-owner",
        "123456789012",
        "--sse",
        "aws:kms:arn:aws:kms:eu-west-1:1:key/k",
    ];
    let scene = Scene::new().flags(&flags).flags(&["--env", "dev"]);
    match scene.run().1.publish {
        Publish::To {
            location:
                Location::S3 {
                    bucket,
                    prefix,
                    owner,
                    encryption,
                    ..
                },
            ..
        } => {
            assert_eq!(
                (bucket.as_str(), prefix.as_str(), owner.as_deref()),
                ("dbt-documentation-dev", "shop", Some("123456789012"))
            );
            assert_eq!(
                encryption,
                Some(Encryption::Kms(Some(
                    "arn:aws:kms:eu-west-1:1:key/k".to_owned()
                )))
            );
        }
        other => panic!("{other:?}"),
    }
    let scene = Scene::new()
        .flags(&flags)
        .flags(&["--destination", "file:///docs"]);
    assert!(matches!(
        scene.run().1.publish,
        Publish::To {
            location: Location::Directory(_),
            ..
        }
    ));
}
