//! `GET /openapi.json`: OpenAPI 3.1, made from the tools' own schemas.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde_json::{Map, Value, json};

use crate::Code;
use crate::app::{Admitted, App};
use crate::auth::Role;
use crate::catalog::Entry;
use crate::service::Service;

pub(super) async fn serve<S: Service>(State(app): State<Arc<App<S>>>, caller: Admitted) -> Json<Value> {
    let entries = app.dispatch.catalog.list(caller.0.role, true);
    let paths: Map<String, Value> =
        entries.map(|entry| (format!("/tools/{}", entry.name), path(entry, caller.0.role))).collect();
    let mut document = json!({
        "openapi": "3.1.0",
        "info": {"title": format!("gantry-{}", S::SLUG), "version": crate::VERSION, "description": S::ABOUT},
        // Relative to this document, so that it holds behind any prefix.
        "servers": [{"url": "."}],
        "paths": paths,
        "components": {"schemas": {"Error": error_schema()}},
    });
    if app.auth.is_on() {
        document["components"]["securitySchemes"] = json!({"bearer": {"type": "http", "scheme": "bearer"}});
        document["security"] = json!([{"bearer": []}]);
    }
    Json(document)
}

fn path<S>(entry: &Entry<S>, role: Role) -> Value {
    let tool = entry.definition(role);
    let failure = |code: Code| {
        let content = json!({"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}});
        (code.status().as_str().to_owned(), json!({"description": code.as_str(), "content": content}))
    };
    let mut responses: Map<String, Value> = Code::ALL.into_iter().map(failure).collect();
    let result = tool.output_schema.as_deref().cloned().unwrap_or_default();
    responses.insert(
        "200".into(),
        json!({"description": "The result", "content": {"application/json": {"schema": result}}}),
    );
    let required = tool.input_schema.contains_key("required");
    json!({"post": {
        "operationId": tool.name,
        "summary": tool.title,
        "description": tool.description,
        "deprecated": !entry.listed,
        "requestBody": {
            "required": required,
            "content": {"application/json": {"schema": *tool.input_schema}},
        },
        "responses": responses,
    }})
}

fn error_schema() -> Value {
    let codes: Vec<&str> = Code::ALL.into_iter().map(Code::as_str).collect();
    json!({
        "type": "object",
        "required": ["error", "message", "details"],
        "properties": {
            "error": {"type": "string", "enum": codes},
            "message": {"type": "string", "description": "What is wrong and what to do next."},
            "details": {"type": "object", "description": "Facts a program can use, such as field or retry_after."},
        },
    })
}
