//! Owns what the runner holds in memory of its own program: by the first step it has done most of what it will ever do.
//!
//! Never touches anything that cannot be read again from the program's file.

use std::ops::Range;

use nix::libc;

/// Gives back the pages of the program itself. What is still needed, the kernel maps again from its cache, a few pages at a time.
///
/// AWS has been asked by then, and what follows is little: while dbt runs, most of these pages would only be held.
#[expect(unsafe_code, reason = "a mapping is only a range of numbers")]
pub(super) fn give_back() {
    if !cfg!(target_os = "linux") {
        return;
    }
    let (Ok(maps), Ok(program)) = (std::fs::read_to_string("/proc/self/smaps"), std::env::current_exe()) else { return };
    for range in unchanged(&maps, &program.to_string_lossy()) {
        // SAFETY: a mapping of this process that is backed by a file and was never written to. The next access reads the same bytes
        // from the file.
        unsafe {
            // Where it fails, all stays as it is.
            libc::madvise(range.start as *mut libc::c_void, range.len(), libc::MADV_DONTNEED);
        }
    }
}

/// Where that file's code is mapped and no page differs from the file.
fn unchanged(maps: &str, file: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut code = None;
    for line in maps.lines() {
        let words: Vec<_> = line.splitn(6, ' ').collect();
        // `from-to rights offset device inode path` is followed by lines such as `Anonymous:  0 kB`.
        if let [range, "r-xp", _, _, _, path] = words[..] {
            code = (path.trim_start() == file).then(|| addresses(range)).flatten();
        } else if words.len() == 6 && !words[0].ends_with(':') {
            code = None;
        } else if let Some(size) = line.strip_prefix("Anonymous:")
            && size.trim() == "0 kB"
        {
            found.extend(code.take());
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
3000-5000 r-xp 00002000 fe:00 17                         /app/it
Rss:                   8 kB
Anonymous:             0 kB
5000-6000 r-xp 00004000 fe:00 17                         /app/it
Anonymous:             4 kB
7000-8000 r-xp 00000000 fe:00 18                         /lib/another
Anonymous:             0 kB
8000-9000 rw-p 00000000 00:00 0 
Anonymous:             0 kB
9000-a000 r-xp 00000000 00:00 0                          [vdso]
Anonymous:             0 kB
";

    #[test]
    fn only_code_of_the_file_that_nobody_has_written_to_is_given_back() {
        assert_eq!(unchanged(MAPS, "/app/it"), [0x3000..0x5000]);
        assert!(unchanged(MAPS, "/app/other").is_empty());
        assert!(unchanged("nonsense\n-  r-xp a b c /app/it\nAnonymous: 0 kB", "/app/it").is_empty());
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn what_is_given_back_is_read_again() {
        let resident = || {
            let maps = std::fs::read_to_string("/proc/self/smaps").unwrap();
            let program = std::env::current_exe().unwrap();
            let mut lines = maps.lines().skip_while(|line| !(line.contains(" r-xp ") && line.ends_with(&*program.to_string_lossy())));
            lines.find_map(|line| line.strip_prefix("Rss:")?.trim_end_matches("kB").trim().parse::<u64>().ok()).unwrap()
        };
        let before = resident();
        give_back();
        let after = resident();
        assert!(after < before, "{before} kB before, {after} kB after");
        // And it goes on.
        assert_eq!(unchanged(MAPS, "/app/it").len(), 1);
    }
}
