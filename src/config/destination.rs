//! Owns the settings of publishing: when, where to, whose bucket, how encrypted.
//!
//! Never asks whether the place exists.

use std::path::PathBuf;

use url::Url;

use super::access_point;
use super::layers::Layers;
use super::origin::Origin;
use super::{Config, Publish};
use crate::setting;

/// Where artifacts go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Location {
    /// `prefix` has no slash at either end and may be empty.
    S3 {
        bucket: String,
        prefix: String,
        /// What the user says.
        owner: Option<String>,
        /// The user has not named the bucket either.
        is_derived: bool,
        encryption: Option<Encryption>,
    },
    /// Absolute.
    Directory(PathBuf),
}

/// What S3 is asked to encrypt an object with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Encryption {
    Aes256,
    /// With the bucket's or account's key where none is named.
    Kms(Option<String>),
}

impl std::fmt::Display for Location {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::S3 { bucket, prefix, .. } if prefix.is_empty() => {
                write!(formatter, "s3://{bucket}")
            }
            Self::S3 { bucket, prefix, .. } => write!(formatter, "s3://{bucket}/{prefix}"),
            Self::Directory(path) => write!(formatter, "file://{}", path.display()),
        }
    }
}

#[derive(Debug, Clone, Copy)]
enum When {
    Never,
    OnSuccess,
    Always,
}

/// The settings of publishing, each value for itself.
#[derive(Debug)]
struct Wish {
    /// `None` where the default applies.
    when: Option<When>,
    destination: Option<Result<Location, String>>,
    owner: Option<String>,
    encryption: Option<Encryption>,
}

/// Checks the settings of publishing without resolving them.
pub(super) fn check(layers: &Layers, faults: &mut Vec<String>) {
    let wish = wish(layers, faults);
    faults.extend(wish.destination.and_then(Result::err));
}

pub(super) fn resolve(layers: &Layers, config: &Config, faults: &mut Vec<String>) -> Publish {
    let Wish {
        when,
        destination,
        owner,
        encryption,
    } = wish(layers, faults);
    let by_default = if config.is_deployment() || destination.is_some() {
        When::OnSuccess
    } else {
        When::Never
    };
    let even_after_failure = match when.unwrap_or(by_default) {
        When::Never => None,
        When::OnSuccess => Some(false),
        When::Always => Some(true),
    };
    let location = match destination {
        Some(location) => location,
        None if even_after_failure.is_some() => derived(layers, config),
        None => return Publish::Never,
    };
    match (location, even_after_failure) {
        (
            Ok(Location::S3 {
                bucket,
                prefix,
                is_derived,
                ..
            }),
            Some(even_after_failure),
        ) => Publish::To {
            even_after_failure,
            location: Location::S3 {
                bucket,
                prefix,
                is_derived,
                owner,
                encryption,
            },
        },
        (Ok(location), Some(even_after_failure)) => Publish::To {
            even_after_failure,
            location,
        },
        (Ok(_), None) => Publish::Never,
        (Err(fault), _) => {
            faults.push(fault);
            Publish::Never
        }
    }
}

fn wish(layers: &Layers, faults: &mut Vec<String>) -> Wish {
    let publish = layers.text(&setting::PUBLISH, faults);
    let destination = layers.text(&setting::DESTINATION, faults);
    Wish {
        when: publish.map(|given| match given.value.as_str() {
            "never" => When::Never,
            "on-success" => When::OnSuccess,
            "always" => When::Always,
            other => {
                faults.push(given.fault(format!("{other:?} is not on-success, always or never")));
                When::Never
            }
        }),
        destination: destination.map(|given| parse(&given.value).map_err(|what| given.fault(what))),
        owner: owner(layers, faults),
        encryption: encryption(layers, faults),
    }
}

/// What every object of a run is written with, as far as the settings say it.
pub(super) fn owner_and_encryption(
    layers: &Layers,
    faults: &mut Vec<String>,
) -> (Option<String>, Option<Encryption>) {
    (owner(layers, faults), encryption(layers, faults))
}

/// The bucket and the key of one object.
pub(super) fn object(address: &str) -> Result<(String, String), String> {
    match parse(address)? {
        Location::S3 { bucket, prefix, .. } if !prefix.is_empty() && !address.ends_with('/') => {
            Ok((bucket, prefix))
        }
        _ => Err(format!(
            "{address:?} names no object; write s3://bucket/key"
        )),
    }
}

/// `s3://dbt-documentation-$ENV/$PROJECT_NAME`. A fault names the setting that makes it impossible.
fn derived(layers: &Layers, config: &Config) -> Result<Location, String> {
    let bucket = format!("dbt-documentation-{}", config.env);
    // A missing name is reported elsewhere.
    let prefix = config.project_name.clone().unwrap_or_default();
    let origin = match layers.origin(&setting::ENV, "") {
        Origin::Default(_) => Origin::Variable("ENV".to_owned()),
        origin => origin,
    };
    let remedy = "; change it or set --destination";
    check_new(&bucket).map_err(|what| format!("{origin}: {what}{remedy}"))?;
    let origin = layers.origin(&setting::PROJECT_NAME, "name in dbt_project.yml");
    check_prefix(&prefix).map_err(|what| format!("{origin}: {what}{remedy}"))?;
    Ok(Location::S3 {
        bucket,
        prefix: prefix.trim_matches('/').to_owned(),
        owner: None,
        is_derived: true,
        encryption: None,
    })
}

fn parse(text: &str) -> Result<Location, String> {
    if may_hold_a_login(text) {
        return Err(
            "the value (not shown) seems to hold credentials: an '@' or ':' stands where the \
             bucket should be; write s3://bucket/prefix, and put credentials into AWS's own \
             variables or files"
                .to_owned(),
        );
    }
    if let Some(part) = unexpanded(text) {
        return Err(format!(
            "{text:?} holds {part}, which is not expanded here; write its value instead"
        ));
    }
    if let Some(rest) = text.strip_prefix("s3://") {
        // Not through the URL parser: a key may hold what a URL would escape, and a bucket is not a
        // host name.
        let (bucket, prefix) = if let Some(split) = access_point::split(rest) {
            split?
        } else {
            let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
            check_existing(bucket)?;
            (bucket, prefix)
        };
        let prefix = prefix.trim_end_matches('/');
        check_prefix(prefix)?;
        return Ok(Location::S3 {
            bucket: bucket.to_owned(),
            prefix: prefix.to_owned(),
            owner: None,
            is_derived: false,
            encryption: None,
        });
    }
    if text.starts_with("file:") {
        if text.contains(['?', '#']) {
            return Err(format!(
                "{text:?} holds '?' or '#'; write %3F or %23 for them"
            ));
        }
        let path = Url::parse(text)
            .ok()
            .filter(|_| text.starts_with("file:///"))
            .and_then(|url| url.to_file_path().ok());
        return path
            .map(Location::Directory)
            .ok_or_else(|| format!("{text:?} is not file:///absolute/directory"));
    }
    Err(format!(
        "{text:?} is neither s3://bucket/prefix nor file:///directory"
    ))
}

/// `s3://KEY:SECRET@bucket`, as other tools take it: such a value is not repeated in a message. Not
/// every secret key ends where a slash does.
fn may_hold_a_login(text: &str) -> bool {
    let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
    let authority = rest.split('/').next().unwrap_or_default();
    !authority.starts_with("arn:") && authority.contains(['@', ':']) && rest.contains('@')
}

/// What a shell or Jinja would have replaced. A key may be called so, but nobody means it.
fn unexpanded(text: &str) -> Option<&'static str> {
    let begins_name = |rest: &str| {
        rest.starts_with(|first: char| first.is_ascii_alphabetic() || "_{(".contains(first))
    };
    if text.contains("{{") {
        return Some("{{ … }}");
    }
    let is_variable = text.split('$').skip(1).any(begins_name);
    is_variable.then_some("a variable after '$'")
}

/// The rules that S3 has ever had: in us-east-1 there are old buckets with upper case, underscores
/// and long names. An alias of an access point and a directory bucket have names of their own.
fn check_existing(name: &str) -> Result<(), String> {
    let impossible = |why: &str| Err(format!("{name:?} is not a valid bucket name: {why}"));
    let is_plain = |character: char| character.is_ascii_alphanumeric();
    if !(3..=255).contains(&name.len()) {
        return impossible("it must have 3 to 63 characters, or 255 in us-east-1");
    }
    let is_allowed = |character| is_plain(character) || matches!(character, '-' | '.' | '_');
    if !name.chars().all(is_allowed) {
        return impossible("only letters, digits, hyphens, dots and underscores are allowed");
    }
    if !name.starts_with(is_plain) || name.parse::<std::net::Ipv4Addr>().is_ok() {
        return impossible("it must begin with a letter or digit and not be an IP address");
    }
    Ok(())
}

/// The rules of S3 for general purpose buckets that are yet to be made.
fn check_new(name: &str) -> Result<(), String> {
    let impossible = |why: &str| Err(format!("{name:?} is not a valid bucket name: {why}"));
    let is_plain = |character: char| character.is_ascii_lowercase() || character.is_ascii_digit();
    if !(3..=63).contains(&name.len()) {
        return impossible("it must have 3 to 63 characters");
    }
    if !name
        .chars()
        .all(|character| is_plain(character) || matches!(character, '-' | '.'))
    {
        return impossible("only lower-case letters, digits, hyphens and dots are allowed");
    }
    if !name.starts_with(is_plain) || !name.ends_with(is_plain) {
        return impossible("it must begin and end with a letter or digit");
    }
    if name.contains("..") || name.parse::<std::net::Ipv4Addr>().is_ok() {
        return impossible("it must not hold two dots in a row or be an IP address");
    }
    if ["xn--", "sthree-", "amzn-s3-demo-"]
        .iter()
        .any(|prefix| name.starts_with(prefix))
        || ["-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3"]
            .iter()
            .any(|suffix| name.ends_with(suffix))
    {
        return impossible("AWS reserves this beginning or end");
    }
    Ok(())
}

fn check_prefix(prefix: &str) -> Result<(), String> {
    if prefix.chars().any(char::is_control) || prefix.len() > 800 {
        return Err("the prefix holds a control character or is longer than 800 bytes".to_owned());
    }
    if prefix.split('/').any(|part| matches!(part, "." | ".."))
        || prefix.starts_with('/')
        || prefix.contains("//")
    {
        return Err(format!(
            "the prefix {prefix:?} holds an empty part, '.' or '..'"
        ));
    }
    Ok(())
}

fn owner(layers: &Layers, faults: &mut Vec<String>) -> Option<String> {
    let given = layers.text(&setting::BUCKET_OWNER, faults)?;
    if given.value.len() == 12 && given.value.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(given.value);
    }
    faults.push(given.fault(format!(
        "{:?} is not a 12-digit account ID (in YAML, put it in quotes)",
        given.value
    )));
    None
}

fn encryption(layers: &Layers, faults: &mut Vec<String>) -> Option<Encryption> {
    let given = layers.text(&setting::SSE, faults)?;
    match given.value.as_str() {
        "AES256" => return Some(Encryption::Aes256),
        "aws:kms" => return Some(Encryption::Kms(None)),
        other => {
            if let Some(key) = other.strip_prefix("aws:kms:").filter(|key| !key.is_empty()) {
                return Some(Encryption::Kms(Some(key.to_owned())));
            }
        }
    }
    faults.push(given.fault(format!(
        "{:?} is not AES256, aws:kms or aws:kms:KEY",
        given.value
    )));
    None
}
