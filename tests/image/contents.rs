//! What is in the image, and what is not.

use std::collections::BTreeSet;
use std::fs;
use std::io::Read as _;

use serde_json::{Value, json};

use crate::container::Container;
use crate::engine::{docker, image, layers, needs_engine, stream};
use crate::support::repo;

fn configuration() -> Value {
    serde_json::from_str(&docker(&[
        "image",
        "inspect",
        "--format",
        "{{json .Config}}",
        &image(),
    ]))
    .unwrap()
}

/// A shell in the image, without the entry point.
fn shell(script: &str) -> String {
    let run = Container::of(&image())
        .flags(["--network", "none", "--entrypoint", "/bin/sh"])
        .args(["-c", script])
        .run();
    run.assert_code(0);
    run.out()
}

#[test]
fn it_starts_as_an_unprivileged_user_with_the_runner_as_pid_1() {
    needs_engine!();
    let configuration = configuration();
    assert_eq!(
        configuration["Entrypoint"],
        json!(["/usr/local/bin/dbt-entrypoint"])
    );
    assert_eq!(configuration["Cmd"], json!(["run"]));
    assert_eq!(configuration["User"], "65532:65532");
    assert_eq!(configuration["StopSignal"], "SIGTERM");
    assert_eq!(configuration["WorkingDir"], "/app");
    assert_eq!(configuration["Volumes"], json!({"/tmp": {}}));
    for label in ["title", "description", "licenses", "version"] {
        assert!(
            configuration["Labels"][format!("org.opencontainers.image.{label}")]
                .as_str()
                .is_some_and(|text| !text.is_empty()),
            "{label}"
        );
    }
    assert_eq!(
        configuration["Labels"]["org.opencontainers.image.version"],
        env!("CARGO_PKG_VERSION")
    );
}

#[test]
fn its_environment_decides_nothing() {
    needs_engine!();
    let configuration = configuration();
    let names: Vec<_> = configuration["Env"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry.as_str().unwrap().split('=').next().unwrap())
        .collect();
    assert_eq!(
        names,
        ["PATH", "HOME", "LANG"],
        "with ENV, a local run would be no sandbox run any more"
    );
}

#[test]
fn beside_python_and_dbt_it_adds_at_most_60_megabytes_to_its_base() {
    needs_engine!();
    let base_of = |line: &str| line.strip_prefix("ARG BASE_IMAGE=").map(str::to_owned);
    let base = fs::read_to_string(repo::root().join("Dockerfile"))
        .unwrap()
        .lines()
        .find_map(base_of)
        .unwrap();
    let image = image();
    let (base, all) = (layers(&base, ""), layers(&image, ""));
    let (python, dbt) = (
        layers(&image, "apt-get install"),
        layers(&image, "COPY /opt/dbt "),
    );
    let found = base > 50_000_000 && python > 10_000_000 && dbt > 50_000_000;
    assert!(
        found,
        "the layers were not found: base {base}, Python {python}, dbt {dbt}"
    );
    let added = all - base - python - dbt;
    assert!((10_000_000..=60_000_000).contains(&added), "{added} bytes");
}

#[test]
fn nothing_of_the_machine_that_builds_reaches_the_context() {
    needs_engine!();
    let context = tempfile::TempDir::new().unwrap();
    let write = |path: &str, text: &str| {
        let path = context.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    let wanted = [
        "dbt/dbt_project.yml",
        "dbt/models/deep/one.sql",
        "warehouse/dbt_project.yml",
        "src/main.rs",
        "Cargo.toml",
        "Cargo.lock",
        "scripts/requirements/dbt.txt",
        "scripts/requirements/dbt2.txt",
        ".venv-dbt2/drivers/duckdb.toml",
    ];
    let unwanted = [
        "sandbox.env",
        ".env",
        ".git/config",
        "target/debug/x",
        ".venv/bin/x",
        ".venv-dbt2/bin/dbt",
        "deploy/terraform.tfvars",
        "dbt/.env",
        "dbt/deep/dev.env",
        "dbt/.user.yml",
        "dbt/dev.duckdb",
        "dbt/dev.duckdb.wal",
        "dbt/target/manifest.json",
        "dbt/logs/dbt.log",
        "dbt/dbt_packages/one/x.sql",
        "warehouse/.env",
        "warehouse/target/manifest.json",
        "scripts/requirements/test.txt",
    ];
    for path in wanted.iter().chain(&unwanted) {
        write(path, "text");
    }
    fs::copy(
        repo::root().join(".dockerignore"),
        context.path().join(".dockerignore"),
    )
    .unwrap();
    write("Dockerfile", "FROM scratch\nCOPY . /\n");
    let sent = tempfile::TempDir::new().unwrap();
    docker(&[
        "build",
        "--quiet",
        "--output",
        sent.path().to_str().unwrap(),
        context.path().to_str().unwrap(),
    ]);
    let entries = walkdir::WalkDir::new(sent.path())
        .into_iter()
        .filter_map(Result::ok)
        .filter(|entry| entry.file_type().is_file());
    let found: BTreeSet<_> = entries
        .map(|entry| {
            entry
                .path()
                .strip_prefix(sent.path())
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned()
        })
        .collect();
    assert_eq!(found, wanted.map(str::to_owned).into());
}

#[test]
fn nothing_is_there_that_only_a_build_needs() {
    needs_engine!();
    let programs = [
        "gcc", "cc", "ld", "make", "rustc", "cargo", "pip", "pip3", "aws", "curl", "wget",
    ];
    let script = programs.map(|name| format!("command -v {name}; ")).concat()
        + "command -v git; command -v dbt";
    // The last two show that the question can be answered.
    assert_eq!(shell(&script), "/usr/bin/git\n/opt/dbt/bin/dbt\n");
    let modules = "import importlib.util as u; print([name for name in ('pip', 'awscli', \
        'ensurepip', 'moto', 'dbt') if u.find_spec(name)])";
    for python in ["/usr/bin/python3", "/opt/dbt/bin/python"] {
        let found = shell(&format!("{python} -I -c \"{modules}\""));
        assert_eq!(
            found,
            if python.starts_with("/opt") {
                "['dbt']\n"
            } else {
                "[]\n"
            },
            "{python}"
        );
    }
    assert_eq!(
        shell(
            "find / -xdev -name '*.whl' -o -xdev -path '/var/lib/apt/lists/*' -type f -o -xdev \
                -path '/root/.cache/*' | head"
        ),
        ""
    );
}

#[test]
fn no_program_takes_the_rights_of_its_owner() {
    needs_engine!();
    let found = |what: &str| shell(&format!("find / -xdev -type f -perm {what} | head -n 3"));
    assert_eq!(found("/6000"), "");
    // It can find by rights.
    assert_ne!(found("/0111"), "");
}

#[test]
fn the_authorities_that_debian_trusts_are_there() {
    needs_engine!();
    let count: usize = shell("grep -c 'BEGIN CERTIFICATE' /etc/ssl/certs/ca-certificates.crt")
        .trim()
        .parse()
        .unwrap();
    assert!(count > 100, "{count} certificates");
}

#[test]
fn what_was_cut_from_the_packages_is_not_missed() {
    needs_engine!();
    let script = "import boto3, babel.numbers, agate, networkx, redshift_connector
for service in (
    'athena', 'glue', 'kms', 'redshift', 'redshift-data', 'redshift-serverless', 's3',
    'secretsmanager', 'sns', 'sqs', 'ssm', 'sso', 'sso-oidc', 'sts',
):
    boto3.client(service, region_name='eu-west-1')
print(babel.numbers.parse_decimal('1,234.5', locale='en_US'))";
    assert_eq!(
        shell(&format!("/opt/dbt/bin/python -I -c \"{script}\"")),
        "1234.5\n"
    );
}

#[test]
fn python_compiles_nothing_at_a_start() {
    needs_engine!();
    let script = "import dbt.cli.main, dbt.adapters.redshift, sys
from pathlib import Path
modules = [Path(module.__file__) for module in list(sys.modules.values()) if str(getattr(module,
    '__file__', '')).startswith('/opt/dbt') and module.__file__.endswith('.py')]
uncompiled = [str(path) for path in modules if not Path(module_cache(path)).exists()]
print(uncompiled[:5], len(modules) > 500)";
    let script = script.replace(
        "module_cache(path)",
        "__import__('importlib.util').util.cache_from_source(str(path))",
    );
    assert_eq!(
        shell(&format!("/opt/dbt/bin/python -I -c \"{script}\"")),
        "[] True\n"
    );
}

/// The program as it lies in the image.
fn binary() -> Vec<u8> {
    let made = crate::engine::Made::container(docker(&[
        "create",
        "--label",
        &crate::engine::label(),
        &image(),
    ]));
    let mut child = stream(&[
        "cp",
        &format!("{}:/usr/local/bin/dbt-entrypoint", made.name),
        "-",
    ]);
    let mut archive = Vec::new();
    child
        .stdout
        .take()
        .unwrap()
        .read_to_end(&mut archive)
        .unwrap();
    assert!(child.wait().unwrap().success());
    // One file of a tar archive begins after one block, which has its size in octal digits.
    let size = usize::from_str_radix(str::from_utf8(&archive[124..135]).unwrap(), 8).unwrap();
    archive[512..512 + size].to_vec()
}

#[test]
fn the_binary_tells_nothing_of_where_it_was_built() {
    needs_engine!();
    let binary = binary();
    let has = |text: &str| {
        let text = text.as_bytes();
        binary.windows(text.len()).any(|part| part == text)
    };
    for path in [
        "/usr/local/cargo",
        "/usr/local/rustup",
        "/build/src",
        "/build/target",
        "/.cargo/registry",
    ] {
        assert!(!has(path), "{path}");
    }
    // The names of source files are there, so the search would find the folders above them.
    assert!(has("/src/runtime/"));
}

#[test]
fn the_binary_is_static_and_at_most_16_megabytes() {
    needs_engine!();
    let binary = binary();
    assert!(binary.starts_with(b"\x7fELF"), "{:?}", &binary[..16]);
    assert!(binary.len() <= 16_000_000, "{} bytes", binary.len());
    // The program header that names a dynamic linker is of type 3.
    let number = |at: usize, size: usize| {
        binary[at..at + size]
            .iter()
            .rev()
            .fold(0, |sum, byte| sum * 256 + usize::from(*byte))
    };
    let (table, entry, count) = (number(0x20, 8), number(0x36, 2), number(0x38, 2));
    let kinds: Vec<_> = (0..count)
        .map(|index| number(table + index * entry, 4))
        .collect();
    assert!(kinds.contains(&1) && !kinds.contains(&3), "{kinds:?}");
}
