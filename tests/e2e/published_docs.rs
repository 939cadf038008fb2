//! The docs in the bucket: which files, byte for byte, under which names and headers, in which
//! order, and when at all.

use std::fs;

use serde_json::json;

use crate::support::deployment::{Deployment, site};
use crate::support::fake::Fake;
use crate::support::project::Scene;

#[test]
fn a_run_in_a_deployment_environment_publishes_to_the_bucket_that_the_names_say() {
    let lab = Deployment::healthy();
    let run = lab.run();
    run.assert_code(0);
    assert_eq!(lab.docs(), site());
    let closing = run.closing();
    assert_eq!(
        closing["destination"],
        format!("s3://dbt-documentation-{}/shop", lab.env)
    );
    assert_eq!(closing["published"], site().len());
    assert_eq!(closing["env"], lab.env);
}

#[test]
fn files_arrive_byte_for_byte() {
    let odd = b"{\"bytes\": \"\xff\xfe \x00 caf\xc3\xa9\"}\r\n\n";
    let fake = Fake::new().on("docs", "healthy", "").on(
        "docs",
        "write",
        [b"semantic_manifest.json ".as_slice(), odd].concat(),
    );
    let lab = Deployment::new(fake.on("docs", "write", "deep/er/page.html <html>").on(
        "docs",
        "write",
        "empty.json ",
    ));
    lab.run().assert_code(0);
    assert_eq!(lab.bucket.object("shop/semantic_manifest.json").body, odd);
    assert_eq!(lab.bucket.object("shop/deep/er/page.html").body, b"<html>");
    assert_eq!(lab.bucket.object("shop/empty.json").body, b"");
    for name in [
        "catalog.json",
        "manifest.json",
        "index.html",
        "sources.json",
    ] {
        let here = fs::read(lab.scene.project.path().join("target").join(name)).unwrap();
        assert_eq!(
            lab.bucket.object(&format!("shop/{name}")).body,
            here,
            "{name}"
        );
    }
}

#[test]
fn only_json_and_html_of_this_run_are_published() {
    let fake =
        Fake::new()
            .on("docs", "healthy", "")
            .on("docs", "write", "compiled/orders.sql select 1");
    let lab = Deployment::new(fake.on("docs", "write", "partial_parse.msgpack x").on(
        "docs",
        "write",
        "graph.gpickle x",
    ));
    lab.scene
        .project
        .write("target/left_over.json", "{\"from\": \"an earlier run\"}");
    lab.scene
        .project
        .write("target/compiled/old.html", "<html>");
    // Old by its time stamp too: a file system keeps no more than that of when a file was written.
    for name in ["target/left_over.json", "target/compiled/old.html"] {
        let file = fs::File::options()
            .write(true)
            .open(lab.scene.project.path().join(name))
            .unwrap();
        file.set_modified(std::time::SystemTime::now() - std::time::Duration::from_hours(1))
            .unwrap();
    }
    lab.run().assert_code(0);
    assert_eq!(lab.docs(), site());
}

#[test]
fn the_published_run_results_are_those_of_the_last_step_that_ran_nodes() {
    let lab = Deployment::healthy();
    lab.run().assert_code(0);
    let published = lab.json("shop/run_results.json");
    assert_eq!(
        published["args"]["which"], "test",
        "docs generate overwrites the file, and that one must not win"
    );
    assert_eq!(
        published["results"][0]["unique_id"],
        "test.shop.not_null_orders_id"
    );
}

#[test]
fn results_of_no_node_do_not_replace_those_of_a_step_that_ran_some() {
    let empty = r#"run_results.json {"args": {"which": "test"}, "results": []}"#;
    let lab = Deployment::new(
        Fake::new()
            .on("test", "write", empty)
            .on("test", "exit", "1"),
    );
    let run = lab
        .runner()
        .args(["--steps", "run,test", "--publish", "always"])
        .run();
    run.assert_code(1);
    assert_eq!(lab.json("shop/run_results.json")["args"]["which"], "run");
}

#[test]
fn without_a_test_step_the_run_results_of_run_are_published() {
    let lab = Deployment::healthy();
    lab.runner()
        .args(["--steps", "run,docs"])
        .run()
        .assert_code(0);
    assert_eq!(lab.json("shop/run_results.json")["args"]["which"], "run");
}

#[test]
fn headers_say_what_the_files_are_and_that_they_change() {
    let lab = Deployment::healthy();
    lab.run().assert_code(0);
    // Those of dbt 2's other files are in `native`.
    let is_of_all = |key: &String| key.ends_with(".html") || key.ends_with(".json");
    for key in site().into_iter().filter(is_of_all) {
        let object = lab.bucket.object(&key);
        let kind = object.get("content-type").unwrap_or_default();
        let expected = if key.ends_with(".html") {
            "text/html"
        } else {
            "application/json"
        };
        assert!(kind.starts_with(expected), "{key} is {kind}");
        assert_eq!(object.get("cache-control"), Some("no-cache"), "{key}");
    }
}

#[test]
fn every_upload_carries_a_checksum() {
    let lab = Deployment::healthy();
    lab.run().assert_code(0);
    let puts: Vec<_> = lab
        .proxy
        .log()
        .into_iter()
        .filter(|seen| seen.line.starts_with("PUT "))
        .collect();
    assert!(puts.len() > site().len());
    for seen in puts {
        let names: Vec<_> = seen
            .request
            .headers
            .iter()
            .map(|(name, _)| name.to_lowercase())
            .collect();
        let checked = names
            .iter()
            .any(|name| name.starts_with("x-amz-checksum-") || name == "x-amz-trailer");
        assert!(checked, "{} has {names:?}", seen.line);
    }
}

#[test]
fn catalog_manifest_and_index_go_last_and_back_to_back() {
    let mut fake = Fake::new().on("docs", "healthy", "");
    for index in 0..30 {
        fake = fake.on(
            "docs",
            "write",
            format!("extra/page{index:02}.html <html>{index}"),
        );
    }
    let lab = Deployment::new(fake);
    lab.run().assert_code(0);
    let uploads: Vec<_> = lab
        .uploads()
        .into_iter()
        .filter(|key| {
            !["shop/runs/", "shop/state/"]
                .iter()
                .any(|other| key.starts_with(other))
        })
        .collect();
    assert_eq!(uploads.len(), 30 + site().len());
    assert_eq!(
        uploads[uploads.len() - 3..],
        ["shop/catalog.json", "shop/manifest.json", "shop/index.html"]
    );
    // Not even begun before everything else was there, or a reader could see a new site with old
    // pages.
    let log = lab.proxy.log();
    let of = |key: &str| {
        log.iter()
            .find(|seen| {
                seen.line.contains(&format!("/{key} ")) || seen.line.contains(&format!("/{key}?"))
            })
            .unwrap()
    };
    let others = log
        .iter()
        .filter(|seen| seen.line.starts_with("PUT") && seen.line.contains("/shop/extra/"));
    let last_of_others = others.map(|seen| seen.ended.unwrap()).max().unwrap();
    assert!(of("shop/catalog.json").began >= last_of_others);
}

#[test]
fn a_local_run_publishes_nothing() {
    let lab = Deployment::healthy();
    let run = lab.runner().env("ENV", "local").run();
    run.assert_code(0);
    assert!(lab.keys().is_empty());
    assert_eq!(run.closing()["published"], 0);
    assert!(
        lab.proxy.log().is_empty(),
        "a local run asks nothing of S3: {:?}",
        lab.proxy.log().len()
    );
}

#[test]
fn a_local_run_with_a_destination_publishes_there() {
    let lab = Deployment::healthy();
    let destination = format!("s3://{}/some/prefix/", lab.bucket.name);
    let run = lab
        .runner()
        .env("ENV", "local")
        .args(["--destination", &destination])
        .run();
    run.assert_code(0);
    let keys = lab.keys();
    assert!(
        keys.contains(&"some/prefix/index.html".to_owned()),
        "{keys:?}"
    );
    assert!(
        keys.iter()
            .all(|key| key.starts_with("some/prefix/") && !key.contains("//")),
        "{keys:?}"
    );
}

#[test]
fn on_success_publishes_no_docs_after_a_failure() {
    let lab = Deployment::new(
        Fake::new()
            .on("test", "results", "test.shop.a=fail:Got+1+result")
            .on("test", "exit", "1"),
    );
    let run = lab.run();
    run.assert_code(1);
    assert_eq!(lab.docs(), Vec::<String>::new());
    assert_eq!(run.closing()["published"], 0);
}

#[test]
fn always_publishes_what_there_is_after_a_failure() {
    let lab = Deployment::new(
        Fake::new()
            .on("test", "results", "test.shop.a=fail:Got+1+result")
            .on("test", "exit", "1"),
    );
    let run = lab.runner().args(["--publish", "always"]).run();
    run.assert_code(1);
    assert_eq!(lab.docs(), ["shop/manifest.json", "shop/run_results.json"]);
    assert_eq!(lab.json("shop/run_results.json")["args"]["which"], "test");
    assert_eq!(run.closing()["published"], 2);
}

#[test]
fn never_publishes_nothing_and_keeps_no_ledger() {
    let lab = Deployment::healthy();
    let run = lab.runner().args(["--publish", "never"]).run();
    run.assert_code(0);
    assert!(lab.keys().is_empty(), "{:?}", lab.keys());
    assert_eq!(run.closing()["published"], 0);
}

#[test]
fn old_objects_stay_and_published_ones_are_replaced() {
    let lab = Deployment::healthy();
    lab.bucket.put("shop/of_an_earlier_run.json", b"old");
    lab.bucket.put("shop/index.html", b"old");
    lab.run().assert_code(0);
    assert_eq!(
        lab.bucket.object("shop/of_an_earlier_run.json").body,
        b"old"
    );
    assert_ne!(lab.bucket.object("shop/index.html").body, b"old");
}

#[test]
fn bucket_owner_and_encryption_are_sent_with_every_upload() {
    let lab = Deployment::healthy();
    lab.runner()
        .args([
            "--bucket-owner",
            "123456789012",
            "--sse",
            "aws:kms:alias/docs",
        ])
        .run()
        .assert_code(0);
    let puts: Vec<_> = lab
        .proxy
        .log()
        .into_iter()
        .filter(|seen| seen.line.starts_with("PUT "))
        .collect();
    assert!(!puts.is_empty());
    for seen in puts {
        assert_eq!(
            seen.request.get("x-amz-expected-bucket-owner"),
            Some("123456789012"),
            "{}",
            seen.line
        );
        assert_eq!(
            seen.request.get("x-amz-server-side-encryption"),
            Some("aws:kms"),
            "{}",
            seen.line
        );
        assert_eq!(
            seen.request
                .get("x-amz-server-side-encryption-aws-kms-key-id"),
            Some("alias/docs"),
            "{}",
            seen.line
        );
    }
}

#[test]
fn a_project_with_another_target_path_is_published_too() {
    let lab = Deployment::healthy();
    let project = lab.scene.project.read("dbt_project.yml") + "target-path: out/artifacts\n";
    lab.scene.project.write("dbt_project.yml", project);
    lab.run().assert_code(0);
    assert_eq!(lab.docs(), site());
    let lab = Deployment::healthy();
    lab.runner()
        .env("DBT_TARGET_PATH", "elsewhere")
        .run()
        .assert_code(0);
    assert_eq!(lab.docs(), site());
    assert!(
        lab.scene
            .project
            .path()
            .join("elsewhere/index.html")
            .exists()
    );
}

/// dbt's own option, in a step of one's own.
#[test]
fn a_step_that_writes_elsewhere_is_published_from_there() {
    for (steps, files) in [
        (
            "steps:\n  - {name: run, command: [run, --target-path, out2]}\n",
            &["manifest.json", "run_results.json"][..],
        ),
        (
            "steps:\n  - {name: run, command: [--log-level, info, -x, run, --target-path, out2]}\n",
            &["manifest.json", "run_results.json"],
        ),
        (
            "steps:\n  - {name: run, command: [run, --target-path=out2]}\n  - {name: docs, \
                command: [docs, generate, --target-path, out2]}\n",
            &[
                "catalog.json",
                "index.html",
                "manifest.json",
                "run_results.json",
            ],
        ),
    ] {
        let (scene, folder) = (Scene::healthy(), tempfile::TempDir::new().unwrap());
        scene.project.write("dbt-entrypoint.yml", steps);
        let run = scene.publishing_runner(folder.path()).run();
        run.assert_code(0);
        assert!(
            run.closing()["published"].as_u64() >= Some(files.len() as u64),
            "{run}"
        );
        for name in files {
            let there = fs::read(folder.path().join(name)).unwrap();
            let made = fs::read(scene.project.path().join("out2").join(name)).unwrap();
            assert!(
                there == made || *name == "run_results.json",
                "{name}: {run}"
            );
        }
        let id = crate::support::deployment::run_id(&run);
        let kept = folder
            .path()
            .join(format!("runs/{id}/01-run/run_results.json"));
        assert!(kept.exists(), "{run}");
        assert!(!scene.project.path().join("target").exists(), "{run}");
    }
}

#[test]
fn docs_that_are_not_there_end_the_run_unless_nothing_is_to_be_published() {
    for (gone, told) in [
        (&["index.html"][..], "no index.html"),
        (&["catalog.json"], "no catalog.json"),
        (
            &["index.html", "catalog.json"],
            "no index.html and no catalog.json",
        ),
    ] {
        let mut fake = Fake::one().on("docs", "healthy", "");
        for name in gone {
            fake = fake.on("docs", "remove", *name);
        }
        let (scene, folder) = (Scene::new(fake), tempfile::TempDir::new().unwrap());
        let runner = || {
            scene
                .publishing_runner(folder.path())
                .env("DBT_ENTRYPOINT_ENGINE", "process")
                .args(["--steps", "run,docs"])
        };
        let run = runner().run();
        run.assert_code(74);
        let closing = run.closing();
        assert_eq!(
            (&closing["status"], &closing["published"]),
            (&json!("error"), &json!(0))
        );
        let target = scene.project.path().join("target");
        run.assert_err_has(&[told, target.to_str().unwrap(), "hint: "]);
        assert!(closing["error"].as_str().unwrap().contains(told), "{run}");
        for name in site() {
            let name = name.trim_start_matches("shop/");
            assert!(!folder.path().join(name).exists(), "{name}: {run}");
        }
        let id = crate::support::deployment::run_id(&run);
        for kept in ["01-run/run_results.json", "summary.json"] {
            let kept = folder.path().join(format!("runs/{id}/{kept}"));
            assert!(kept.exists(), "{run}");
        }
        let run = runner().args(["--publish", "never"]).run();
        run.assert_code(0);
        assert_eq!(run.closing()["error"], json!(null), "{run}");
    }
}

#[test]
fn a_folder_can_be_the_destination() {
    let (scene, folder) = (Scene::healthy(), tempfile::TempDir::new().unwrap());
    let site = folder.path().join("new/site");
    let run = scene.publishing_runner(&site).run();
    run.assert_code(0);
    for name in [
        "catalog.json",
        "manifest.json",
        "index.html",
        "sources.json",
    ] {
        let there = fs::read(site.join(name)).unwrap();
        assert_eq!(
            there,
            fs::read(scene.project.path().join("target").join(name)).unwrap(),
            "{name}"
        );
    }
    let id = crate::support::deployment::run_id(&run);
    let summary: serde_json::Value =
        serde_json::from_slice(&fs::read(site.join(format!("runs/{id}/summary.json"))).unwrap())
            .unwrap();
    assert_eq!(summary["status"], json!("success"));
}

#[test]
fn names_with_odd_characters_stay_what_they_are() {
    let names = [
        "100%.html",
        "plus+and&.json",
        "hash#mark.html",
        "ünï/cödé.json",
        "question?.html",
    ];
    let mut fake = Fake::new().on("docs", "healthy", "");
    for name in names {
        fake = fake.on("docs", "write", format!("{name} body of {name}"));
    }
    let lab = Deployment::new(fake);
    lab.run().assert_code(0);
    for name in names {
        let encoded: String =
            percent_encoding::utf8_percent_encode(name, percent_encoding::NON_ALPHANUMERIC)
                .to_string();
        assert_eq!(
            lab.bucket.object(&format!("shop/{encoded}")).text(),
            format!("body of {name}"),
            "{name}"
        );
    }
}
