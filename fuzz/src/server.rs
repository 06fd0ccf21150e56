//! A server with arguments of every kind, whose answers depend on nothing else.

use std::collections::BTreeMap;

use kit::{Json, Kit, Parameters, Result, Service, Text, ToolError};
use rmcp::handler::server::router::tool::ToolRouter;
use rmcp::{ServerHandler, tool, tool_router};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub(crate) struct Fuzzed {
    kit: Kit,
}

impl ServerHandler for Fuzzed {}

#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

impl Service for Fuzzed {
    const SLUG: &'static str = "fuzzed";
    const PORT: u16 = 0;
    const ABOUT: &'static str = "Tools with arguments of every kind.";

    type Args = Args;

    async fn connect(_args: Args, kit: Kit) -> anyhow::Result<Self> {
        Ok(Self { kit })
    }

    fn tools(_args: &Self::Args) -> impl Iterator<Item = ToolRouter<Self>> {
        std::iter::once(Self::router())
    }
}

/// One of these.
#[derive(Debug, Clone, Copy, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Mood {
    Good,
    Bad,
}

/// Every kind of argument.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Every {
    /// A text.
    text: String,
    /// A whole number.
    #[serde(default)]
    count: Option<i64>,
    /// Any number.
    #[serde(default)]
    share: Option<f64>,
    /// One of a few.
    #[serde(default)]
    mood: Option<Mood>,
    /// Several.
    #[serde(default)]
    list: Vec<String>,
    /// By name.
    #[serde(default)]
    map: BTreeMap<String, u8>,
}

#[derive(Deserialize, JsonSchema)]
struct SecretInput {
    /// Not to be seen.
    #[schemars(extend("format" = "password"))]
    password: String,
}

#[derive(Serialize, JsonSchema)]
struct Length {
    /// In bytes.
    length: usize,
}

#[derive(Serialize, JsonSchema)]
struct Long {
    /// Cut when it is too long.
    text: Text,
}

#[tool_router(router = router)]
impl Fuzzed {
    /// Says it back.
    #[tool(title = "Every kind", annotations(read_only_hint = true))]
    async fn every(&self, Parameters(every): Parameters<Every>) -> Result<Json<Every>> {
        Ok(Json(every))
    }

    /// Measures it, and writes an audit line.
    #[tool(title = "Secret", annotations(read_only_hint = false, destructive_hint = false))]
    async fn secret(&self, Parameters(input): Parameters<SecretInput>) -> Result<Json<Length>> {
        Ok(Json(Length { length: input.password.len() }))
    }

    /// Repeats it until it is long.
    #[tool(title = "Long", annotations(read_only_hint = true))]
    async fn long(&self, Parameters(every): Parameters<Every>) -> Result<Json<Long>> {
        let text = every.text.repeat(usize::try_from(every.count.unwrap_or(1).clamp(0, 1000)).unwrap_or(0));
        Ok(Json(Long { text: Text::head(text, self.kit.text_limit(), "ask for less") }))
    }

    /// Fails with what it is told.
    #[tool(title = "Fail", annotations(read_only_hint = true))]
    async fn fail(&self, Parameters(every): Parameters<Every>) -> Result<Json<Length>> {
        Err(ToolError::invalid("text", every.text))
    }
}
