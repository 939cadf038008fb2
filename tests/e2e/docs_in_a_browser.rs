//! The published site in a browser, straight from the bucket: a model's page and the lineage graph.
//!
//! Chromium runs headless. Where it is missing these tests fail and say so: nothing else reads the
//! site as a person would.

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::json;

use crate::support::aws::Aws;
use crate::support::project::{sample_project, with_login, with_real_dbt};
use crate::support::repo;
use crate::support::runner::Runner;

/// Publishes the sample project and returns the address of its site, which anybody may read.
fn published() -> String {
    let aws = Aws::shared();
    let bucket = aws.bucket();
    let policy = json!({"Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject",
        "Resource": format!("arn:aws:s3:::{}/*", bucket.name)}]});
    let answer = aws.s3(
        "PUT",
        &format!("/{}?policy", bucket.name),
        policy.to_string().as_bytes(),
    );
    assert!(answer.status() < 300, "{}", answer.text());
    let project = sample_project();
    let destination = format!("s3://{}/shop", bucket.name);
    let runner = aws.attach(with_login(with_real_dbt(Runner::new(project.path()))));
    let run = runner
        .args([
            "--target",
            "duckdb",
            "--steps",
            "deps,run,docs",
            "--destination",
            &destination,
        ])
        .run();
    run.assert_code(0);
    format!("{}/{}/shop/index.html", aws.endpoint(), bucket.name)
}

/// The page after its scripts have run.
fn chromium(profile: &Path, arguments: &[&str]) -> String {
    let browser = repo::system_program(
        &[
            "/usr/bin/chromium",
            "/usr/bin/chromium-browser",
            "/usr/bin/google-chrome",
        ],
        "chromium",
    );
    let output = Command::new(browser)
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--hide-scrollbars",
            "--window-size=1400,900",
        ])
        .args([
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--virtual-time-budget=20000",
        ])
        .arg(format!("--user-data-dir={}", profile.display()))
        .args(arguments)
        .env("HOME", profile)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn a_models_page_and_the_lineage_graph_open_from_the_bucket() {
    let site = published();
    let profile = tempfile::TempDir::new().unwrap();
    // The search results, which no one sees here, hold every description: the page's own is the one
    // in its markdown.
    let described = |page: &str| page.contains("marked=\"model.description\"><p>One row per order");
    let page = chromium(
        profile.path(),
        &[
            "--dump-dom",
            &format!("{site}#!/model/model.shop.fct_orders"),
        ],
    );
    assert!(
        described(&page) && page.contains("ng-binding\">fct_orders</span>"),
        "a page of {} bytes",
        page.len()
    );
    let other = chromium(
        profile.path(),
        &[
            "--dump-dom",
            &format!("{site}#!/model/model.shop.no_such_model"),
        ],
    );
    assert!(
        !described(&other),
        "the page of a model that is not there shows it too"
    );

    let graph = picture(
        profile.path(),
        &format!("{site}#!/model/model.shop.fct_orders?g_v=1"),
    );
    let empty = picture(
        profile.path(),
        &format!("{site}#!/model/model.shop.fct_orders?g_v=1&g_i=no_such_model"),
    );
    // The graph is painted on a canvas, so the page's text cannot tell: but a dozen boxes and lines
    // need more bytes than a blank panel.
    assert!(
        graph > 2 * empty,
        "the graph has {graph} bytes as a picture, one of no nodes {empty}"
    );
}

/// The size of a screenshot, which is kept no longer than that.
fn picture(profile: &Path, address: &str) -> u64 {
    let file = profile.join("screenshot.png");
    chromium(
        profile,
        &[&format!("--screenshot={}", file.display()), address],
    );
    let size = std::fs::metadata(&file).unwrap().len();
    std::fs::remove_file(file).unwrap();
    size
}
