//! What can go wrong with a forge, one variant per thing a caller could do differently, and the code under which
//! each leaves.

use http::StatusCode;
use kit::{Code, ToolError};
use serde_json::{Value, json};

use crate::client::version::{Release, Version};

/// Results inside this crate; tools answer `kit::Result`.
pub(crate) type Result<T, E = Error> = std::result::Result<T, E>;

/// A failed operation on a forge.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An argument is wrong.
    #[error("{message}")]
    Argument {
        /// Its path in the arguments.
        field: String,
        /// What is wrong with it.
        message: String,
    },
    /// A name stands for nothing there is.
    #[error("there is no {what} {name}{}", hint(candidates))]
    Unknown {
        /// The argument.
        field: String,
        /// What it names: `label`, `milestone`…
        what: &'static str,
        /// The name, cut short.
        name: String,
        /// Names there are.
        candidates: Vec<String>,
    },
    /// The forge answered that it will not.
    #[error("gitea answered {}: {message}", status.as_u16())]
    Refused {
        /// Its status.
        status: StatusCode,
        /// Its reason.
        message: String,
    },
    /// An issue or a pull request was written without some of what was sent.
    #[error(
        "{what} {issue_number} is written, but its {} did not take: the token's user may not set that there, or gitea does not allow it together",
        fields.join(", ")
    )]
    NotTaken {
        /// Which of the two.
        what: &'static str,
        /// Its number.
        issue_number: u64,
        /// The arguments.
        fields: Vec<&'static str>,
    },
    /// Some of what was sent was written, and the rest refused.
    #[error("{error}; of what was sent, {} is written all the same", fields.join(", "))]
    Partly {
        /// The arguments.
        fields: Vec<&'static str>,
        /// The refusal.
        error: Box<Self>,
    },
    /// The token may do less than this.
    #[error("the token lacks the scope {required}; give the server (or send) a token that has it")]
    Scope {
        /// What the forge named: `write:issue`.
        required: String,
    },
    /// The forge is too old, or another kind.
    #[error("this needs Gitea {needs} or newer; the server says it is {is}")]
    TooOld {
        /// The first release that has it.
        needs: Release,
        /// What it says of itself.
        is: Version,
    },
    /// The forge has no such part of the API: it is too old for it, or another kind.
    #[error(
        "the forge has no API at {0}; its version may lack it (get_gitea_mcp_server_version tells which it is)"
    )]
    NoApi(String),
    /// Nothing may be changed.
    #[error("nothing may be changed through this server or with this key; {0} was not done")]
    ReadOnly(String),
    /// The operator keeps this object out of reach.
    #[error("{0} is outside what --allow-owners and --allow-repos let this server touch")]
    OutOfReach(String),
    /// Something is not as the caller expects it.
    #[error("{what} is {is}, not {expected} as expected; nothing was changed")]
    Changed {
        /// The argument that said what is expected.
        field: &'static str,
        /// What is not so.
        what: String,
        /// How it is.
        is: String,
        /// How it should be.
        expected: String,
    },
    /// The forge sent the request elsewhere, where it must not go.
    #[error("gitea redirects to {0}, which is not its own address; check GITEA_HOST")]
    Elsewhere(String),
    /// The forge answered what this client does not understand.
    #[error("gitea (GITEA_HOST) answered what this server does not understand: {0}")]
    Unexpected(String),
    /// Not a failure: what would have been sent, had this not been a dry run.
    #[error("a dry run")]
    DryRun(Plan),
    /// Of the chassis: the forge cannot be reached, does not answer in time…
    #[error(transparent)]
    Kit(#[from] ToolError),
}

/// The first request of a dry run that would change something.
#[derive(Debug, serde::Serialize)]
pub struct Plan {
    /// `POST`…
    pub method: String,
    /// Below `/api/v1`.
    pub path: String,
    /// What would be sent, without secrets.
    pub body: Value,
}

impl Error {
    /// A bad argument.
    pub(crate) fn argument(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Argument { field: field.into(), message: message.into() }
    }

    /// The status the forge answered with, if it is why.
    pub(crate) fn status(&self) -> Option<StatusCode> {
        match self {
            Self::Refused { status, .. } => Some(*status),
            _ => None,
        }
    }

    /// The forge says that there is no such object.
    pub(crate) fn is_missing(&self) -> bool {
        self.status() == Some(StatusCode::NOT_FOUND)
    }

    /// The forge says that there is one already, or that it is not as it was.
    pub(crate) fn is_conflict(&self) -> bool {
        matches!(self.status(), Some(StatusCode::CONFLICT | StatusCode::UNPROCESSABLE_ENTITY))
    }
}

fn hint(candidates: &[String]) -> String {
    if candidates.is_empty() { String::new() } else { format!("; there are {}", candidates.join(", ")) }
}

impl From<Error> for ToolError {
    fn from(error: Error) -> Self {
        let message = error.to_string();
        match error {
            Error::Argument { field, .. } => Self::invalid(field, message),
            Error::Unknown { field, candidates, .. } => {
                Self::invalid(field, message).with("candidates", candidates)
            }
            Error::Refused { status, .. } => {
                Self::new(Code::of_upstream(status), message).with("status", status.as_u16())
            }
            Error::NotTaken { issue_number, fields, .. } => Self::new(Code::AuthenticationError, message)
                .with("issue_number", issue_number)
                .with("fields", fields),
            Error::Partly { fields, error } => {
                let mut refusal = Self::from(*error);
                refusal.message = message;
                refusal.with("written", fields)
            }
            Error::Scope { required } => {
                Self::new(Code::AuthenticationError, message).with("required_scope", required)
            }
            Error::TooOld { needs, .. } => {
                Self::new(Code::ValidationError, message).with("needs", needs.to_string())
            }
            Error::NoApi(_) => Self::new(Code::ValidationError, message),
            Error::ReadOnly(_) | Error::OutOfReach(_) => Self::new(Code::Forbidden, message),
            Error::Changed { field, is, .. } => Self::invalid(field, message).with("actual", is),
            Error::Elsewhere(_) | Error::Unexpected(_) => {
                Self::service(message).with("setting", "GITEA_HOST")
            }
            Error::DryRun(plan) => Self::internal(message).with("would", json!(plan)),
            Error::Kit(error) => error,
        }
    }
}

/// What lists of issues and pull requests may be asked for.
pub(crate) const STATES: [&str; 3] = ["open", "closed", "all"];

/// Forges take what they do not know for the default.
pub(crate) fn one_of(field: &str, value: Option<&str>, known: &[&str]) -> Result<()> {
    match value {
        Some(value) if !known.contains(&value) => {
            Err(Error::argument(field, format!("{field} must be one of {}", known.join(", "))))
        }
        _ => Ok(()),
    }
}
