//! Why a command ends otherwise than well, and what the shell is told.

use std::fmt;
use std::io;
use std::process::ExitCode;

use crm_core::{Error, ErrorKind};

use crate::program::output::plain;

/// Why a command ends otherwise than well.
#[derive(Debug)]
pub(crate) enum Failure {
    /// A value that cannot be right: exit status 2.
    Usage(String),
    /// What was asked for cannot be had: exit status 1.
    Failed(String),
    /// What was asked for is done, with a result that the exit status 1 tells.
    Negative,
    /// Stopped by ctrl-C: exit status 130, as shells count (128 and the signal's number).
    Interrupted,
    /// Nobody reads standard output any more: no failure, and nobody to tell.
    NobodyReads,
}

impl Failure {
    /// Tells the person on standard error, in one line, and the shell by the status.
    pub(crate) fn report(&self) -> ExitCode {
        match self {
            Failure::Usage(message) => {
                complain(message);
                ExitCode::from(2)
            }
            Failure::Failed(message) => {
                complain(message);
                ExitCode::from(1)
            }
            Failure::Negative => ExitCode::from(1),
            Failure::Interrupted => ExitCode::from(130),
            Failure::NobodyReads => ExitCode::SUCCESS,
        }
    }

    /// A refused value as the option that brought it. `option_of` names the option of a field.
    pub(crate) fn of_option(error: Error, option_of: impl Fn(&str) -> &'static str) -> Self {
        if error.kind() != ErrorKind::Invalid || error.fields().is_empty() {
            return error.into();
        }
        let refused: Vec<String> = error
            .fields()
            .iter()
            .map(|field| format!("{}: {}", option_of(&field.field), field.message))
            .collect();
        Failure::Usage(refused.join("; "))
    }

    /// The same failure, naming what it is about.
    pub(crate) fn about(self, what: &str) -> Self {
        match self {
            Failure::Failed(message) => Failure::Failed(format!("`{what}`: {message}")),
            other @ (Failure::Usage(_)
            | Failure::Negative
            | Failure::Interrupted
            | Failure::NobodyReads) => other,
        }
    }

    /// A file that cannot be read or written.
    pub(crate) fn of_file(what: &str, path: &std::path::Path, error: &io::Error) -> Self {
        Failure::Failed(format!("cannot {what} `{}`: {error}", path.display()))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Usage(message) | Failure::Failed(message) => f.write_str(message),
            Failure::Negative => f.write_str("the result is negative"),
            Failure::Interrupted => f.write_str("interrupted"),
            Failure::NobodyReads => f.write_str("nobody reads"),
        }
    }
}

#[allow(clippy::print_stderr, reason = "the one place that speaks of failures")]
fn complain(message: &str) {
    eprintln!("crm-http: {}", plain(message));
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let mut message = error.to_string();
        // Who runs the command is who mends the database; nobody else reads this.
        if let (ErrorKind::Internal | ErrorKind::Unavailable, Some(cause)) =
            (error.kind(), std::error::Error::source(&error))
        {
            message.push_str(&format!(": {cause}"));
        }
        Failure::Failed(message)
    }
}
