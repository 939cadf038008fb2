//! Owns the runner's own log: its format, its filter, and the masking of secrets in it.
//!
//! Never logs anything itself.

use std::io::{self, Write};
use std::sync::{Arc, OnceLock};

use tracing::{Level, Metadata};
use tracing_subscriber::filter::{EnvFilter, FilterExt, filter_fn};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

use super::printable;
use super::stderr::Stderr;
use crate::config::LogFormat;
use crate::redact::Redactor;

type Shared = Arc<OnceLock<Arc<Redactor>>>;

/// Takes a filter that is known to be valid.
pub(super) fn start(
    format: LogFormat,
    filter: &str,
    coloured: bool,
    redactor: &Shared,
    stderr: &Arc<Stderr>,
) {
    let filter = EnvFilter::builder()
        .parse_lossy(filter)
        .and(filter_fn(is_safe));
    let layer = tracing_subscriber::fmt::layer()
        .with_target(false)
        .with_ansi(coloured)
        .with_writer(Redacting(Arc::clone(redactor), Arc::clone(stderr)));
    let layer = match format {
        LogFormat::Text => layer.with_filter(filter).boxed(),
        LogFormat::Json => layer
            .json()
            .flatten_event(true)
            .with_current_span(false)
            .with_span_list(false)
            .with_filter(filter)
            .boxed(),
    };
    // Fails only if there is another subscriber, and there is none.
    let _ = tracing_subscriber::registry().with(layer).try_init();
}

/// The SDK and its HTTP client log whole requests and responses, and the details of errors even as
/// warnings. The response that holds the password arrives before the redactor knows it, so no
/// filter can ask for more than their errors.
fn is_safe(metadata: &Metadata<'_>) -> bool {
    metadata.target().starts_with("dbt_entrypoint") || *metadata.level() == Level::ERROR
}

struct Redacting(Shared, Arc<Stderr>);

impl<'a> MakeWriter<'a> for Redacting {
    type Writer = RedactingWriter<'a>;

    fn make_writer(&'a self) -> Self::Writer {
        RedactingWriter(self.0.get(), &self.1)
    }
}

/// Gets one whole event at a time.
struct RedactingWriter<'a>(Option<&'a Arc<Redactor>>, &'a Stderr);

impl Write for RedactingWriter<'_> {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let mut out = Vec::with_capacity(event.len());
        match self.0 {
            Some(redactor) => {
                let mut stream = redactor.stream();
                stream.push(event, &mut out);
                stream.finish(&mut out);
            }
            None => out.extend_from_slice(event),
        }
        self.1.write_or_drop(&printable::event(&out));
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
