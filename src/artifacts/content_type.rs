//! Owns what a browser is told that a file is.
//!
//! Pure. Never looks into one.

use std::path::Path;

/// What browsers want to know before they run a script or show a font. A list of all types in the
/// world would be longer than the program that needs these.
pub(super) fn of(key: &str) -> &'static str {
    let extension = Path::new(key).extension();
    match extension.and_then(|extension| extension.to_str()) {
        Some("html") => "text/html; charset=utf-8",
        Some("json" | "map") => "application/json",
        Some("js" | "mjs") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("txt") => "text/plain; charset=utf-8",
        Some("wasm") => "application/wasm",
        Some("parquet") => "application/vnd.apache.parquet",
        Some("webmanifest") => "application/manifest+json",
        Some("woff") => "font/woff",
        Some("woff2") => "font/woff2",
        Some("ttf") => "font/ttf",
        Some("otf") => "font/otf",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("gif") => "image/gif",
        Some("webp") => "image/webp",
        Some("avif") => "image/avif",
        Some("jpg" | "jpeg") => "image/jpeg",
        Some("ico") => "image/vnd.microsoft.icon",
        _ => "application/octet-stream",
    }
}
