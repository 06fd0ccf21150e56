//! The gRPC door, spoken with the generated client.

use anyhow::{Context, Result, ensure};
use prost::Message as _;
use prost_types::value::Kind;
use proto::gantry::tool::v1::call_tool_request::Input;
use proto::gantry::tool::v1::call_tool_response::Message;
use proto::gantry::tool::v1::tool_service_client::ToolServiceClient;
use proto::gantry::tool::v1::{CallToolRequest, Error};
use serde_json::{Map, Value, json};
use tonic::transport::Endpoint;
use tonic::{Code, Request, Status};

use crate::door::Answer;
use crate::program::Target;

/// Calls a tool; the slug of a target behind an edge goes into the metadata.
pub(crate) async fn call(target: &Target, tool: &str, arguments: &Value) -> Result<Answer> {
    let channel = Endpoint::from_shared(format!("http://{}", target.host))?.connect().await?;
    let input = Some(Input::ArgumentsJson(arguments.to_string()));
    let mut request = Request::new(CallToolRequest { name: tool.to_owned(), input });
    if let Some(slug) = target.prefix.strip_prefix('/') {
        request.metadata_mut().insert("gantry-slug", slug.parse()?);
    }
    let mut client = ToolServiceClient::new(channel).max_decoding_message_size(usize::MAX);
    let mut stream = match client.call_tool(request).await {
        Ok(answer) => answer.into_inner(),
        Err(status) => return refused(&status),
    };
    loop {
        match stream.message().await {
            Ok(Some(message)) => match message.message.context("an empty message")? {
                Message::Progress(_) => {}
                Message::Result(result) if result.json.is_empty() => return Ok(Answer::Done(json!({}))),
                Message::Result(result) => return Ok(Answer::Done(serde_json::from_str(&result.json)?)),
            },
            Ok(None) => anyhow::bail!("the stream ended without a result"),
            Err(status) => return refused(&status),
        }
    }
}

/// Our error out of the details of a status, as the other doors write it; of its own details what is text.
fn refused(status: &Status) -> Result<Answer> {
    let details = tonic_types::Status::decode(status.details())?;
    let error: Error = details.details.first().with_context(|| format!("no details: {status}"))?.to_msg()?;
    ensure!(status.code() == code(&error.code), "{} came with {:?}", error.code, status.code());
    let fields = error.details.unwrap_or_default().fields;
    let text = fields.into_iter().filter_map(|(name, value)| match value.kind {
        Some(Kind::StringValue(text)) => Some((name, Value::from(text))),
        _ => None,
    });
    let details: Map<String, Value> = text.collect();
    Ok(Answer::Refused(json!({"error": error.code, "message": error.message, "details": details})))
}

/// The status that belongs to one of our codes.
fn code(code: &str) -> Code {
    match code {
        "VALIDATION_ERROR" => Code::InvalidArgument,
        "AUTHENTICATION_ERROR" => Code::Unauthenticated,
        "FORBIDDEN" => Code::PermissionDenied,
        "NOT_FOUND" => Code::NotFound,
        "RATE_LIMITED" => Code::ResourceExhausted,
        "SERVICE_ERROR" => Code::Unavailable,
        "TIMEOUT_ERROR" => Code::DeadlineExceeded,
        _ => Code::Internal,
    }
}
