//! Owns the files of the AWS CLI, `~/.aws/config` and `~/.aws/credentials`: where they are, and
//! what they say as the AWS CLI reads them.
//!
//! Never decides which profile counts: that is the SDK's, which gets the files as texts in the one
//! form that it takes. Its own reading wants keys without indentation, `=` and names without
//! blanks, waits for a silent file system in the way of every signal, and reads a pipe twice.

use std::fmt::Write as _;
use std::io::{self, ErrorKind, Read as _};
use std::path::{Path, PathBuf};

use aws_runtime::env_config::file::{EnvConfigFileKind, EnvConfigFiles};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use super::variables::SdkVariables;
use super::words::innermost;

/// What the SDK takes in a name beside letters and digits.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'_')
    .remove(b'-')
    .remove(b'/')
    .remove(b'.')
    .remove(b'%')
    .remove(b'@')
    .remove(b':')
    .remove(b'+');

/// Nobody writes a larger file by hand.
const LARGEST: u64 = 16 << 20;

/// Keys whose value is the name of another section.
const REFERENCES: [&str; 3] = ["source_profile", "sso_session", "services"];

const FILES: [(&str, &str, EnvConfigFileKind); 2] = [
    (
        "AWS_CONFIG_FILE",
        "~/.aws/config",
        EnvConfigFileKind::Config,
    ),
    (
        "AWS_SHARED_CREDENTIALS_FILE",
        "~/.aws/credentials",
        EnvConfigFileKind::Credentials,
    ),
];

/// A file that is there and keeps what it holds to itself.
#[derive(Debug, Clone)]
pub(super) struct Unread {
    pub(super) path: PathBuf,
    pub(super) reason: String,
}

/// The files as the SDK takes them, and those that cannot be read: like the AWS CLI, a run goes on
/// without them, as long as it finds all it needs elsewhere. What is no file of that kind is a
/// fault that names the line and shows nothing of it.
pub(super) async fn read(
    variables: &SdkVariables,
) -> Result<(EnvConfigFiles, Option<Unread>), Vec<String>> {
    let mut files = EnvConfigFiles::builder();
    let (mut unread, mut faults) = (None, Vec::new());
    for (variable, default, kind) in FILES {
        let path = variables.get(variable).map_or(default, String::as_str);
        let path = expanded(path, variables);
        let wanted = path.clone();
        // A signal must not wait for a file system or a pipe.
        let content = tokio::task::spawn_blocking(move || content_of(&wanted)).await;
        let content = match content.unwrap_or_else(|error| Err(error.into())) {
            Ok(content) => String::from_utf8_lossy(&content).into_owned(),
            Err(source) => {
                if source.kind() != ErrorKind::NotFound {
                    let reason = innermost(&source);
                    unread = Some(Unread { path, reason });
                }
                continue;
            }
        };
        match normal(&content, matches!(kind, EnvConfigFileKind::Config)) {
            Ok(content) => files = files.with_contents(kind, content),
            Err((line, what)) => faults.push(format!("{}:{line}: {what}", path.display())),
        }
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    // The SDK wants one at least.
    Ok((
        files.with_contents(EnvConfigFileKind::Config, "").build(),
        unread,
    ))
}

/// A pipe is as good as a file, as long as it ends.
fn content_of(path: &Path) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    let file = std::fs::File::open(path)?;
    file.take(LARGEST + 1).read_to_end(&mut content)?;
    if content.len() as u64 > LARGEST {
        return Err(io::Error::other("it is larger than 16 MiB"));
    }
    Ok(content)
}

/// A name as the SDK knows it.
pub(super) fn encoded(name: &str) -> String {
    utf8_percent_encode(name, PLAIN).to_string()
}

/// The name as the files have it.
pub(super) fn decoded(name: &str) -> String {
    percent_decode_str(name).decode_utf8_lossy().into_owned()
}

/// `$HOME/x`, `${HOME}/x` and `~/x` mean the same. A variable that is not set stays as it is.
fn expanded(path: &str, variables: &SdkVariables) -> PathBuf {
    let (mut whole, mut rest) = (String::new(), path);
    while let Some((before, after)) = rest.split_once('$') {
        let is_name = |character: char| character.is_ascii_alphanumeric() || character == '_';
        let end = after.find(|character| !is_name(character));
        let bare = after.split_at(end.unwrap_or(after.len()));
        let braced = after
            .strip_prefix('{')
            .and_then(|rest| rest.split_once('}'));
        let (name, left) = braced.unwrap_or(bare);
        whole.push_str(before);
        if let Some(value) = variables.get(name) {
            whole.push_str(value);
        } else {
            whole.push('$');
            whole.push_str(&after[..after.len() - left.len()]);
        }
        rest = left;
    }
    whole.push_str(rest);
    match (whole.strip_prefix('~'), variables.get("HOME")) {
        (Some(rest), Some(home)) if rest.is_empty() || rest.starts_with('/') => {
            PathBuf::from(format!("{home}{rest}"))
        }
        _ => whole.into(),
    }
}

/// The same sections, keys and values as Python's `configparser` finds them, one to a line. The
/// error is a line and what is wrong with it.
fn normal(content: &str, is_config: bool) -> Result<String, (usize, &'static str)> {
    let mut out = String::new();
    let (mut in_section, mut key_indent, mut is_nested) = (false, None, false);
    let content = content.trim_start_matches('\u{feff}');
    for (index, line) in content.lines().enumerate() {
        let text = line.trim();
        let refused = |what| Err((index + 1, what));
        if text.is_empty() || text.starts_with(['#', ';']) {
            continue;
        }
        let indent = line.chars().take_while(|char| char.is_whitespace()).count();
        if key_indent.is_some_and(|of_key| indent > of_key) {
            if is_nested && !text.contains('=') {
                return refused("is not key = value");
            }
            let _ = writeln!(out, "  {text}");
            continue;
        }
        let header = text
            .strip_prefix('[')
            .and_then(|rest| rest.rsplit_once(']'));
        if let Some((name, _)) = header {
            let _ = writeln!(out, "[{}]", section(name, is_config));
            (in_section, key_indent) = (true, None);
            continue;
        }
        if !in_section {
            return refused("stands before the first [section]");
        }
        let pair = text
            .split_once(['=', ':'])
            .map(|(key, value)| (key.trim(), value.trim()));
        let Some((key, value)) = pair.filter(|(key, _)| !key.is_empty()) else {
            return refused("is neither a [section] nor key = value");
        };
        let key = match key.to_ascii_lowercase().as_str() {
            // What boto called it, which the AWS CLI still takes.
            "aws_security_token" => "aws_session_token".to_owned(),
            key => key.to_owned(),
        };
        let value = if REFERENCES.contains(&key.as_str()) {
            encoded(value)
        } else {
            value.to_owned()
        };
        let _ = writeln!(out, "{key} = {value}");
        (key_indent, is_nested) = (Some(indent), value.is_empty());
    }
    Ok(out)
}

/// `profile "my dev"` of the config file, `my dev` of the credentials file.
fn section(name: &str, is_config: bool) -> String {
    let name = name.trim();
    match name.split_once(char::is_whitespace).filter(|_| is_config) {
        Some((kind, name)) => {
            let name = name.trim();
            let quoted = ['"', '\''].iter().find_map(|quote| {
                let name = name.strip_prefix(*quote)?;
                name.strip_suffix(*quote)
            });
            format!("{kind} {}", encoded(quoted.unwrap_or(name)))
        }
        None => encoded(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each as botocore 1.44 reads it.
    #[test]
    fn files_become_what_the_sdk_takes() {
        for (content, expected) in [
            ("[profile a]\nregion = x\n", "[profile a]\nregion = x\n"),
            ("[profile a]\r\nregion=x\r\n", "[profile a]\nregion = x\n"),
            ("\u{feff}[default]\nregion: x\n", "[default]\nregion = x\n"),
            (
                "[profile a]\n  region = x\n  output = y\n",
                "[profile a]\nregion = x\noutput = y\n",
            ),
            (
                "[profile a]\n\tREGION = x\n\toutput = y\n",
                "[profile a]\nregion = x\noutput = y\n",
            ),
            (
                "  [profile a] ; c\nregion = x\n",
                "[profile a]\nregion = x\n",
            ),
            (
                "# c\n; d\n[default]\n\n# e\nregion = x\n",
                "[default]\nregion = x\n",
            ),
            (
                "[default]\ns3 =\n  addressing_style = path\nregion = x\n",
                "[default]\ns3 = \n  addressing_style = path\nregion = x\n",
            ),
            (
                "[services a]\n  glue =\n    endpoint_url = http://h\n\n  s3 =\n    x = y\n",
                "[services a]\nglue = \n  endpoint_url = http://h\ns3 = \n  x = y\n",
            ),
            (
                "[profile \"my dev\"]\nsource_profile = the other\n",
                "[profile my%20dev]\nsource_profile = the%20other\n",
            ),
            (
                "[profile 'a']\nsso_session = b c\n",
                "[profile a]\nsso_session = b%20c\n",
            ),
            (
                "[default]\naws_security_token = t\n",
                "[default]\naws_session_token = t\n",
            ),
            ("", ""),
        ] {
            assert_eq!(
                normal(content, true).as_deref(),
                Ok(expected),
                "{content:?}"
            );
        }
        assert_eq!(normal("[my dev]\n", false).as_deref(), Ok("[my%20dev]\n"));
    }

    #[test]
    fn what_is_no_such_file_is_named_by_its_line() {
        for (content, line) in [
            ("region = x\n", 1),
            ("[default]\n\nregion x\n", 3),
            ("[default\nregion = x\n", 1),
            ("[default]\n= SENTINEL\n", 2),
            ("[default]\ns3 =\n  SENTINEL\n", 3),
        ] {
            let (found, what) = normal(content, true).unwrap_err();
            assert_eq!(found, line, "{content:?}");
            assert!(!what.contains("SENTINEL"));
        }
    }

    #[test]
    fn variables_and_the_home_directory_are_put_into_a_path() {
        let pairs = [("HOME", "/home/a"), ("X", "x")];
        let variables = pairs
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into();
        for (path, expected) in [
            ("~/.aws/config", "/home/a/.aws/config"),
            ("~", "/home/a"),
            ("~other/c", "~other/c"),
            ("$HOME/c", "/home/a/c"),
            ("${HOME}/$X/c$X", "/home/a/x/cx"),
            ("/a/$NOPE/${NOPE}/$", "/a/$NOPE/${NOPE}/$"),
            ("/plain", "/plain"),
        ] {
            assert_eq!(
                expanded(path, &variables),
                PathBuf::from(expected),
                "{path}"
            );
        }
    }

    #[test]
    fn a_name_is_shown_as_it_was_written() {
        for name in ["dev", "my dev", "a%b", "é:/@+.-_"] {
            assert_eq!(decoded(&encoded(name)), name);
        }
    }
}
