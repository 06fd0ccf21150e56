//! Our errors as gRPC statuses, with the whole error in their details.

use bytes::Bytes;
use http::HeaderMap;
use prost::{Message, Name};
use prost_types::Any;
use proto::gantry::tool::v1::Error;
use tonic::{Code as Grpc, Status};

use super::structure;
use crate::text::clip;
use crate::{Code, ToolError};

/// The status that an error travels as.
impl From<&ToolError> for Status {
    fn from(error: &ToolError) -> Self {
        with(code(error.code), error)
    }
}

/// The status of a method that is not here; `reason` where there is more to say than that.
pub(super) fn unimplemented(path: &str, reason: &str) -> Status {
    let message = match reason {
        "" => format!("there is no method {}", clip(path)),
        reason => reason.to_owned(),
    };
    with(Grpc::Unimplemented, &ToolError::new(Code::NotFound, message))
}

/// tonic refuses in its own words what it cannot read, before any code of ours sees it: the same with our error.
/// `None` for an answer that needs nothing.
pub(super) fn explained(headers: &HeaderMap, path: &str) -> Option<Status> {
    if !headers.contains_key(Status::GRPC_STATUS) || headers.contains_key(Status::GRPC_STATUS_DETAILS) {
        return None;
    }
    let status = Status::from_header_map(headers)?;
    match status.code() {
        Grpc::Ok => None,
        Grpc::Unimplemented => Some(unimplemented(path, status.message())),
        // A service of health or reflection that is not there.
        Grpc::NotFound => None,
        _ => Some(Status::from(&ToolError::new(Code::ValidationError, clip(status.message())))),
    }
}

fn with(code: Grpc, error: &ToolError) -> Status {
    let detail = Error {
        code: error.code.as_str().to_owned(),
        message: error.message.clone(),
        details: (!error.details.is_empty()).then(|| structure::of(&error.details)),
    };
    let details = tonic_types::Status {
        code: code.into(),
        message: error.message.clone(),
        details: vec![Any { type_url: Error::type_url(), value: detail.encode_to_vec() }],
    };
    Status::with_details(code, error.message.clone(), Bytes::from(details.encode_to_vec()))
}

fn code(code: Code) -> Grpc {
    match code {
        Code::ValidationError => Grpc::InvalidArgument,
        Code::AuthenticationError => Grpc::Unauthenticated,
        Code::Forbidden => Grpc::PermissionDenied,
        Code::NotFound => Grpc::NotFound,
        Code::RateLimited => Grpc::ResourceExhausted,
        Code::TimeoutError => Grpc::DeadlineExceeded,
        Code::ServiceError => Grpc::Unavailable,
        Code::InternalError => Grpc::Internal,
    }
}
