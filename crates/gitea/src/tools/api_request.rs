//! Any request to the forge's API, for what no tool does: with this server's guards, and without what is secret.

use http::Method;
use http::header::CONTENT_TYPE;
use kit::{Code, Text, ToolError};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::client::path::Path;
use crate::client::{self, Answered};
use crate::error::{Error, Result};
use crate::forge::{Forge, number, secrets};
use crate::model::hook;
use crate::model::name::Name;
use crate::tool::Tool;

/// Larger answers are not read: what they hold must be known as a whole before any of it is shown.
const MAX_ANSWER: usize = 8 << 20;
/// What is nobody's, and may be read although this server is confined to some owners.
const NOBODYS: [&str; 3] = ["/version", "/user", "/settings/api"];
/// What makes a request somebody else's, where it stands in a query.
const IDENTITIES: [&str; 3] = ["sudo", "token", "access_token"];
/// Where a body names an owner.
const OWNERS: [&str; 4] = ["owner", "organization", "new_owner", "repo_owner"];

pub(super) fn tools() -> Vec<Tool> {
    vec![
        Tool::new(
            "api_request",
            "Request to the API",
            "Any path below /api/v1, for what no other tool does. Only GET, unless the operator allows more.",
        )
        .reads("GET", get)
        .writes("POST", post)
        .writes("PUT", put)
        .writes("PATCH", patch)
        .destroys("DELETE", delete),
    ]
}

/// What is asked.
#[derive(Deserialize, JsonSchema)]
struct Asked {
    path: String,
    query: Option<Map<String, Value>>,
}

/// What is sent.
#[derive(Deserialize, JsonSchema)]
struct Sent {
    body: Option<Map<String, Value>>,
}

/// What came back: as it is, or cut where it is long.
#[derive(Serialize)]
struct Came {
    json: Option<Value>,
    text: Option<Text>,
    total_count: Option<u64>,
}

async fn get(forge: Forge, asked: Asked) -> Result<Came> {
    let path = asked.path(&forge)?;
    came(&forge, &forge.read_within(&path, &asked.query()?, MAX_ANSWER).await?)
}

async fn post(forge: Forge, asked: Asked, sent: Sent) -> Result<Came> {
    change(&forge, Method::POST, &asked, sent).await
}

async fn put(forge: Forge, asked: Asked, sent: Sent) -> Result<Came> {
    change(&forge, Method::PUT, &asked, sent).await
}

async fn patch(forge: Forge, asked: Asked, sent: Sent) -> Result<Came> {
    change(&forge, Method::PATCH, &asked, sent).await
}

async fn delete(forge: Forge, asked: Asked, sent: Sent) -> Result<Came> {
    change(&forge, Method::DELETE, &asked, sent).await
}

async fn change(forge: &Forge, method: Method, asked: &Asked, sent: Sent) -> Result<Came> {
    if !forge.args().allow_api_writes {
        let message = format!("api_request sends nothing but GET; {method} needs --allow-api-writes");
        return Err(ToolError::new(Code::Forbidden, message)
            .with("setting", "GANTRY_ALLOW_API_WRITES")
            .into());
    }
    let path = asked.path(forge)?;
    for owner in sent.body.iter().flat_map(|body| OWNERS.iter().filter_map(|name| body.get(*name)?.as_str()))
    {
        forge.may_touch(owner, None)?;
    }
    let own = path.place().map(|(owner, _)| owner).unwrap_or_default();
    for branch in sent.body.iter().filter_map(|body| body.get("head")?.as_str()) {
        forge.may_touch_branch(branch, own)?;
    }
    came(forge, &forge.change_with(method, &path, &asked.query()?, &sent.body).await?)
}

impl Asked {
    /// Below `/api/v1`, and within what the operator lets this server touch: a confined one asks for nothing of which
    /// it cannot tell whose it is.
    fn path(&self, forge: &Forge) -> Result<Path> {
        if self.path.contains(['?', '#']) {
            return Err(Error::argument("path", "path holds a query; it goes into the argument query"));
        }
        let below = self.path.strip_prefix("/api/v1").unwrap_or(&self.path);
        let path = Path::parse("path", below)?;
        match path.place() {
            Some((owner, repo)) => {
                let names = std::iter::once(owner).chain(repo);
                for name in names {
                    Name::try_from(name.to_owned())
                        .map_err(|problem| Error::argument("path", format!("a name in path {problem}")))?;
                }
                forge.may_touch(owner, repo)?;
            }
            None if forge.is_confined() && !NOBODYS.contains(&path.to_string().as_str()) => {
                return Err(Error::OutOfReach(kit::clip(&path.to_string())));
            }
            None => {}
        }
        Ok(path)
    }

    /// Lists become a pair for each item. Who asks is no matter of the query.
    fn query(&self) -> Result<Vec<(&str, String)>> {
        let mut query = vec![];
        for (name, value) in self.query.iter().flatten() {
            if IDENTITIES.iter().any(|it| it.eq_ignore_ascii_case(name)) {
                let message = format!("{name} would act as somebody else; requests are made as their caller");
                return Err(Error::argument(format!("query.{name}"), message));
            }
            let values = match value {
                Value::Array(values) => values.as_slice(),
                one => std::slice::from_ref(one),
            };
            for value in values {
                query.push((name.as_str(), plain(name, value)?));
            }
        }
        Ok(query)
    }
}

fn plain(name: &str, value: &Value) -> Result<String> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(_) | Value::Bool(_) => Ok(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => Err(Error::argument(
            format!("query.{}", kit::clip(name)),
            "must be a string, a number or a boolean",
        )),
    }
}

fn came(forge: &Forge, answer: &Answered) -> Result<Came> {
    const REST: &str = "ask for less: page and limit in query, or a tool that reads in parts";
    let total_count = number(&answer.headers, "x-total-count");
    let kind = answer.headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let limit = forge.kit().text_limit();
    if answer.bytes.is_empty() {
        return Ok(Came { json: None, text: None, total_count });
    }
    if kind.starts_with("application/json") {
        let mut json = client::read(&answer.bytes)?;
        hide_hooks(&mut json);
        let json = secrets::withheld(json);
        let text = json.to_string();
        if text.len() <= limit {
            return Ok(Came { json: Some(json), text: None, total_count });
        }
        return Ok(Came { json: None, text: Some(Text::head(text, limit, REST)), total_count });
    }
    let text = String::from_utf8(answer.bytes.to_vec());
    let text =
        text.map_err(|_| Error::argument("path", format!("the answer is no text but {}", kit::clip(kind))))?;
    Ok(Came { json: None, text: Some(Text::head(text, limit, REST)), total_count })
}

/// The addresses of webhooks may be keys; see [`hook::shown`].
fn hide_hooks(answer: &mut Value) {
    match answer {
        Value::Object(fields) if fields.contains_key("authorization_header") => {
            let kind = fields.get("type").and_then(Value::as_str).unwrap_or_default().to_owned();
            if let Some(Value::String(url)) =
                fields.get_mut("config").and_then(|config| config.get_mut("url"))
            {
                *url = hook::shown(&kind, url);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(hide_hooks),
        _ => {}
    }
}
