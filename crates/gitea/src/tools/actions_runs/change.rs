//! Runs started, cancelled and done again.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::{HeaderValue, Method};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{WhichRun, WhichWorkflow, actions};
use crate::client::{self, Body, Request};
use crate::error::{Error, Result};
use crate::forge::{ALL, Forge};
use crate::model::actions::Run;
use crate::model::name::Repo;

/// What a workflow is given.
#[derive(Deserialize, JsonSchema)]
pub(super) struct Given {
    /// branch or tag
    #[serde(rename = "ref")]
    at: String,
    inputs: Option<BTreeMap<String, Value>>,
}

/// A run that was asked for.
#[derive(Serialize)]
pub(super) struct Dispatched {
    workflow_id: String,
    #[serde(rename = "ref")]
    at: String,
    run: Option<Run>,
    /// Where the forge does not say which run it is.
    note: Option<&'static str>,
}

pub(super) async fn dispatch_workflow(
    forge: Forge,
    repo: Repo,
    which: WhichWorkflow,
    given: Given,
) -> Result<Dispatched> {
    let WhichWorkflow { workflow_id } = which;
    let body = json!({"ref": given.at, "inputs": texts(given.inputs.unwrap_or_default())?});
    let path = actions(&repo).at("workflows").at(&workflow_id).at("dispatches");
    let sent = Body {
        content_type: HeaderValue::from_static("application/json"),
        bytes: Bytes::from(body.to_string()),
    };
    // Servers before 1.26 do not know this and answer nothing.
    let query = "return_run_details=true".to_owned();
    let request = Request { method: Method::POST, path: &path, query, body: Some(sent) };
    let answer = forge.write(request, body).await?;
    let (workflow_id, at) = (workflow_id.to_string(), given.at);
    if answer.bytes.is_empty() {
        let note = Some("started; this server does not say which run it is: see list_runs");
        return Ok(Dispatched { workflow_id, at, run: None, note });
    }
    #[derive(Deserialize)]
    struct Said {
        workflow_run_id: u64,
    }
    let Said { workflow_run_id: run_id } = client::read(&answer.bytes)?;
    let run = WhichRun { run_id }.get(&forge, &repo).await?;
    Ok(Dispatched { workflow_id, at, run: Some(run), note: None })
}

/// Inputs are text, whatever a model makes of `true` and `3`.
fn texts(inputs: BTreeMap<String, Value>) -> Result<BTreeMap<String, String>> {
    let text = |(name, value): (String, Value)| {
        let text = match value {
            Value::String(text) => text,
            Value::Bool(_) | Value::Number(_) => value.to_string(),
            Value::Null | Value::Array(_) | Value::Object(_) => {
                let field = format!("inputs.{}", kit::clip(&name));
                let message = format!("{field} must be text, a number or a boolean");
                return Err(Error::argument(field, message));
            }
        };
        Ok((name, text))
    };
    inputs.into_iter().map(text).collect()
}

pub(super) async fn cancel_run(forge: Forge, repo: Repo, which: WhichRun) -> Result<Run> {
    which.get(&forge, &repo).await?;
    forge.change(Method::POST, &which.path(&repo).at("cancel"), &ALL).await?;
    which.get(&forge, &repo).await
}

pub(super) async fn rerun_run(forge: Forge, repo: Repo, which: WhichRun) -> Result<Run> {
    which.get(&forge, &repo).await?;
    forge.change(Method::POST, &which.path(&repo).at("rerun"), &ALL).await?;
    which.get(&forge, &repo).await
}
