//! Owns which files of a target directory are docs, in dbt 1 and in dbt 2.
//!
//! Pure. Never looks at a file.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// How a dbt lays out its target directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Layout {
    /// The page is one file beside its JSON.
    Dbt1,
    /// The page is a site: scripts below `assets`, and tables below `index` that it reads in the
    /// browser. Beside it lie SQL, schemas, and stored rows of the warehouse.
    Dbt2 {
        /// Where the site was written, if not into the target directory.
        site: Option<PathBuf>,
        /// Directories that hold more than a site: the project, and where its steps write.
        others: Vec<PathBuf>,
    },
}

/// What dbt 2 works with, and nobody reads in a browser.
const WORKINGS: [&str; 8] = [
    "compiled",
    "data",
    "generic_tests",
    "metadata",
    "run",
    "schemas",
    "singular_tests",
    "snapshots",
];
/// What the files of a site end with, tables aside.
const PARTS: [&str; 22] = [
    "avif",
    "css",
    "eot",
    "gif",
    "html",
    "ico",
    "jpeg",
    "jpg",
    "js",
    "json",
    "map",
    "mjs",
    "otf",
    "png",
    "svg",
    "ttf",
    "txt",
    "wasm",
    "webmanifest",
    "webp",
    "woff",
    "woff2",
];
const TABLE: &str = "parquet";

impl Layout {
    /// Where the site is, if not in the target directory.
    pub(super) fn site(&self) -> Option<&Path> {
        match self {
            Self::Dbt2 { site, .. } => site.as_deref(),
            Self::Dbt1 => None,
        }
    }

    /// Directories that hold more than a site.
    pub(super) fn others(&self) -> &[PathBuf] {
        match self {
            Self::Dbt2 { others, .. } => others,
            Self::Dbt1 => &[],
        }
    }

    /// Whether a file of the target directory is one of the docs, by its path below that.
    pub(super) fn is_doc(&self, path: &Path) -> bool {
        let extension = path.extension().and_then(OsStr::to_str).unwrap_or_default();
        let is_text = matches!(extension, "html" | "json");
        match self {
            Self::Dbt1 => is_text,
            Self::Dbt2 { site: None, .. } => is_text && !is_working(path) || is_part(path),
            // The site is elsewhere, whole.
            Self::Dbt2 { site: Some(_), .. } => extension == "json" && !is_working(path),
        }
    }

    /// Whether a file belongs to a site that is published whole or not at all: a table that nobody
    /// had to write anew is needed as well.
    pub(super) fn is_part_of_site(&self, path: &Path) -> bool {
        let is_in_target = matches!(self, Self::Dbt2 { site: None, .. });
        is_in_target && is_part(path) && !is_text_of_dbt(path)
    }
}

/// Whether a file can be nothing but a part of a site, whatever else lies beside the site.
pub(super) fn is_only_site(path: &Path) -> bool {
    let folder = first_folder(path).and_then(OsStr::to_str);
    path == Path::new(super::PAGE)
        || is_part(path) && matches!(folder, Some("assets" | "index" | "data"))
}

/// Whether a file of a directory that a site has to itself is none of what dbt 2 works with.
pub(super) fn is_of_site(path: &Path) -> bool {
    is_only_site(path) || !is_working(path)
}

fn first_folder(path: &Path) -> Option<&OsStr> {
    let mut parts = path.iter();
    let first = parts.next();
    parts.next().and(first)
}

fn is_working(path: &Path) -> bool {
    first_folder(path).is_some_and(|folder| WORKINGS.iter().any(|working| folder == *working))
}

/// JSON and pages outside the folders of the site: each by itself, as in dbt 1.
fn is_text_of_dbt(path: &Path) -> bool {
    let is_text = path
        .extension()
        .is_some_and(|extension| extension == "json" || extension == "html");
    is_text && first_folder(path) != Some(OsStr::new("assets"))
}

fn is_part(path: &Path) -> bool {
    let extension = path.extension().and_then(OsStr::to_str).unwrap_or_default();
    let is_table = extension == TABLE;
    match first_folder(path).and_then(OsStr::to_str) {
        Some("assets") => true,
        Some("index") => is_table || PARTS.contains(&extension),
        // Where an earlier 2.0 had its tables, beside folders with rows of the warehouse.
        Some("data") => {
            let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
            let is_direct = path.iter().count() == 2;
            is_direct && is_table && (name.starts_with("dbt.") || name.starts_with("dbt_rt."))
        }
        Some(folder) => !WORKINGS.contains(&folder) && PARTS.contains(&extension),
        // A folder whose name is no text cannot be published.
        None => first_folder(path).is_none() && PARTS.contains(&extension),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn docs_are_what_the_page_needs_and_nothing_of_the_warehouse() {
        let with_site = |site: Option<&str>| Layout::Dbt2 {
            site: site.map(PathBuf::from),
            others: Vec::new(),
        };
        let layouts = [Layout::Dbt1, with_site(None), with_site(Some("/site"))];
        for (path, expected) in [
            ("index.html", [true, true, false]),
            ("manifest.json", [true, true, true]),
            ("assets/index-MKfh.css", [false, true, false]),
            ("assets/abap-Bd.js", [false, true, false]),
            ("assets/worker", [false, true, false]),
            ("index/dbt.nodes.parquet", [false, true, false]),
            ("index/dbt_rt.run_results.parquet", [false, true, false]),
            ("data/dbt.nodes.parquet", [false, true, false]),
            (
                "data/shop/analytics/orders/output.parquet",
                [false, false, false],
            ),
            ("data/dbt.audit/failures.parquet", [false, false, false]),
            ("data/orders.parquet", [false, false, false]),
            ("data/rows.json", [true, false, false]),
            (
                "schemas/analyzed/model.shop.a/output.parquet",
                [false, false, false],
            ),
            ("compiled/shop/a.macro_spans.json", [true, false, false]),
            ("compiled/shop/page.html", [true, false, false]),
            ("run/shop/a.json", [true, false, false]),
            ("run/shop/a.js", [false, false, false]),
            ("favicon.svg", [false, true, false]),
            ("fonts/inter.woff2", [false, true, false]),
            ("elsewhere/output.parquet", [false, false, false]),
            ("notes/page.html", [true, true, false]),
            ("semantic_manifest.json", [true, true, true]),
            ("compiled/orders.sql", [false, false, false]),
            ("partial_parse.msgpack", [false, false, false]),
            ("shop.duckdb", [false, false, false]),
        ] {
            let found = layouts
                .each_ref()
                .map(|layout| layout.is_doc(Path::new(path)));
            assert_eq!(found, expected, "{path}");
        }
    }

    #[test]
    fn the_parts_of_a_site_go_together() {
        let layout = Layout::Dbt2 {
            site: None,
            others: Vec::new(),
        };
        for (path, expected) in [
            ("index/dbt.nodes.parquet", true),
            ("assets/chunk.js", true),
            ("assets/extra.json", true),
            ("favicon.ico", true),
            ("index.html", false),
            ("manifest.json", false),
            ("old/page.html", false),
            ("run/a.js", false),
        ] {
            assert_eq!(layout.is_part_of_site(Path::new(path)), expected, "{path}");
            assert!(!Layout::Dbt1.is_part_of_site(Path::new(path)), "{path}");
        }
    }
}
