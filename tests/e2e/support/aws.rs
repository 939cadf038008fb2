//! A local AWS (moto), what a test puts into it, and what it finds there afterwards.
//!
//! Owns the set-up calls, as plain HTTP: the SDK under test must not also be the judge, and bytes
//! and headers are seen as they are.

use std::net::{SocketAddr, ToSocketAddrs as _};
use std::sync::OnceLock;

use serde_json::{Value, json};

use super::http::Message;
use super::lab;
use super::repo;
use super::runner::Runner;

/// moto takes any keys. The secret one is a secret all the same, and must not show anywhere.
pub const ACCESS_KEY: &str = "AKIAIOSFODNN7EXAMPLE";
pub const SECRET_KEY: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
pub const REGION: &str = "eu-north-1";

#[derive(Clone, Copy)]
pub struct Aws {
    pub address: SocketAddr,
}

impl Aws {
    /// One server for all tests of the run; tests keep apart by the names that they choose.
    pub fn shared() -> Self {
        static ADDRESS: OnceLock<SocketAddr> = OnceLock::new();
        let address = ADDRESS.get_or_init(|| {
            let ready = lab::shared(
                "aws",
                &repo::venv("python"),
                "tests/e2e/support/aws_server.py",
            );
            let port = ready["port"].as_u64().unwrap();
            format!("127.0.0.1:{port}")
                .to_socket_addrs()
                .unwrap()
                .next()
                .unwrap()
        });
        Self { address: *address }
    }

    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Points the runner at that endpoint, which is this AWS or a proxy before it.
    pub fn attach_at(runner: Runner, endpoint: &str) -> Runner {
        runner
            .env("AWS_ENDPOINT_URL", endpoint)
            .env("AWS_REGION", REGION)
            .env("AWS_ACCESS_KEY_ID", ACCESS_KEY)
            .env("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
    }

    pub fn attach(&self, runner: Runner) -> Runner {
        Self::attach_at(runner, &self.endpoint())
    }

    /// moto tells the service by the scope of the signature.
    fn signed(request: Message, service: &str) -> Message {
        let scope = format!("{ACCESS_KEY}/20260101/{REGION}/{service}/aws4_request");
        request.header(
            "Authorization",
            format!("AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0"),
        )
    }

    /// A call of a JSON service.
    #[track_caller]
    pub fn call(&self, service: &str, target: &str, body: &Value) -> Value {
        let request = Message::new("POST / HTTP/1.1")
            .header("X-Amz-Target", target)
            .header("Content-Type", "application/x-amz-json-1.1")
            .body(body.to_string());
        let response = Self::signed(request, service).send(self.address).unwrap();
        assert_eq!(response.status(), 200, "{target}: {}", response.text());
        serde_json::from_slice(&response.body).unwrap_or(Value::Null)
    }

    pub fn s3(&self, method: &str, path: &str, body: &[u8]) -> Message {
        let request = Message::new(format!("{method} {path} HTTP/1.1")).body(body);
        Self::signed(request, "s3").send(self.address).unwrap()
    }

    /// A Glue Connection with these properties and whatever else its input takes.
    #[track_caller]
    pub fn connection(&self, name: &str, properties: &Value, more: &Value) {
        let mut input =
            json!({"Name": name, "ConnectionType": "JDBC", "ConnectionProperties": properties});
        for (key, value) in more.as_object().into_iter().flatten() {
            input[key] = value.clone();
        }
        self.call(
            "glue",
            "AWSGlue.CreateConnection",
            &json!({"ConnectionInput": input}),
        );
    }

    /// Returns the ARN.
    #[track_caller]
    pub fn secret(&self, name: &str, value: &str) -> String {
        let answer = self.call(
            "secretsmanager",
            "secretsmanager.CreateSecret",
            &json!({"Name": name, "SecretString": value}),
        );
        answer["ARN"].as_str().unwrap().to_owned()
    }

    #[track_caller]
    pub fn parameter(&self, name: &str, value: &str, kind: &str) {
        self.call(
            "ssm",
            "AmazonSSM.PutParameter",
            &json!({"Name": name, "Value": value, "Type": kind}),
        );
    }

    /// The ciphertext of the value under a new key, in base64, as Glue keeps an encrypted password.
    #[track_caller]
    pub fn encrypted(&self, value: &str) -> String {
        let key = self.call("kms", "TrentService.CreateKey", &json!({}));
        let id = &key["KeyMetadata"]["KeyId"];
        let plaintext = aws_smithy_types::base64::encode(value);
        let answer = self.call(
            "kms",
            "TrentService.Encrypt",
            &json!({"KeyId": id, "Plaintext": plaintext}),
        );
        answer["CiphertextBlob"].as_str().unwrap().to_owned()
    }

    /// A new bucket, with a name that no other test has.
    #[track_caller]
    pub fn bucket(&self) -> Bucket {
        self.bucket_named(&repo::unique("docs"))
    }

    #[track_caller]
    pub fn bucket_named(&self, name: &str) -> Bucket {
        let location = format!(
            "<CreateBucketConfiguration \
             xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
             <LocationConstraint>{REGION}</LocationConstraint></CreateBucketConfiguration>"
        );
        let response = self.s3("PUT", &format!("/{name}"), location.as_bytes());
        assert_eq!(response.status(), 200, "{}", response.text());
        Bucket {
            aws: *self,
            name: name.to_owned(),
        }
    }
}

pub struct Bucket {
    aws: Aws,
    pub name: String,
}

impl Bucket {
    /// All keys, in the order of S3.
    pub fn keys(&self) -> Vec<String> {
        let listing = self
            .aws
            .s3(
                "GET",
                &format!("/{}?list-type=2&max-keys=1000", self.name),
                b"",
            )
            .text();
        listing
            .split("<Key>")
            .skip(1)
            .map(|part| part.split("</Key>").next().unwrap().to_owned())
            .collect()
    }

    /// An object with its headers.
    #[track_caller]
    pub fn object(&self, key: &str) -> Message {
        let response = self.aws.s3("GET", &format!("/{}/{key}", self.name), b"");
        assert_eq!(
            response.status(),
            200,
            "{key} is not in the bucket, but {:?}",
            self.keys()
        );
        response
    }

    #[track_caller]
    pub fn json(&self, key: &str) -> Value {
        serde_json::from_slice(&self.object(key).body)
            .unwrap_or_else(|error| panic!("{key}: {error}"))
    }

    #[track_caller]
    pub fn put(&self, key: &str, body: &[u8]) {
        assert_eq!(
            self.aws
                .s3("PUT", &format!("/{}/{key}", self.name), body)
                .status(),
            200
        );
    }

    /// No object holds the value in any form.
    #[track_caller]
    pub fn assert_lacks(&self, secret: &[u8]) {
        let keys = self.keys();
        assert!(!keys.is_empty(), "{} is empty", self.name);
        for key in keys {
            let body = self.object(&key).body;
            let found = super::sentinel::forms(secret)
                .iter()
                .any(|form| super::sentinel::holds(&body, form));
            assert!(!found, "{key} holds the secret");
        }
    }
}
