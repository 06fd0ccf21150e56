//! Why a call to Locust failed: one variant for each thing a caller could do differently.

use kit::{Code, ToolError};

/// A failed call to Locust. Addresses in it never carry credentials.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// No `LOCUST_URL`.
    #[error("locust is not configured: set LOCUST_URL to the address of its web interface")]
    NotConfigured,
    /// Nobody answers at `LOCUST_URL`, or not in time.
    #[error("{}", .0.message)]
    Unreachable(ToolError),
    /// Something answers at `LOCUST_URL`, but not as Locust does.
    #[error("{address} (LOCUST_URL) does not answer as locust does: {reason}")]
    NotLocust {
        /// Host and port.
        address: String,
        /// What was there instead.
        reason: String,
    },
    /// Locust answered with an HTTP error.
    #[error("locust answered {status} to {path}: {message}")]
    Status {
        /// Its status.
        status: http::StatusCode,
        /// Which of its routes.
        path: &'static str,
        /// The beginning of its answer.
        message: String,
    },
    /// The web interface wants a login that we cannot give, or refused it.
    #[error("{0}")]
    Login(String),
    /// Locust answered 200 and said no.
    #[error("locust refused: {0}")]
    Refused(String),
    /// An argument that we or this Locust cannot take.
    #[error("{message}")]
    Invalid {
        /// The argument.
        field: &'static str,
        /// What is wrong with it.
        message: String,
    },
    /// A target that `--allow-target-hosts` does not list.
    #[error("{target} is not among the targets that --allow-target-hosts lists")]
    Target {
        /// Host and port of the target.
        target: String,
    },
    /// A start without `resize` while a test runs.
    #[error("a test is already running with {users} users: stop it first, or pass resize true to change it")]
    Running {
        /// Its users.
        users: u32,
    },
    /// A master that nobody works for.
    #[error("locust runs as a master and no worker is connected: start a worker, then try again")]
    NoWorkers,
    /// The test was accepted and then did not run.
    #[error("locust accepted the test but does not run it (its state is {state}){hint}")]
    NotStarted {
        /// The state it stayed in.
        state: String,
        /// What may be missing, from what Locust says about itself.
        hint: &'static str,
    },
    /// A stop that was sent, but users still run.
    #[error("locust is still stopping: {users} users run on; ask locust_get_stats again in a moment")]
    StillStopping {
        /// How many.
        users: u32,
    },
}

impl From<Error> for ToolError {
    fn from(error: Error) -> Self {
        let message = error.to_string();
        match &error {
            Error::NotConfigured => Self::service(message).with("setting", "LOCUST_URL"),
            Error::Unreachable(cause) => cause.clone().with("setting", "LOCUST_URL"),
            Error::NotLocust { .. } => Self::service(message).with("setting", "LOCUST_URL"),
            Error::NoWorkers | Error::NotStarted { .. } => Self::service(message),
            Error::Status { status, .. } => Self::new(Code::of_upstream(*status), message),
            Error::Login(_) => Self::new(Code::AuthenticationError, message),
            Error::Refused(_) => Self::new(Code::ValidationError, message),
            Error::Invalid { field, .. } => Self::invalid(*field, message),
            Error::Target { .. } => Self::new(Code::Forbidden, message).with("field", "host"),
            Error::Running { .. } => Self::invalid("resize", message),
            Error::StillStopping { .. } => Self::new(Code::TimeoutError, message),
        }
    }
}
