//! Log lines, on standard error.

use std::io::IsTerminal;
use std::panic;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt;

use crate::program::values::LogFormat;

/// Which lines are written, e.g. `info` or `warn,crm_http::access=info`.
pub(crate) fn filter(text: &str) -> Result<String, String> {
    match EnvFilter::builder().parse(text) {
        Ok(_) if !text.trim().is_empty() => Ok(text.to_owned()),
        Ok(_) | Err(_) => Err(format!(
            "`{text}` is no level; write `error`, `warn`, `info`, `debug` or `trace`, or e.g. \
             `warn,crm_http=debug`"
        )),
    }
}

/// Begins to write log lines.
pub(crate) fn start(format: LogFormat, filter: &str) {
    let filter = EnvFilter::builder().parse_lossy(filter);
    let lines = fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // Where a host of this process has begun before, its way stays.
    let begun = match format {
        LogFormat::Text => lines.with_ansi(std::io::stderr().is_terminal()).try_init(),
        LogFormat::Json => lines.json().flatten_event(true).with_current_span(true).try_init(),
    };
    begun.ok();
    panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string);
        tracing::error!(
            place,
            "a panic: {}",
            panic.payload_as_str().unwrap_or("without a message")
        );
    }));
}
