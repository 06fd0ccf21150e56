//! `gantry.tool.v1.ToolService`: the tools that the caller may call, and calls of them.

use std::sync::Arc;

use futures::stream::BoxStream;
use proto::gantry::tool::v1::call_tool_request::Input;
use proto::gantry::tool::v1::tool_service_server::ToolService;
use proto::gantry::tool::v1::{CallToolRequest, CallToolResponse, ListToolsRequest, ListToolsResponse};
use rmcp::model::CallToolRequestParams;
use serde_json::{Map, Value};
use tonic::{Request, Response, Status};

use super::{deadline, message, stream, structure};
use crate::ToolError;
use crate::app::App;
use crate::auth::Principal;
use crate::call::WaitsFor;
use crate::service::Service;

/// Most tools on a page, and how many when the client leaves it to us.
const PAGE: usize = 100;

/// The service, on everything the doors share.
pub(super) struct Tools<S: Service>(pub(super) Arc<App<S>>);

#[tonic::async_trait]
impl<S: Service> ToolService for Tools<S> {
    /// The cursor is the name of the last tool on the page before, so that a page never repeats a tool.
    async fn list_tools(
        &self,
        request: Request<ListToolsRequest>,
    ) -> Result<Response<ListToolsResponse>, Status> {
        let role = match request.extensions().get::<Principal>() {
            Some(caller) => caller.role,
            None => return Err(Status::from(&ToolError::internal("a request came in without its caller"))),
        };
        let ListToolsRequest { cursor, page_size } = request.into_inner();
        let size = match usize::try_from(page_size) {
            Ok(size @ 1..PAGE) => size,
            _ => PAGE,
        };
        let all = self.0.dispatch.catalog.list(role, false).map(|entry| entry.definition(role));
        let mut rest = all.filter(|tool| *tool.name > *cursor).peekable();
        let tools: Vec<_> = rest.by_ref().take(size).map(|tool| message::tool(&tool)).collect();
        let last = tools.last().filter(|_| rest.peek().is_some());
        let next_cursor = last.map(|tool| tool.name.clone()).unwrap_or_default();
        Ok(Response::new(ListToolsResponse { tools, next_cursor }))
    }

    type CallToolStream = BoxStream<'static, Result<CallToolResponse, Status>>;

    async fn call_tool(
        &self,
        request: Request<CallToolRequest>,
    ) -> Result<Response<Self::CallToolStream>, Status> {
        let (metadata, extensions, CallToolRequest { name, input }) = request.into_parts();
        let (mut parts, ()) = http::Request::new(()).into_parts();
        parts.headers = metadata.into_headers();
        parts.extensions = extensions;
        let refused = |error: ToolError| Status::from(&error);
        if let Some(patience) = deadline::of(&parts.headers).map_err(refused)? {
            parts.extensions.insert(WaitsFor(patience));
        }
        let params = CallToolRequestParams::new(name).with_arguments(arguments(input).map_err(refused)?);
        stream::call(self.0.clone(), params, parts).await.map(Response::new)
    }
}

fn arguments(input: Option<Input>) -> Result<Map<String, Value>, ToolError> {
    match input {
        None => Ok(Map::new()),
        Some(Input::Arguments(arguments)) => structure::arguments(arguments),
        Some(Input::ArgumentsJson(json)) => match serde_json::from_str(&json) {
            Ok(Value::Object(arguments)) => Ok(arguments),
            Ok(_) => Err(ToolError::invalid("arguments_json", "arguments_json must be a JSON object")),
            Err(error) => {
                Err(ToolError::invalid("arguments_json", format!("arguments_json is not JSON: {error}")))
            }
        },
    }
}
