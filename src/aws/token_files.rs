//! Owns the tokens that the SDK reads from files, such as those of EKS: whoever has one gets the
//! role, so it must not reach a log or an artifact either.
//!
//! Never sends a token and never complains: a file that cannot be read is for the SDK to tell.

use std::path::Path;

use crate::config::{Variables, variable};
use crate::regular_file;
use crate::secret::Secret;

/// Those for a container's credentials, and for a role.
const FILES: [&str; 2] = [
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
];
/// A token has one or two thousand bytes.
const LONGEST: u64 = 64 * 1024;

/// The tokens as the files hold them now, each with the variable that names its file.
pub(crate) fn tokens(variables: &Variables) -> Vec<(String, Secret)> {
    let read = |name: &str| {
        let path = Path::new(variable(variables, name)?);
        let token = regular_file::read(path, LONGEST).ok()?;
        Some((name.to_owned(), Secret::new(token)))
    };
    FILES.into_iter().filter_map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_read_from_a_file_and_from_nothing_else() {
        let directory = tempfile::tempdir().unwrap();
        let place = |name: &str| directory.path().join(name);
        std::fs::write(place("token"), "eyJ-a-token\n").unwrap();
        std::fs::write(place("endless"), vec![b'x'; 1 << 20]).unwrap();
        nix::unistd::mkfifo(&place("fifo"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        for (file, length) in [
            ("token", Some(12)),
            ("endless", None),
            ("fifo", None),
            ("missing", None),
            (".", None),
        ] {
            for name in FILES {
                let variables = Variables::from([(name.into(), place(file).into())]);
                let found: Vec<_> = tokens(&variables);
                let lengths: Vec<usize> = found.iter().map(|(_, token)| token.len()).collect();
                assert_eq!(lengths, Vec::from_iter(length), "{file}");
                assert!(found.iter().all(|(found, _)| found == name));
            }
        }
        assert!(tokens(&Variables::new()).is_empty());
    }
}
