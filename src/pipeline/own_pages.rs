//! Owns the memory that the runner's own code takes: while a step runs, the runner does little but
//! wait.
//!
//! Never touches anything that cannot be read again from the program's file.

use std::ops::Range;

use nix::libc;

/// Gives back the pages of the program itself. The kernel maps those that are still needed again
/// from its cache, a few at a time.
///
/// Asking AWS and publishing take megabytes of code, which would only be held while dbt needs the
/// memory.
#[expect(unsafe_code, reason = "a mapping is only a range of numbers")]
pub(super) fn give_back() {
    if !cfg!(target_os = "linux") {
        return;
    }
    let (Ok(maps), Ok(program)) = (
        std::fs::read_to_string("/proc/self/smaps"),
        std::env::current_exe(),
    ) else {
        return;
    };
    for range in unchanged(&maps, &program.to_string_lossy()) {
        // SAFETY: a mapping of this process that is backed by a file and was never written to. The
        // next access reads the same bytes from the file.
        unsafe {
            // If it fails, nothing changes.
            libc::madvise(
                range.start as *mut libc::c_void,
                range.len(),
                libc::MADV_DONTNEED,
            );
        }
    }
}

/// Where that file's code and constants are mapped and no page differs from the file, as those do
/// that were relocated.
fn unchanged(maps: &str, file: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut place = None;
    for line in maps.lines() {
        // `from-to rights offset device inode path` is followed by lines such as `Anonymous:  0
        // kB`.
        let is_none = |size: &str| size.trim() == "0 kB";
        if let Some(size) = line.strip_prefix("Anonymous:") {
            place = place.filter(|_| is_none(size));
        } else if let Some(size) = line.strip_prefix("Swap:") {
            // The last that tells: a page that differs may be there, or be swapped out.
            found.extend(place.take().filter(|_| is_none(size)));
        } else if !line
            .split(' ')
            .next()
            .is_some_and(|word| word.ends_with(':'))
        {
            let words: Vec<_> = line.splitn(6, ' ').collect();
            place = match words[..] {
                [range, "r-xp" | "r--p", _, _, _, path] if path.trim_start() == file => {
                    addresses(range)
                }
                _ => None,
            };
        }
    }
    found
}

fn addresses(range: &str) -> Option<Range<usize>> {
    let (from, to) = range.split_once('-')?;
    let number = |text| usize::from_str_radix(text, 16).ok();
    Some(number(from)?..number(to)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAPS: &str = "\
1000-3000 r--p 00000000 fe:00 17                         /app/it
Anonymous:             0 kB
Swap:                  0 kB
3000-5000 r-xp 00002000 fe:00 17                         /app/it
Rss:                   8 kB
Anonymous:             0 kB
Swap:                  0 kB
5000-6000 r--p 00004000 fe:00 17                         /app/it
Anonymous:             4 kB
Swap:                  0 kB
5000-6000 r--p 00004000 fe:00 17                         /app/it
Anonymous:             0 kB
Swap:                  4 kB
6000-7000 rw-p 00005000 fe:00 17                         /app/it
Anonymous:             0 kB
Swap:                  0 kB
7000-8000 r-xp 00000000 fe:00 18                         /lib/another
Anonymous:             0 kB
Swap:                  0 kB
8000-9000 r--p 00000000 fe:00 17                         /app/it
9000-a000 r--p 00000000 00:00 0
Anonymous:             0 kB
Swap:                  0 kB
a000-b000 r-xp 00000000 00:00 0                          [vdso]
Anonymous:             0 kB
Swap:                  0 kB
";

    #[test]
    fn only_what_is_as_in_the_file_is_given_back() {
        assert_eq!(unchanged(MAPS, "/app/it"), [0x1000..0x3000, 0x3000..0x5000]);
        assert!(unchanged(MAPS, "/app/other").is_empty());
        assert!(
            unchanged(
                "nonsense\n-  r-xp a b c /app/it\nAnonymous: 0 kB",
                "/app/it"
            )
            .is_empty()
        );
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn what_is_given_back_is_read_again() {
        let resident = || {
            let maps = std::fs::read_to_string("/proc/self/smaps").unwrap();
            let program = std::env::current_exe().unwrap();
            let mut lines = maps.lines().skip_while(|line| {
                !(line.contains(" r-xp ") && line.ends_with(&*program.to_string_lossy()))
            });
            lines
                .find_map(|line| {
                    line.strip_prefix("Rss:")?
                        .trim_end_matches("kB")
                        .trim()
                        .parse::<u64>()
                        .ok()
                })
                .unwrap()
        };
        // A lot of code that is needed once.
        let _ = <crate::cli::Cli as clap::CommandFactory>::command().render_long_help();
        let before = resident();
        give_back();
        let after = resident();
        assert!(after < before, "{before} kB before, {after} kB after");
        // And it goes on.
        assert_eq!(unchanged(MAPS, "/app/it").len(), 2);
    }
}
