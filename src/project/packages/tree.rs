//! Owns the hash of all that a directory holds.
//!
//! Never follows a link below the directory, and leaves out `.git`: the same files make the same
//! hash, whoever put them there.

use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use sha2::{Digest as _, Sha256};
use walkdir::WalkDir;

/// In hex. Fails where anything cannot be read.
pub(super) fn hash(directory: &Path) -> io::Result<String> {
    let mut hash = Sha256::new();
    // Each part with its length, so that no two lists of parts are the same bytes.
    let mut add = |part: &[u8]| {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    };
    let entries = WalkDir::new(directory)
        .min_depth(1)
        .sort_by_file_name()
        .into_iter()
        .filter_entry(|entry| entry.file_name() != ".git");
    for entry in entries {
        let entry = entry?;
        let below = entry.path().strip_prefix(directory);
        add(below.map_err(io::Error::other)?.as_os_str().as_bytes());
        if entry.path_is_symlink() {
            add(b"link");
            add(std::fs::read_link(entry.path())?.as_os_str().as_bytes());
        } else if entry.file_type().is_dir() {
            add(b"directory");
        } else if entry.file_type().is_file() {
            add(b"file");
            add(&of_file(entry.path())?);
        } else {
            return Err(io::Error::other("neither a file, a link nor a directory"));
        }
    }
    Ok(hex::encode(hash.finalize()))
}

fn of_file(path: &Path) -> io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    let mut hash = Sha256::new();
    let mut buffer = [0; 1 << 14];
    loop {
        match io::Read::read(&mut file, &mut buffer)? {
            0 => return Ok(hash.finalize().to_vec()),
            length => hash.update(&buffer[..length]),
        }
    }
}
