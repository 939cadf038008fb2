//! Owns how a file is read that a step could have put there: only a regular one, only so much of
//! it, and without waiting. A FIFO would hold up the run, and no signal would be heard.
//!
//! Never reads settings: a user may well hand those over through a pipe.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use nix::fcntl::OFlag;

/// Nobody writes a larger file by hand.
const LARGEST_TEXT: u64 = 16 << 20;

/// Opens it, through links as well.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    let file = options
        .read(true)
        .custom_flags(OFlag::O_NONBLOCK.bits())
        .open(path)?;
    if file.metadata()?.is_file() {
        Ok(file)
    } else {
        Err(io::Error::other("it is not a regular file"))
    }
}

/// All of it. More than the limit is an error.
pub(crate) fn read(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    open(path)?.take(limit + 1).read_to_end(&mut content)?;
    if content.len() as u64 > limit {
        return Err(io::Error::other(format!("it is larger than {limit} bytes")));
    }
    Ok(content)
}

/// A text of a size that people write.
pub(crate) fn read_text(path: &Path) -> io::Result<String> {
    String::from_utf8(read(path, LARGEST_TEXT)?).map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_file_or_has_no_end_is_an_error_at_once() {
        let directory = tempfile::tempdir().unwrap();
        let place = |name: &str| directory.path().join(name);
        std::fs::write(place("file"), "text").unwrap();
        std::os::unix::fs::symlink("file", place("link")).unwrap();
        std::fs::write(place("bytes"), b"\xff").unwrap();
        let large = File::create(place("large")).unwrap();
        large.set_len(1 << 40).unwrap();
        nix::unistd::mkfifo(&place("fifo"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        for (name, expected) in [
            ("file", Ok("text")),
            ("link", Ok("text")),
            ("bytes", Err("invalid utf-8")),
            ("large", Err("larger than")),
            ("fifo", Err("not a regular file")),
            (".", Err("not a regular file")),
            ("missing", Err("No such file")),
        ] {
            let read = read_text(&place(name)).map_err(|error| error.to_string());
            match (&read, expected) {
                (Ok(text), Ok(expected)) => assert_eq!(text, expected),
                (Err(error), Err(expected)) => assert!(error.contains(expected), "{error}"),
                other => panic!("{name}: {other:?}"),
            }
        }
    }
}
