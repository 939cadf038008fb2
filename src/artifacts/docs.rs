//! Owns which docs a run publishes: each new or changed file; of a site whose page is new, all its
//! files.
//!
//! Never reads their content.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::PAGE;
use super::found::Found;
use super::layout::{self, Layout};

/// The docs as they were before the first step.
#[derive(Debug)]
pub(super) struct Docs {
    target: PathBuf,
    layout: Layout,
    before: Found,
    /// Of the site, where it is written elsewhere.
    site_before: Found,
}

impl Docs {
    pub(super) fn before(target: &Path, layout: Layout) -> Self {
        let site = layout.site().map(|site| site_below(site, &layout));
        Self {
            target: target.to_owned(),
            before: Found::below(target, |path| layout.is_doc(path)),
            site_before: site.unwrap_or_default(),
            layout,
        }
    }

    /// What this run wrote, each path below its directory; a site that was written elsewhere comes
    /// last, and wins.
    pub(super) fn written(&self) -> Vec<(PathBuf, PathBuf)> {
        let site = self.layout.site();
        let found = Found::below(&self.target, |path| {
            let is_site = site.is_some_and(|site| {
                !self.target.starts_with(site) && self.target.join(path).starts_with(site)
            });
            self.layout.is_doc(path) && !is_site
        });
        let written = found.written_since(&self.before);
        let has_page = written.contains(&Path::new(PAGE));
        let parts = found
            .all()
            .filter(|path| has_page && self.layout.is_part_of_site(path));
        let new: BTreeSet<&Path> = written
            .iter()
            .copied()
            .filter(|path| has_page || !self.layout.is_part_of_site(path))
            .chain(parts)
            .collect();
        let mut files = below(&self.target, new);
        if let Some(site) = site {
            let found = site_below(site, &self.layout);
            if found
                .written_since(&self.site_before)
                .contains(&Path::new(PAGE))
            {
                files.extend(below(site, found.all()));
            }
        }
        files
    }
}

/// The files of a site that was written elsewhere: all, unless its directory holds more.
fn site_below(site: &Path, layout: &Layout) -> Found {
    let is_shared = holds_more(site, layout.others());
    Found::below(site, |path| {
        if is_shared {
            layout::is_only_site(path)
        } else {
            layout::is_of_site(path)
        }
    })
}

/// Whether a directory is or holds one of the others, or is a project itself: by where links lead,
/// since a name says nothing. One that cannot be resolved is not there yet.
fn holds_more(site: &Path, others: &[PathBuf]) -> bool {
    let Ok(site) = site.canonicalize() else {
        return false;
    };
    let is_held = |other: &PathBuf| {
        other
            .canonicalize()
            .is_ok_and(|other| other.starts_with(&site))
    };
    others.iter().any(is_held)
        || ["dbt_project.yml", ".git"]
            .iter()
            .any(|name| site.join(name).exists())
}

fn below<'a>(
    directory: &Path,
    paths: impl IntoIterator<Item = &'a Path>,
) -> Vec<(PathBuf, PathBuf)> {
    let paths = paths.into_iter();
    paths
        .map(|path| (directory.to_owned(), path.to_owned()))
        .collect()
}
