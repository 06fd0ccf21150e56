//! Names of the OpenTelemetry conventions for MCP and GenAI, RPC and HTTP (2026-09). Those for MCP are not stable yet
//! and have left the crate of constants.

pub(super) const ERROR_TYPE: &str = "error.type";
pub(super) const GEN_AI_OPERATION_NAME: &str = "gen_ai.operation.name";
/// The value of [`GEN_AI_OPERATION_NAME`] for a call of a tool.
pub(super) const EXECUTE_TOOL: &str = "execute_tool";
pub(super) const GEN_AI_PROMPT_NAME: &str = "gen_ai.prompt.name";
pub(super) const GEN_AI_TOOL_NAME: &str = "gen_ai.tool.name";
pub(super) const HTTP_REQUEST_METHOD: &str = "http.request.method";
pub(super) const HTTP_RESPONSE_STATUS_CODE: &str = "http.response.status_code";
pub(super) const HTTP_ROUTE: &str = "http.route";
pub(super) const JSONRPC_REQUEST_ID: &str = "jsonrpc.request.id";
pub(super) const MCP_METHOD_NAME: &str = "mcp.method.name";
pub(super) const MCP_PROTOCOL_VERSION: &str = "mcp.protocol.version";
pub(super) const MCP_SESSION_ID: &str = "mcp.session.id";
pub(super) const MCP_SERVER_OPERATION_DURATION: &str = "mcp.server.operation.duration";
pub(super) const MCP_SERVER_SESSION_DURATION: &str = "mcp.server.session.duration";
pub(super) const NETWORK_PROTOCOL_NAME: &str = "network.protocol.name";
pub(super) const NETWORK_PROTOCOL_VERSION: &str = "network.protocol.version";
pub(super) const NETWORK_TRANSPORT: &str = "network.transport";
pub(super) const RPC_RESPONSE_STATUS_CODE: &str = "rpc.response.status_code";
pub(super) const SERVER_ADDRESS: &str = "server.address";
pub(super) const SERVER_PORT: &str = "server.port";
