//! The one error of every front door and every adapter.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use serde::Serialize;
use uuid::Uuid;

/// `std::result::Result` with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What an operation could not do, and why.
///
/// One pointer wide. [`Error::message`] and [`Error::fields`] are safe to show to the caller;
/// the source is for logs only.
///
/// ```
/// use crm_core::{Error, ErrorKind};
/// let error = Error::invalid_field("email", "invalid_email", "`ada@` is not an e-mail address");
/// assert_eq!(error.kind(), ErrorKind::Invalid);
/// assert_eq!(error.fields()[0].field, "email");
/// assert!(!error.is_retryable());
/// ```
pub struct Error(Box<Repr>);

struct Repr {
    kind: ErrorKind,
    operation: &'static str,
    message: Cow<'static, str>,
    fields: Vec<FieldError>,
    existing: Option<Uuid>,
    retry_after: Option<Duration>,
    retryable: bool,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// One value that was refused: where it stands, a stable code, and what would be right.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[error("{field}: {message}")]
pub struct FieldError {
    /// The path of the value as the caller wrote it, e.g. `emails[1].address`.
    pub field: String,
    /// A stable word for programs, e.g. `invalid_email`.
    pub code: Cow<'static, str>,
    /// A sentence for people.
    pub message: String,
}

impl FieldError {
    /// A refused value.
    pub fn new(
        field: impl Into<String>,
        code: impl Into<Cow<'static, str>>,
        message: impl Into<String>,
    ) -> Self {
        FieldError { field: field.into(), code: code.into(), message: message.into() }
    }
}

macro_rules! error_kinds {
    ($($(#[$doc:meta])* $kind:ident = $code:literal, retryable: $retry:literal;)*) => {
        /// The kinds of failure. Each has one stable code, the same in Rust, Python, Node and HTTP.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum ErrorKind { $($(#[$doc])* $kind,)* }

        impl ErrorKind {
            /// Every kind, so that a front door can prove that its mapping is total.
            pub const ALL: &'static [ErrorKind] = &[$(ErrorKind::$kind,)*];

            /// The stable code.
            pub const fn code(self) -> &'static str {
                match self { $(ErrorKind::$kind => $code,)* }
            }

            /// Whether the same call can succeed later without the caller changing it.
            const fn retryable(self) -> bool {
                match self { $(ErrorKind::$kind => $retry,)* }
            }
        }
    };
}

error_kinds! {
    /// A value was refused; [`Error::fields`] says which.
    Invalid = "invalid", retryable: false;
    /// Something that cannot be read as what it should be: broken JSON, a number that is none.
    Malformed = "malformed", retryable: false;
    /// A filter, sort or parameter that does not exist.
    UnknownParameter = "unknown_parameter", retryable: false;
    /// A page cursor that was not made by this list.
    InvalidCursor = "invalid_cursor", retryable: false;
    /// Nobody, or nobody known, is signed in.
    Unauthenticated = "unauthenticated", retryable: false;
    /// The refresh token has been used before: whoever holds it is not the only one, and all that came
    /// from the same sign-in has ended.
    TokenReused = "token_reused", retryable: false;
    /// The password is right; a code of the second factor is missing or wrong.
    SecondFactorRequired = "second_factor_required", retryable: false;
    /// The action needs a proof of identity that is fresher than the session's.
    StepUpRequired = "step_up_required", retryable: false;
    /// The role does not allow the action.
    Forbidden = "forbidden", retryable: false;
    /// There is no such thing in this tenant.
    NotFound = "not_found", retryable: false;
    /// A live record holds the same unique value; [`Error::existing_id`] names it.
    AlreadyExists = "already_exists", retryable: false;
    /// The record's state does not allow the action.
    Conflict = "conflict", retryable: false;
    /// The record has changed since the version that the caller named.
    VersionConflict = "version_conflict", retryable: false;
    /// The idempotency key was used before, for another request.
    IdempotencyKeyReused = "idempotency_key_reused", retryable: false;
    /// The first request with the idempotency key still runs.
    IdempotencyInProgress = "idempotency_in_progress", retryable: true;
    /// More than is allowed in a time; [`Error::retry_after`] says when it is allowed again.
    RateLimited = "rate_limited", retryable: true;
    /// More bytes than allowed.
    PayloadTooLarge = "payload_too_large", retryable: false;
    /// A format that is not read here.
    UnsupportedMediaType = "unsupported_media_type", retryable: false;
    /// A storage or provider that cannot be reached or is full at the moment.
    Unavailable = "unavailable", retryable: true;
    /// A fault of this program or of its storage; nothing the caller can mend.
    Internal = "internal", retryable: false;
}

impl ErrorKind {
    /// Whether this is the caller's mistake (as opposed to ours or the storage's).
    pub const fn is_callers(self) -> bool {
        match self {
            ErrorKind::Invalid
            | ErrorKind::Malformed
            | ErrorKind::UnknownParameter
            | ErrorKind::InvalidCursor
            | ErrorKind::Unauthenticated
            | ErrorKind::TokenReused
            | ErrorKind::SecondFactorRequired
            | ErrorKind::StepUpRequired
            | ErrorKind::Forbidden
            | ErrorKind::NotFound
            | ErrorKind::AlreadyExists
            | ErrorKind::Conflict
            | ErrorKind::VersionConflict
            | ErrorKind::IdempotencyKeyReused
            | ErrorKind::IdempotencyInProgress
            | ErrorKind::RateLimited
            | ErrorKind::PayloadTooLarge
            | ErrorKind::UnsupportedMediaType => true,
            ErrorKind::Unavailable | ErrorKind::Internal => false,
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl Error {
    /// An error of `kind` with a message that may be shown to the caller: lower case, no full stop,
    /// the caller's own words in backticks.
    pub fn new(kind: ErrorKind, message: impl Into<Cow<'static, str>>) -> Self {
        Error(Box::new(Repr {
            kind,
            operation: "",
            message: message.into(),
            fields: Vec::new(),
            existing: None,
            retry_after: None,
            retryable: kind.retryable(),
            source: None,
        }))
    }

    /// [`ErrorKind::Invalid`] with one entry per refused value.
    pub fn invalid(fields: Vec<FieldError>) -> Self {
        let message = match fields.as_slice() {
            [one] => Cow::Owned(one.message.clone()),
            many => Cow::Owned(format!("{} values were refused", many.len())),
        };
        let mut error = Error::new(ErrorKind::Invalid, message);
        error.0.fields = fields;
        error
    }

    /// [`ErrorKind::Invalid`] for a single value.
    pub fn invalid_field(
        field: impl Into<String>,
        code: impl Into<Cow<'static, str>>,
        message: impl Into<String>,
    ) -> Self {
        Error::invalid(vec![FieldError::new(field, code, message)])
    }

    /// What is wrong with the value at `path` of what a caller sent, in the words of its reader: an unknown
    /// field, or one of another type.
    pub fn refused_value(path: &str, reason: &str) -> Self {
        let code =
            if reason.starts_with("unknown field") { "unknown_field" } else { "invalid_value" };
        let named = reason.split('`').nth(1);
        let field = match (path, named) {
            (".", Some(named)) => named,
            (".", None) => "",
            (path, _) => path,
        };
        Error::invalid_field(field, code, reason)
    }

    /// The same for what chooses records of a list: [`ErrorKind::UnknownParameter`] for a filter or order
    /// that there is not, [`ErrorKind::Malformed`] for one that cannot be read.
    pub fn refused_parameter(path: &str, reason: &str) -> Self {
        // A list that has no such order is asked for something that it does not know.
        let unknown_sort = path == "sort" && reason.starts_with("unknown variant");
        if unknown_sort || reason.starts_with("unknown field") {
            return Error::new(ErrorKind::UnknownParameter, reason.to_owned());
        }
        let message = if path == "." { reason.to_owned() } else { format!("`{path}`: {reason}") };
        Error::new(ErrorKind::Malformed, message)
    }

    /// [`ErrorKind::NotFound`], the same for a foreign and for a missing record.
    pub fn not_found(what: &'static str) -> Self {
        Error::new(ErrorKind::NotFound, format!("there is no such {what}"))
    }

    /// [`ErrorKind::AlreadyExists`]: `existing` holds the value of `field` already.
    pub fn already_exists(
        field: impl Into<String>,
        existing: Uuid,
        message: impl Into<String>,
    ) -> Self {
        let message = message.into();
        let mut error = Error::new(ErrorKind::AlreadyExists, message.clone());
        error.0.fields = vec![FieldError::new(field, "already_exists", message)];
        error.0.existing = Some(existing);
        error
    }

    /// [`ErrorKind::VersionConflict`]: the record is at version `found` now.
    pub fn version_conflict(what: &'static str, expected: i64, found: i64) -> Self {
        Error::new(
            ErrorKind::VersionConflict,
            format!(
                "the {what} is at version {found}, not {expected}; read it again and repeat the change"
            ),
        )
    }

    /// [`ErrorKind::Internal`] with its cause, which is never shown.
    pub fn internal(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Error::new(ErrorKind::Internal, "an internal error occurred").with_source(source)
    }

    /// [`ErrorKind::Unavailable`] with its cause.
    pub fn unavailable(
        message: impl Into<Cow<'static, str>>,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Error::new(ErrorKind::Unavailable, message).with_source(source)
    }

    /// [`ErrorKind::RateLimited`]: `what` is allowed again after `retry_after`.
    pub fn rate_limited(what: impl Into<Cow<'static, str>>, retry_after: Duration) -> Self {
        let mut error = Error::new(ErrorKind::RateLimited, what);
        error.0.retry_after = Some(retry_after);
        error
    }

    /// The same error with its cause.
    #[must_use]
    pub fn with_source(
        mut self,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// The same error, naming the operation it came from, e.g. `contacts.create`.
    #[must_use]
    pub fn in_operation(mut self, operation: &'static str) -> Self {
        if self.0.operation.is_empty() {
            self.0.operation = operation;
        }
        self
    }

    /// The same error with `place` before each of its fields, for a value that stands in a list.
    #[must_use]
    pub(crate) fn within(mut self, place: &str) -> Self {
        for field in &mut self.0.fields {
            field.field.insert_str(0, place);
        }
        self
    }

    /// What went wrong, as a stable kind.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The stable code of [`Error::kind`].
    pub fn code(&self) -> &'static str {
        self.0.kind.code()
    }

    /// Whether the same call can succeed later.
    pub fn is_retryable(&self) -> bool {
        self.0.retryable
    }

    /// The operation that failed, `entity.verb`; empty when an adapter was called directly.
    pub fn operation(&self) -> &'static str {
        self.0.operation
    }

    /// What may be shown to the caller.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// One entry per refused value.
    pub fn fields(&self) -> &[FieldError] {
        &self.0.fields
    }

    /// For [`ErrorKind::RateLimited`]: how long to wait.
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// For [`ErrorKind::AlreadyExists`]: the record that holds the value.
    pub fn existing_id(&self) -> Option<Uuid> {
        self.0.existing
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.0.operation.is_empty() {
            write!(f, "{}: ", self.0.operation)?;
        }
        f.write_str(&self.0.message)?;
        if self.0.fields.len() > 1 {
            for field in &self.0.fields {
                write!(f, "; {field}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.0.kind)
            .field("operation", &self.0.operation)
            .field("message", &self.0.message)
            .field("fields", &self.0.fields)
            .field("existing", &self.0.existing)
            .field("source", &self.0.source)
            .finish()
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}
