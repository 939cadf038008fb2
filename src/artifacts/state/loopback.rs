//! Owns a bucket on loopback for tests: it keeps the promises of S3's conditional writes, has a
//! clock of its own, and answers as badly as a test wants.
//!
//! Never checks a signature.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_s3::config::{BehaviorVersion, Region};
use aws_sdk_s3::primitives::{DateTime, DateTimeFormat};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use crate::artifacts::Destination;
use crate::artifacts::owner::Owner;
use crate::artifacts::s3::S3;

/// What happens to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Answered as S3 does.
    Fair,
    /// Done, but the answer is lost.
    Lost,
    /// Neither done nor answered.
    Dropped,
    /// Neither done nor answered, and the caller is not told so.
    Silent,
    /// Not done; answered with this status and code.
    Refused(u16, &'static str),
}

#[derive(Debug, Clone)]
struct Kept {
    content: Vec<u8>,
    tag: String,
    written: SystemTime,
}

/// One bucket. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Bucket(Arc<State>);

#[derive(Debug)]
struct State {
    address: String,
    objects: Mutex<HashMap<String, Kept>>,
    versions: AtomicU64,
    /// Seconds that the clock of this place is ahead of the machine's.
    ahead: AtomicI64,
    /// What comes first for the next requests, each with its method.
    planned: Mutex<VecDeque<(&'static str, Fate)>>,
    /// Out of a thousand requests, so many are answered badly.
    bad: AtomicU64,
    random: AtomicU64,
    /// Whether callers may list it; else they are told that what is missing is denied.
    is_listed: AtomicBool,
    log: Mutex<Vec<String>>,
}

impl Bucket {
    pub(crate) async fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let bucket = Self(Arc::new(State {
            address: format!("http://{}", listener.local_addr().unwrap()),
            objects: Mutex::default(),
            versions: AtomicU64::new(0),
            ahead: AtomicI64::new(0),
            planned: Mutex::default(),
            bad: AtomicU64::new(0),
            random: AtomicU64::new(1),
            is_listed: AtomicBool::new(true),
            log: Mutex::default(),
        }));
        let serving = bucket.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let bucket = serving.clone();
                tokio::spawn(async move { bucket.serve(stream).await });
            }
        });
        bucket
    }

    /// This bucket as a destination with the prefix `shop`.
    pub(crate) fn destination(&self) -> Destination {
        let credentials = Credentials::new("AKIA", "secret", None, None, "test");
        let config = aws_config::SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("eu-north-1"))
            .endpoint_url(self.0.address.clone())
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .build();
        let (bucket, prefix) = ("docs".to_owned(), "shop".to_owned());
        Destination::S3(S3::new(&config, bucket, prefix, Owner::Unchecked, None))
    }

    /// Sets the clock of this place.
    pub(crate) fn set_ahead(&self, seconds: i64) {
        self.0.ahead.store(seconds, Ordering::SeqCst);
    }

    /// The fate of the next request with this method.
    pub(crate) fn plan(&self, method: &'static str, fate: Fate) {
        self.0.planned.lock().unwrap().push_back((method, fate));
    }

    /// Of a thousand requests so many get any of the bad fates.
    pub(crate) fn be_bad(&self, per_mille: u64, seed: u64) {
        self.0.bad.store(per_mille, Ordering::SeqCst);
        self.0.random.store(seed, Ordering::SeqCst);
    }

    /// Callers may not list it.
    pub(crate) fn be_unlisted(&self) {
        self.0.is_listed.store(false, Ordering::SeqCst);
    }

    pub(crate) fn put(&self, key: &str, content: &[u8]) {
        self.keep(format!("shop/{key}"), content.to_owned());
    }

    pub(crate) fn content(&self, key: &str) -> Option<Vec<u8>> {
        let objects = self.0.objects.lock().unwrap();
        objects
            .get(&format!("shop/{key}"))
            .map(|kept| kept.content.clone())
    }

    pub(crate) fn remove(&self, key: &str) {
        self.0
            .objects
            .lock()
            .unwrap()
            .remove(&format!("shop/{key}"));
    }

    /// All requests so far, as `PUT 200`.
    pub(crate) fn log(&self) -> Vec<String> {
        self.0.log.lock().unwrap().clone()
    }

    fn now(&self) -> SystemTime {
        let ahead = self.0.ahead.load(Ordering::SeqCst);
        let by = Duration::from_secs(ahead.unsigned_abs());
        if ahead < 0 {
            SystemTime::now() - by
        } else {
            SystemTime::now() + by
        }
    }

    fn keep(&self, key: String, content: Vec<u8>) -> String {
        let version = self.0.versions.fetch_add(1, Ordering::SeqCst);
        let tag = format!("\"{version:032x}\"");
        let (written, kept_tag) = (self.now(), tag.clone());
        let kept = Kept {
            content,
            tag: kept_tag,
            written,
        };
        self.0.objects.lock().unwrap().insert(key, kept);
        tag
    }

    fn fate(&self, method: &str) -> Fate {
        let mut planned = self.0.planned.lock().unwrap();
        if planned.front().is_some_and(|(of, _)| *of == method) {
            return planned.pop_front().unwrap().1;
        }
        let random = |below: u64| {
            let old = self.0.random.load(Ordering::SeqCst);
            let mut new = old ^ (old << 13);
            new ^= new >> 7;
            new ^= new << 17;
            self.0.random.store(new, Ordering::SeqCst);
            (new >> 11) % below
        };
        if random(1000) >= self.0.bad.load(Ordering::SeqCst) {
            return Fate::Fair;
        }
        match random(4) {
            0 => Fate::Lost,
            1 => Fate::Dropped,
            2 if method == "PUT" => Fate::Refused(409, "ConditionalRequestConflict"),
            _ => Fate::Refused(503, "SlowDown"),
        }
    }

    async fn serve(&self, stream: TcpStream) -> Option<()> {
        let mut stream = BufReader::new(stream);
        loop {
            let request = Request::read(&mut stream).await?;
            let fate = self.fate(&request.method);
            let answer = match fate {
                Fate::Silent => std::future::pending().await,
                Fate::Dropped => None,
                Fate::Refused(status, code) => Some(refusal(status, code)),
                Fate::Fair | Fate::Lost => Some(self.answer(&request)),
            };
            let status = answer.as_ref().map_or(0, |(status, ..)| *status);
            let line = format!("{} {status}", request.method);
            self.0.log.lock().unwrap().push(line);
            let (status, headers, body) = answer.filter(|_| fate != Fate::Lost)?;
            let date = http_date(self.now());
            let head = format!(
                "HTTP/1.1 {status} Answer\r\nDate: {date}\r\nx-amz-request-id: 1\r\n{headers}\
                 Content-Length: {}\r\n\r\n",
                body.len()
            );
            stream.write_all(head.as_bytes()).await.ok()?;
            stream.write_all(&body).await.ok()?;
        }
    }

    fn answer(&self, request: &Request) -> (u16, String, Vec<u8>) {
        let key = request.path.split('?').next().unwrap_or_default();
        let key = key.trim_start_matches("/docs/").to_owned();
        let there = self.0.objects.lock().unwrap().get(&key).cloned();
        if request.method == "GET" {
            return match there {
                None if !self.0.is_listed.load(Ordering::SeqCst) => refusal(403, "AccessDenied"),
                None => refusal(404, "NoSuchKey"),
                Some(kept) => {
                    let written = http_date(kept.written);
                    let headers = format!("ETag: {}\r\nLast-Modified: {written}\r\n", kept.tag);
                    (200, headers, kept.content)
                }
            };
        }
        match (request.get("if-none-match"), request.get("if-match"), there) {
            (Some(_), _, Some(_)) => refusal(412, "PreconditionFailed"),
            (_, Some(_), None) => refusal(404, "NoSuchKey"),
            (_, Some(tag), Some(kept)) if tag != kept.tag => refusal(412, "PreconditionFailed"),
            _ => {
                let tag = self.keep(key, request.body.clone());
                (200, format!("ETag: {tag}\r\n"), Vec::new())
            }
        }
    }
}

fn refusal(status: u16, code: &str) -> (u16, String, Vec<u8>) {
    let body = format!("<Error><Code>{code}</Code><Message>{code}</Message></Error>");
    (
        status,
        "Content-Type: application/xml\r\n".to_owned(),
        body.into_bytes(),
    )
}

/// In whole seconds, as S3 has it.
fn http_date(time: SystemTime) -> String {
    let seconds = DateTime::from(time).secs();
    DateTime::from_secs(seconds)
        .fmt(DateTimeFormat::HttpDate)
        .unwrap()
}

struct Request {
    method: String,
    path: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Request {
    async fn read(stream: &mut BufReader<TcpStream>) -> Option<Self> {
        let mut line = String::new();
        if stream.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        let mut words = line.split(' ').map(str::to_owned);
        let mut request = Self {
            method: words.next()?,
            path: words.next()?,
            headers: Vec::new(),
            body: Vec::new(),
        };
        loop {
            let mut line = String::new();
            stream.read_line(&mut line).await.ok()?;
            let Some((name, value)) = line.trim_end().split_once(": ") else {
                break;
            };
            request
                .headers
                .push((name.to_ascii_lowercase(), value.to_owned()));
        }
        let length = request
            .get("content-length")
            .and_then(|length| length.parse().ok());
        request.body = vec![0; length.unwrap_or(0)];
        stream.read_exact(&mut request.body).await.ok()?;
        Some(request)
    }

    fn get(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }
}
