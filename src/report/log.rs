//! Owns the runner's own log: its format, its filter, and the masking of secrets in it.
//!
//! Never logs anything itself.

use std::fmt;
use std::io::{self, Write};
use std::sync::{Arc, OnceLock};
use std::time::SystemTime;

use serde_json::Value;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::filter::{EnvFilter, FilterExt, filter_fn};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, MakeWriter};
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;
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
        LogFormat::Json => layer.event_format(Json).with_filter(filter).boxed(),
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

/// One object a line.
struct Json;

impl<S, N> FormatEvent<S, N> for Json
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let now = humantime::format_rfc3339_micros(SystemTime::now());
        let level = event.metadata().level();
        write!(writer, r#"{{"timestamp":"{now}","level":"{level}""#)?;
        event.record(&mut Members(|name: &str, value: Value| {
            // It fails as little as a line of memory does.
            let _ = write!(writer, ",{}:{value}", Value::from(name));
        }));
        writeln!(writer, "}}")
    }
}

/// Each field of an event with its value.
struct Members<F>(F);

impl<F: FnMut(&str, Value)> Visit for Members<F> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        (self.0)(field.name(), format!("{value:?}").into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        (self.0)(field.name(), value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        (self.0)(field.name(), value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        (self.0)(field.name(), value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        (self.0)(field.name(), value.into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        // `tracing` has no lists: they come as what they are written as.
        let list = serde_json::from_str(value).ok().filter(Value::is_array);
        (self.0)(field.name(), list.unwrap_or_else(|| value.into()));
    }
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
