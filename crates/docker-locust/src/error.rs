//! What can go wrong with a container, one variant per thing a caller could do differently, and the code
//! under which each leaves.

use http::StatusCode;
use kit::{Code, ToolError};

use crate::replace::settle::Back;

const MAX_REASON: usize = 400;

/// Results inside this crate; tools answer `kit::Result`.
pub(crate) type Result<T, E = Error> = std::result::Result<T, E>;

/// A failed operation on the engine or a container.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The setting itself cannot be read.
    #[error("DOCKER_HOST must be unix:///path or tcp://host:port")]
    BadHost,
    /// Nobody answers at the engine's address.
    #[error(
        "the docker engine at {host} is unreachable ({reason}); check DOCKER_HOST and that the engine runs"
    )]
    Unreachable {
        /// The value of `DOCKER_HOST`.
        host: String,
        /// Why, in the system's words.
        reason: String,
    },
    /// The engine answered that it will not.
    #[error("the docker engine refused: {}", bounded(message))]
    Refused {
        /// Its status.
        status: StatusCode,
        /// Its reason.
        message: String,
    },
    /// The engine did not answer in time.
    #[error("no answer in time: {0}")]
    Timeout(String),
    /// The engine answered something this client does not understand.
    #[error("the docker engine answered what this server does not understand: {0}")]
    Unexpected(String),
    /// An argument is wrong.
    #[error("{message}")]
    Argument {
        /// Which.
        field: &'static str,
        /// What is wrong with it.
        message: String,
    },
    /// No container has this name, id or compose service.
    #[error("no container, id or compose service is named {name}{}", hint(nearest))]
    Unknown {
        /// What was asked for, cut short.
        name: String,
        /// Names that look like it.
        nearest: Vec<String>,
    },
    /// Several containers are meant.
    #[error("{name} means {} containers; name one of them", candidates.len())]
    Ambiguous {
        /// What was asked for, cut short.
        name: String,
        /// Their names.
        candidates: Vec<String>,
    },
    /// The server would act on itself.
    #[error("{0} is the container this server runs in; it never acts on itself")]
    Own(String),
    /// A container that cannot be replaced as it is.
    #[error("{name} cannot be replaced: {reason}")]
    NotReplaceable {
        /// The container.
        name: String,
        /// Why, and what to do instead.
        reason: String,
        /// Containers that stand in the way.
        blockers: Vec<String>,
    },
    /// Another change of the same container is under way.
    #[error("another change of {0} is under way; try again when it has ended")]
    Busy(String),
    /// The folder for locks cannot be used.
    #[error("the state folder {folder} cannot be used ({reason}); set --state-dir to a writable one")]
    State {
        /// The folder.
        folder: String,
        /// Why, in the system's words.
        reason: String,
    },
    /// A container did not come up.
    #[error("{name} did not come up: {reason}")]
    NotUp {
        /// The container.
        name: String,
        /// What its state said.
        reason: String,
    },
    /// A change failed; everything is as it was before.
    #[error("{name} was not changed: {reason}; the old container is back{}", state(*back))]
    RolledBack {
        /// The container.
        name: String,
        /// Why the change failed.
        reason: String,
        /// In what state.
        back: Back,
        /// The last lines of the container that failed.
        logs: Vec<String>,
    },
    /// A change failed and undoing it did too: the next sweep ends it, one way or the other.
    #[error(
        "the change of {name} failed ({reason}) and undoing it did not end ({trouble}); it is undone, or finished if the new container is up, as soon as that can be done"
    )]
    Unsettled {
        /// The container.
        name: String,
        /// Why the change failed.
        reason: String,
        /// Why undoing it failed.
        trouble: String,
    },
}

/// The engine's reason, whole but for one that repeats what was sent.
fn bounded(reason: &str) -> &str {
    &reason[..reason.floor_char_boundary(MAX_REASON)]
}

fn state(back: Back) -> &'static str {
    match back {
        Back::Stopped => "",
        Back::Running => " and running",
        Back::Ended => ", but it ended by itself when it was started; docker_logs shows why",
    }
}

fn hint(nearest: &[String]) -> String {
    if nearest.is_empty() { String::new() } else { format!("; nearest: {}", nearest.join(", ")) }
}

impl Error {
    /// The same, should the engine have repeated a secret in its reason.
    pub(crate) fn without(self, secret: &str) -> Self {
        match self {
            Self::Refused { status, message } => {
                Self::Refused { status, message: crate::mask::hide(&message, secret) }
            }
            other => other,
        }
    }

    /// Whether the engine said that there is no such object.
    pub(crate) fn is_missing(&self) -> bool {
        matches!(self, Self::Refused { status: StatusCode::NOT_FOUND, .. })
    }
}

impl From<Error> for ToolError {
    fn from(error: Error) -> Self {
        let message = error.to_string();
        match error {
            Error::BadHost | Error::Unreachable { .. } => {
                Self::service(message).with("setting", "DOCKER_HOST")
            }
            Error::Unexpected(_) => Self::service(message),
            Error::State { .. } => Self::service(message).with("setting", "--state-dir"),
            Error::Refused { status, .. } => Self::new(Code::of_upstream(status), message),
            Error::Timeout(_) => Self::new(Code::TimeoutError, message),
            Error::Argument { field, .. } => Self::invalid(field, message),
            Error::Unknown { nearest, .. } => Self::invalid("service_name", message).with("nearest", nearest),
            Error::Ambiguous { candidates, .. } => {
                Self::invalid("service_name", message).with("candidates", candidates)
            }
            Error::Own(_) => Self::new(Code::Forbidden, message).with("field", "service_name"),
            Error::NotReplaceable { blockers, .. } => {
                let refused = Self::invalid("service_name", message);
                if blockers.is_empty() { refused } else { refused.with("blockers", blockers) }
            }
            Error::Busy(_) => Self::new(Code::ValidationError, message).with("field", "service_name"),
            Error::NotUp { .. } => Self::service(message),
            Error::RolledBack { logs, .. } => {
                Self::service(message).with("rolled_back", true).with("logs", logs)
            }
            Error::Unsettled { .. } => Self::service(message).with("rolled_back", false),
        }
    }
}
