//! How far a long command is: a bar for who watches, nothing in a log.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::program::output::{count, plain};

/// How far a long command is; shown only where standard error is a terminal.
#[derive(Debug)]
pub(crate) struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// Bytes of a file, of which there are `total` where that is known.
    pub(crate) fn of_bytes(name: &str, total: Option<u64>) -> Self {
        let template = match total {
            Some(_) => "{prefix} [{bar:30}] {percent:>3}% {bytes}/{total_bytes} {msg} {eta}",
            None => "{prefix} {spinner} {bytes} {msg}",
        };
        Self::new(name, total, template)
    }

    /// Things, of which `total` are to be made.
    pub(crate) fn of_items(name: &str, total: u64) -> Self {
        let template = "{prefix} [{bar:30}] {human_pos}/{human_len} {per_sec} {eta}";
        Self::new(name, Some(total), template)
    }

    fn new(name: &str, total: Option<u64>, template: &str) -> Self {
        // This target draws on a terminal only.
        let bar = ProgressBar::with_draw_target(total, ProgressDrawTarget::stderr());
        // The templates are constants; were one wrong, the default bar would do.
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.set_prefix(plain(name));
        Progress { bar }
    }

    /// So much more is done.
    pub(crate) fn advance(&self, by: u64) {
        self.bar.inc(by);
    }

    /// Shows how many rows there were, and how many a second.
    pub(crate) fn rows(&self, rows: u64) {
        let seconds = self.bar.elapsed().as_secs_f64();
        if seconds > 0.2 {
            let rate = (rows as f64 / seconds) as u64;
            self.bar.set_message(format!("{} rows, {}/s", count(rows), count(rate)));
        }
    }

    /// Takes the bar away, so that what follows stands alone.
    pub(crate) fn done(self) {
        self.bar.finish_and_clear();
    }
}
