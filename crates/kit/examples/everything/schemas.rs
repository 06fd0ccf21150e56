//! Tools whose argument schemas say more than most: conditions, and an argument that travels in a header too.

use std::sync::Arc;

use kit::{Json, Parameters, Result};
use rmcp::model::JsonObject;
use rmcp::{tool, tool_router};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::Everything;

#[derive(Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Region {
    /// Where the call belongs; sent as the header Mcp-Param-Region too, so that a proxy can route on it.
    #[schemars(extend("x-mcp-header" = "Region"))]
    region: String,
}

#[tool_router(router = schemas, vis = "pub(crate)")]
impl Everything {
    /// Takes an argument that a proxy can see without reading the body.
    #[tool(title = "Argument in a header", annotations(read_only_hint = true, open_world_hint = false))]
    async fn test_header_argument(&self, Parameters(input): Parameters<Region>) -> Result<Json<Region>> {
        Ok(Json(input))
    }

    /// Takes arguments that JSON Schema 2020-12 alone can describe.
    #[tool(
        title = "JSON Schema 2020-12",
        annotations(read_only_hint = true, open_world_hint = false),
        input_schema = contact_schema()
    )]
    async fn json_schema_2020_12_tool(&self, arguments: JsonObject) -> String {
        format!("{} arguments were taken.", arguments.len())
    }
}

/// Somebody who wants to be reached by phone leaves a number, anybody else an address.
fn contact_schema() -> Arc<JsonObject> {
    let street_and_city = json!({"street": {"type": "string"}, "city": {"type": "string"}});
    Arc::new(rmcp::model::object(json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "$defs": {
            "address": {"$anchor": "addressDef", "type": "object", "properties": street_and_city},
        },
        "properties": {
            "name": {"type": "string"},
            "address": {"$ref": "#/$defs/address"},
            "contactMethod": {"type": "string", "enum": ["phone", "email"]},
            "phone": {"type": "string"},
            "email": {"type": "string"},
        },
        "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
        "if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
        "then": {"required": ["phone"]},
        "else": {"required": ["email"]},
        "additionalProperties": false,
    })))
}
