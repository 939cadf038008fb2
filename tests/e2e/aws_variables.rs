//! The variables and files of the AWS SDK and the AWS CLI mean here what they mean to them: which
//! region, profile, endpoint and proxy, and a message that names the variable where it is wrong.
//!
//! The expected values of the tables were taken from botocore 1.44. Each report is one line.

use std::path::Path;

use serde_json::json;

use crate::support::aws::{ACCESS_KEY, Aws, REGION, SECRET_KEY};
use crate::support::forward_proxy::ForwardProxy;
use crate::support::project::{PASSWORD, Scene};
use crate::support::repo::unique;
use crate::support::runner::Runner;

/// `$` stands for the home directory of the run, `@` for the address of the local AWS.
type Given = &'static [(&'static str, &'static str)];

const KEYS: Given = &[
    ("AWS_ACCESS_KEY_ID", ACCESS_KEY),
    ("AWS_SECRET_ACCESS_KEY", SECRET_KEY),
];

pub fn connection() -> String {
    let name = unique("connection");
    let properties = json!({
        "JDBC_CONNECTION_URL": "jdbc:redshift://h.example.com/d?currentSchema=s",
        "USERNAME": "u", "PASSWORD": PASSWORD});
    Aws::shared().connection(&name, &properties, &json!({}));
    format!("glue:{name}")
}

fn write_files(home: &Path) {
    std::fs::create_dir_all(home.join(".aws")).unwrap();
    let config = format!(
        "[profile dev]\nregion = {REGION}\n\
         [profile login]\nregion = {REGION}\nlogin_session = arn:aws:iam::123456789012:user/ann\n\
         [profile on-login]\nregion = {REGION}\nrole_arn = arn:aws:iam::123456789012:role/x\n\
         source_profile = login\n\
         [profile token]\nregion = {REGION}\nrole_arn = arn:aws:iam::123456789012:role/x\n\
         web_identity_token_file = /nowhere/token\n\
         [profile quoted]\nregion = \"{REGION}\"\n\
         [profile on-nothing]\nregion = {REGION}\nrole_arn = arn:aws:iam::123456789012:role/x\n\
         source_profile = nosource\n\
         [profile sso]\nregion = {REGION}\nsso_session = me\nsso_account_id = 123456789012\n\
         sso_role_name = r\n[sso-session me]\nsso_region = {REGION}\n\
         sso_start_url = https://x.example/start\n\
         [profile old-sso]\nregion = {REGION}\nsso_account_id = 123456789012\n\
         sso_role_name = r\nsso_region = {REGION}\nsso_start_url = https://x.example/start\n\
         [profile failing]\nregion = {REGION}\ncredential_process = false\n\
         [profile no-endpoint]\nregion = {REGION}\nendpoint_url =\n\
         [profile endpoint]\nregion = {REGION}\nendpoint_url = localhost:1\n"
    );
    std::fs::write(home.join(".aws/config"), &config).unwrap();
    let keys = format!(
        "[dev]\naws_access_key_id = {ACCESS_KEY}\naws_secret_access_key = {SECRET_KEY}\n\
         [no-endpoint]\naws_access_key_id = {ACCESS_KEY}\naws_secret_access_key = {SECRET_KEY}\n\
         [endpoint]\naws_access_key_id = {ACCESS_KEY}\naws_secret_access_key = {SECRET_KEY}\n"
    );
    std::fs::write(home.join(".aws/credentials"), &keys).unwrap();
    std::fs::write(home.join("broken-config"), "[default]\nregion SENTINEL\n").unwrap();
    std::fs::write(home.join("other-config"), config).unwrap();
    std::fs::write(home.join("other-credentials"), keys).unwrap();
}

/// `env` with these variables and no others of AWS.
pub fn asked(scene: &Scene, source: &str, given: Given) -> Runner {
    let home = scene.project.path();
    write_files(home);
    let runner = scene
        .bare_runner()
        .args(["env", "--credentials", source, "--schema", "s"]);
    given.iter().fold(runner, |runner, (name, value)| {
        let value = value.replace('$', home.to_str().unwrap());
        runner.env(name, value.replace('@', &Aws::shared().endpoint()))
    })
}

/// Empty or blank, as compose and Helm leave them: as if they were not set.
const UNSET: [&str; 27] = [
    "AWS_ENDPOINT_URL_GLUE",
    "AWS_ENDPOINT_URL_S3",
    "AWS_ENDPOINT_URL_STS",
    "AWS_ENDPOINT_URL_SECRETS_MANAGER",
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_DEFAULT_REGION",
    "AWS_CONFIG_FILE",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_CA_BUNDLE",
    "AWS_SESSION_TOKEN",
    "AWS_MAX_ATTEMPTS",
    "AWS_RETRY_MODE",
    "AWS_USE_FIPS_ENDPOINT",
    "AWS_USE_DUALSTACK_ENDPOINT",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_ROLE_ARN",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    "AWS_REQUEST_CHECKSUM_CALCULATION",
    "AWS_SDK_UA_APP_ID",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
];

const LEADING: [Given; 13] = [
    &[
        ("AWS_PROFILE", "no-endpoint"),
        ("AWS_ENDPOINT_URL_GLUE", "@"),
    ],
    &[("AWS_PROFILE", "dev"), ("AWS_ENDPOINT_URL", "@")],
    &[("AWS_DEFAULT_PROFILE", "dev"), ("AWS_ENDPOINT_URL", "@")],
    &[
        ("AWS_DEFAULT_PROFILE", "dev"),
        ("AWS_PROFILE", ""),
        ("AWS_ENDPOINT_URL", "@"),
    ],
    &[
        ("AWS_DEFAULT_PROFILE", "dev"),
        ("AWS_PROFILE", "nosuch"),
        ("AWS_ENDPOINT_URL", "@"),
    ],
    &[
        ("AWS_PROFILE", "dev"),
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:1"),
        ("AWS_ENDPOINT_URL_GLUE", "@"),
    ],
    &[
        ("AWS_PROFILE", "dev"),
        ("AWS_CONFIG_FILE", "$/other-config"),
        ("AWS_SHARED_CREDENTIALS_FILE", "$/other-credentials"),
        ("AWS_ENDPOINT_URL", "@"),
        ("HOME", "/nowhere"),
    ],
    &[
        ("AWS_PROFILE", "dev"),
        ("AWS_ENDPOINT_URL", "@"),
        ("AWS_RETRY_MODE", "legacy"),
    ],
    &[
        ("AWS_PROFILE", "dev"),
        ("AWS_ENDPOINT_URL", "@"),
        ("AWS_RETRY_MODE", "adaptive"),
    ],
    // Nothing on this machine is asked through a proxy.
    &[
        ("AWS_PROFILE", "dev"),
        ("AWS_ENDPOINT_URL", "@"),
        ("HTTP_PROXY", "http://127.0.0.1:1"),
    ],
    &[
        ("AWS_PROFILE", "dev"),
        ("AWS_ENDPOINT_URL", "@"),
        ("ALL_PROXY", "socks5h://127.0.0.1:1"),
    ],
    &[
        ("AWS_PROFILE", "dev"),
        ("AWS_ENDPOINT_URL", "@"),
        ("AWS_USE_DUALSTACK_ENDPOINT", "no"),
    ],
    &[
        ("AWS_PROFILE", "dev"),
        ("AWS_ENDPOINT_URL", "@"),
        ("AWS_REGION", " "),
        ("AWS_DEFAULT_REGION", REGION),
    ],
];

#[test]
fn these_lead_to_aws() {
    let source = connection();
    for blank in ["", " "] {
        let scene = Scene::healthy();
        let mut runner = Aws::shared().attach(asked(&scene, &source, &[]));
        for name in UNSET {
            runner = runner.env(name, blank);
        }
        runner.run().assert_code(0);
    }
    for given in LEADING {
        let scene = Scene::healthy();
        let run = asked(&scene, &source, given).run();
        assert_eq!(run.code, Some(0), "{given:?}: {run}");
    }
}

/// A file of profiles, the variables, and what botocore makes of both: the region and the key that
/// it signs with. `{keys}` stands for a pair of keys, `{region}` for a region.
const FILES: [(&str, Given); 13] = [
    ("[profile dev]\r\nregion = {region}\r\n{keys}", DEV),
    ("\u{feff}[profile dev]\nregion = {region}\n{keys}", DEV),
    (
        "[profile dev]\n  region = {region}\n  output = json\n{keys}",
        DEV,
    ),
    (
        "[profile dev]\n\tREGION = {region}\n\toutput = json\n{keys}",
        DEV,
    ),
    ("[profile dev]\nregion: {region}\n{keys}", DEV),
    (
        "; mine\n  [profile dev] ; mine\n{keys}# no\nregion={region}\n",
        DEV,
    ),
    (
        "[profile dev]\ns3 =\n    addressing_style = path\nregion = {region}\n{keys}",
        DEV,
    ),
    ("[profile \"dev\"]\nregion = {region}\n{keys}", DEV),
    (
        "[profile \"my dev\"]\nregion = {region}\n{keys}",
        &[("AWS_PROFILE", "my dev"), ("AWS_ENDPOINT_URL", "@")],
    ),
    (
        "[profile dev]\nregion = {region}\n{keys}",
        &[
            ("AWS_PROFILE", "dev"),
            ("AWS_ENDPOINT_URL", "@"),
            ("AWS_CONFIG_FILE", "$HOME/.aws/config"),
        ],
    ),
    (
        "[profile dev]\nregion = {region}\n{keys}",
        &[
            ("AWS_PROFILE", "dev"),
            ("AWS_ENDPOINT_URL", "@"),
            ("AWS_CONFIG_FILE", "${HOME}/.aws/config"),
        ],
    ),
    (
        "[profile dev]\nregion = {region}\n{keys}",
        &[
            ("AWS_PROFILE", "dev"),
            ("AWS_ENDPOINT_URL", "@"),
            ("AWS_CONFIG_FILE", "~/.aws/config"),
        ],
    ),
    (
        "[profile dev]\nregion = {region}\nservices = near\n{keys}\n[services near]\n\
         glue =\n  endpoint_url = @\n",
        &[("AWS_PROFILE", "dev")],
    ),
];

const DEV: Given = &[("AWS_PROFILE", "dev"), ("AWS_ENDPOINT_URL", "@")];

#[test]
fn the_files_of_the_aws_cli_are_read_as_it_reads_them() {
    let source = connection();
    for (file, given) in FILES {
        let scene = Scene::healthy();
        let home = scene.project.path().to_str().unwrap().to_owned();
        // `$` begins a variable here.
        let runner = asked(&scene, &source, &[]).env("HOME", &home);
        let keys =
            format!("aws_access_key_id = {ACCESS_KEY}\naws_secret_access_key = {SECRET_KEY}\n");
        let file = file.replace("{keys}", &keys).replace("{region}", REGION);
        let file = file.replace('@', &Aws::shared().endpoint());
        std::fs::write(scene.project.path().join(".aws/config"), &file).unwrap();
        std::fs::write(scene.project.path().join(".aws/credentials"), "").unwrap();
        let runner = given.iter().fold(runner, |runner, (name, value)| {
            runner.env(name, value.replace('@', &Aws::shared().endpoint()))
        });
        let run = runner.run();
        assert_eq!(run.code, Some(0), "{file:?} {given:?}: {run}");
    }
}

/// Variables, the code, and what the message says.
const WRONG: [(Given, i32, &[&str]); 27] = [
    (
        &[
            ("AWS_ACCESS_KEY_ID", "AKIA"),
            ("AWS_PROFILE", "dev"),
            ("AWS_ENDPOINT_URL", "@"),
        ],
        77,
        &["AWS_SECRET_ACCESS_KEY is not set"],
    ),
    (
        &[
            ("AWS_WEB_IDENTITY_TOKEN_FILE", "$/other-config"),
            ("AWS_REGION", REGION),
        ],
        77,
        &["AWS_ROLE_ARN is not set"],
    ),
    (
        &[
            ("AWS_CONFIG_FILE", "$/broken-config"),
            ("AWS_REGION", REGION),
        ],
        64,
        &["/broken-config:2: is neither a [section] nor key = value"],
    ),
    (
        &[("AWS_SHARED_CREDENTIALS_FILE", "$"), ("AWS_REGION", REGION)],
        77,
        &[
            "where the AWS credentials may be: is a directory",
            "in a container",
        ],
    ),
    (
        &[
            ("AWS_CONFIG_FILE", "$"),
            ("AWS_PROFILE", "nosuch"),
            ("AWS_REGION", REGION),
        ],
        77,
        &["where the AWS credentials may be: is a directory"],
    ),
    (
        &[
            ("AWS_SHARED_CREDENTIALS_FILE", "/dev/zero"),
            ("AWS_REGION", REGION),
        ],
        77,
        &["cannot read /dev/zero", "larger than"],
    ),
    (&[("AWS_PROFILE", "sso")], 77, &["aws sso login"]),
    (&[("AWS_PROFILE", "old-sso")], 77, &["aws sso login"]),
    (
        &[("AWS_PROFILE", "failing")],
        77,
        &["run the credential_process"],
    ),
    (
        &[("AWS_PROFILE", "on-nothing")],
        77,
        &["\"nosource\"", "source_profile of \"on-nothing\""],
    ),
    (
        &[("AWS_ACCESS_KEY_ID", "AKIA"), ("AWS_REGION", REGION)],
        77,
        &["AWS_SECRET_ACCESS_KEY is not set"],
    ),
    (
        &[
            ("AWS_SECRET_ACCESS_KEY", "12345678"),
            ("AWS_REGION", REGION),
        ],
        77,
        &["AWS_ACCESS_KEY_ID is not set"],
    ),
    (
        &[
            ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1:1/"),
            ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "/nowhere/pod"),
            ("AWS_REGION", REGION),
        ],
        77,
        &["/nowhere/pod", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"],
    ),
    (&[("AWS_REGION", "eu west")], 64, &["variable AWS_REGION: "]),
    (
        &[("AWS_REGION", "\"eu-west-1\"")],
        64,
        &["variable AWS_REGION: "],
    ),
    (
        &[("AWS_DEFAULT_REGION", "eu-west-1 ")],
        64,
        &["variable AWS_DEFAULT_REGION: "],
    ),
    (
        &[("AWS_PROFILE", "quoted")],
        64,
        &["region of the AWS profile", "eu-north-1"],
    ),
    (
        &[("AWS_PROFILE", "nosuch"), ("AWS_REGION", REGION)],
        77,
        &["\"nosuch\"", "AWS_PROFILE", "/.aws/config"],
    ),
    (
        &[
            ("AWS_DEFAULT_PROFILE", "nosuch"),
            ("AWS_CONFIG_FILE", "/elsewhere/config"),
            ("AWS_REGION", REGION),
        ],
        77,
        &["\"nosuch\"", "/elsewhere/config"],
    ),
    (
        &[("AWS_PROFILE", "login")],
        64,
        &["aws login", "credential_process"],
    ),
    (
        &[("AWS_PROFILE", "on-login")],
        64,
        &["aws login", "\"login\""],
    ),
    (
        &[("AWS_PROFILE", "token")],
        77,
        &["/nowhere/token", "no such file"],
    ),
    (
        &[
            ("AWS_WEB_IDENTITY_TOKEN_FILE", "/nowhere/tokens"),
            ("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/dbt"),
            ("AWS_REGION", REGION),
        ],
        77,
        &["/nowhere/tokens", "AWS_WEB_IDENTITY_TOKEN_FILE"],
    ),
    (
        &[
            ("AWS_ENDPOINT_URL_GLUE", "localhost:4566"),
            ("AWS_REGION", REGION),
        ],
        64,
        &["variable AWS_ENDPOINT_URL_GLUE: "],
    ),
    (
        &[("AWS_PROFILE", "endpoint")],
        64,
        &["endpoint_url of the AWS profile"],
    ),
    (
        &[("HTTPS_PROXY", "http://a b"), ("AWS_REGION", "x y")],
        64,
        &["variable HTTPS_PROXY: ", "variable AWS_REGION: "],
    ),
    (
        &[("AWS_MAX_ATTEMPTS", "many"), ("AWS_REGION", REGION)],
        64,
        &["AWS_MAX_ATTEMPTS is \"many\""],
    ),
];

#[test]
fn what_is_wrong_is_named() {
    for (given, code, parts) in WRONG {
        let scene = Scene::healthy();
        let run = asked(&scene, "glue:x", given).run();
        assert_eq!(run.code, Some(code), "{given:?}: {run}");
        run.assert_err_has(parts).assert_err_has(&["error: "]);
        for noise in ["cargo", "already taken", "Unhandled", "SENTINEL"] {
            assert!(!run.err().contains(noise), "{given:?}: {run}");
        }
    }
}

/// Whatever stands in a variable is no fault of the runner.
#[test]
fn no_value_makes_the_runner_fail() {
    const NAMES: [&str; 32] = [
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AWS_REGION",
        "AWS_PROFILE",
        "AWS_CA_BUNDLE",
        "AWS_CONFIG_FILE",
        "AWS_SHARED_CREDENTIALS_FILE",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
        "AWS_EC2_METADATA_SERVICE_ENDPOINT",
        "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE",
        "AWS_EC2_METADATA_DISABLED",
        "AWS_ENDPOINT_URL",
        "AWS_ENDPOINT_URL_GLUE",
        "AWS_EXECUTION_ENV",
        "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
        "AWS_LAMBDA_FUNCTION_NAME",
        "AWS_MAX_ATTEMPTS",
        "AWS_REQUEST_CHECKSUM_CALCULATION",
        "AWS_REQUEST_MIN_COMPRESSION_SIZE_BYTES",
        "AWS_RESPONSE_CHECKSUM_VALIDATION",
        "AWS_RETRY_MODE",
        "AWS_ROLE_ARN",
        "AWS_SDK_UA_APP_ID",
        "AWS_USE_DUALSTACK_ENDPOINT",
        "AWS_USE_FIPS_ENDPOINT",
        "AWS_ACCOUNT_ID_ENDPOINT_MODE",
        "AWS_SIGV4A_SIGNING_REGION_SET",
        "HTTP_PROXY",
    ];
    for name in NAMES {
        for value in [
            "-",
            "http://",
            "a\r\n",
            "ü:://é",
            "/etc/passwd",
            "{\"a\": 1}",
        ] {
            let scene = Scene::healthy();
            let mut runner = Aws::attach_at(asked(&scene, "glue:x", &[]), "http://127.0.0.1:1")
                .env("AWS_MAX_ATTEMPTS", "1");
            if name.starts_with("AWS_CONTAINER_AUTHORIZATION") {
                runner = runner.env("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1:1/");
            }
            if name.starts_with("AWS_CONTAINER") || name.starts_with("AWS_EC2") {
                runner = runner
                    .env_remove("AWS_ACCESS_KEY_ID")
                    .env_remove("AWS_SECRET_ACCESS_KEY");
            }
            let run = runner.env(name, value).run();
            assert!(
                [64, 65, 69, 77].contains(&run.code.unwrap()),
                "{name}={value:?}: {run}"
            );
        }
    }
}

/// Variables, and the host that botocore asks for the Glue Connection.
#[test]
fn the_endpoint_is_the_one_of_the_aws_cli() {
    let rows: [(Given, &str); 9] = [
        (
            &[("AWS_REGION", "eu-west-1")],
            "glue.eu-west-1.amazonaws.com",
        ),
        (
            &[("AWS_DEFAULT_REGION", "cn-north-1")],
            "glue.cn-north-1.amazonaws.com.cn",
        ),
        (
            &[
                ("AWS_REGION", "us-east-1"),
                ("AWS_USE_FIPS_ENDPOINT", "true"),
            ],
            "glue-fips.us-east-1.amazonaws.com",
        ),
        (
            &[
                ("AWS_REGION", "us-east-1"),
                ("AWS_USE_FIPS_ENDPOINT", "True"),
            ],
            "glue-fips.us-east-1.amazonaws.com",
        ),
        (
            &[
                ("AWS_REGION", "us-east-1"),
                ("AWS_USE_FIPS_ENDPOINT", "false"),
            ],
            "glue.us-east-1.amazonaws.com",
        ),
        (
            &[
                ("AWS_REGION", "us-east-1"),
                ("AWS_USE_DUALSTACK_ENDPOINT", "true"),
            ],
            "glue.us-east-1.api.aws",
        ),
        (
            &[
                ("AWS_REGION", "eu-west-1"),
                ("AWS_ENDPOINT_URL", "https://elsewhere.example"),
                ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true"),
            ],
            "glue.eu-west-1.amazonaws.com",
        ),
        (
            &[
                ("AWS_REGION", "eu-west-1"),
                ("AWS_ENDPOINT_URL", "https://elsewhere.example"),
            ],
            "elsewhere.example",
        ),
        (
            &[
                ("AWS_REGION", "eu-west-1"),
                ("AWS_ENDPOINT_URL", "https://elsewhere.example"),
                ("AWS_ENDPOINT_URL_GLUE", "https://glue.example"),
            ],
            "glue.example",
        ),
    ];
    for (given, host) in rows {
        let scene = Scene::healthy();
        let proxy = ForwardProxy::to(1);
        let mut runner = asked(&scene, "glue:x", given)
            .env("AWS_MAX_ATTEMPTS", "1")
            .env("HTTPS_PROXY", format!("127.0.0.1:{}", proxy.port));
        for (name, value) in KEYS {
            runner = runner.env(name, value);
        }
        runner.run().assert_code(69);
        let asked = proxy.asked();
        assert!(
            asked
                .iter()
                .all(|line| line.contains(&format!(" {host}:443 ")))
                && !asked.is_empty(),
            "{given:?}: {asked:?}"
        );
    }
}

/// The variables of an env-file reach the SDK and what the SDK starts, also from a pipe, and dbt
/// gets every variable as it was.
#[test]
fn an_env_file_speaks_to_the_sdk_too() {
    let (scene, source) = (Scene::healthy(), connection());
    let home = scene.project.path();
    write_files(home);
    let program = format!(
        "[profile program]\nregion = {REGION}\ncredential_process = {}/keys\n",
        home.display()
    );
    std::fs::write(home.join("program-config"), program).unwrap();
    let keys = json!({"Version": 1, "AccessKeyId": ACCESS_KEY, "SecretAccessKey": SECRET_KEY});
    let script = format!("#!/bin/sh\n[ \"$AWS_MARK\" = from-the-file ] && echo '{keys}'\n");
    std::fs::write(home.join("keys"), script).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(home.join("keys"), mode).unwrap();
    let (reader, mut writer) = std::io::pipe().unwrap();
    let file = format!(
        "AWS_DEFAULT_PROFILE=program\nAWS_CONFIG_FILE={}/program-config\nAWS_MARK=from-the-file\n\
         AWS_ENDPOINT_URL={}\n",
        home.display(),
        Aws::shared().endpoint()
    );
    std::io::Write::write_all(&mut writer, file.as_bytes()).unwrap();
    drop(writer);
    let run = scene
        .bare_runner()
        .args([
            "exec",
            "--credentials",
            &source,
            "--env-file",
            "/dev/stdin",
            "--",
            "env",
        ])
        .env("AWS_ENDPOINT_URL_GLUE", "")
        .stdin(reader)
        .run();
    run.assert_code(0);
    let lines = run.out();
    for line in ["AWS_ENDPOINT_URL_GLUE=", "AWS_DEFAULT_PROFILE=program"] {
        assert!(lines.lines().any(|seen| seen == line), "{run}");
    }
    assert!(!lines.contains("AWS_PROFILE="), "{run}");
}
