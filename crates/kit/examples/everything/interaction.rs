//! Tools that talk with the client while they work: progress, and questions asked in the way the client knows.

use std::time::Duration;

use kit::{Call, Parameters, Question, Result, ToolError, words};
use rmcp::model::{ElicitationSchema, object};
use rmcp::{tool, tool_router};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::Everything;

/// A pause that lets messages reach the client one at a time.
pub(crate) const PAUSE: Duration = Duration::from_millis(50);

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct SamplingInput {
    /// What to ask the client's model.
    prompt: String,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ElicitationInput {
    /// What to tell the user.
    message: String,
}

/// What `test_elicitation` asks the user for.
#[derive(Deserialize, JsonSchema)]
struct Person {
    #[expect(dead_code, reason = "the answer is shown as it came")]
    /// User's response
    username: String,
    #[expect(dead_code, reason = "the answer is shown as it came")]
    /// User's email address
    email: String,
}

#[tool_router(router = interaction, vis = "pub(crate)")]
impl Everything {
    /// Reports its progress in three steps.
    #[tool(title = "Progress", annotations(read_only_hint = true, open_world_hint = false))]
    async fn test_tool_with_progress(&self, call: Call) -> String {
        call.progress(0.0, Some(100.0), "begun").await;
        tokio::time::sleep(PAUSE).await;
        call.progress(50.0, Some(100.0), "half-way").await;
        tokio::time::sleep(PAUSE).await;
        call.progress(100.0, Some(100.0), "done").await;
        "Progress was reported in three steps.".into()
    }

    /// Works for a moment, in which a client of 2025 can lose the stream and come back for the result.
    #[tool(title = "Reconnection", annotations(read_only_hint = true, open_world_hint = false))]
    async fn test_reconnection(&self) -> String {
        tokio::time::sleep(10 * PAUSE).await;
        "The result waited for whoever came back.".into()
    }

    /// Asks the client's model and returns its answer.
    #[tool(title = "Sampling", annotations(read_only_hint = true, open_world_hint = false))]
    async fn test_sampling(
        &self,
        Parameters(SamplingInput { prompt }): Parameters<SamplingInput>,
        call: Call,
    ) -> Result<String> {
        let answer = call.ask("answer", Question::sample(prompt, 100)).await?;
        let words = words(&answer)
            .ok_or_else(|| ToolError::service("the client's model did not answer with text"))?;
        Ok(format!("LLM response: {words}"))
    }

    /// Asks the user for a name and an address.
    #[tool(title = "Elicitation", annotations(read_only_hint = true, open_world_hint = false))]
    async fn test_elicitation(
        &self,
        Parameters(ElicitationInput { message }): Parameters<ElicitationInput>,
        call: Call,
    ) -> Result<String> {
        let answer = call.ask("answer", Question::form::<Person>(message)).await?;
        Ok(format!("User response: {}", described(&answer)))
    }

    /// Asks the user to fill in a form that has a default in every field.
    #[tool(title = "Elicitation with defaults", annotations(read_only_hint = true, open_world_hint = false))]
    async fn test_elicitation_sep1034_defaults(&self, call: Call) -> Result<String> {
        let properties = json!({
            "name": {"type": "string", "default": "John Doe"},
            "age": {"type": "integer", "default": 30},
            "score": {"type": "number", "default": 95.5},
            "status": {"type": "string", "enum": ["active", "inactive", "pending"], "default": "active"},
            "verified": {"type": "boolean", "default": true},
        });
        complete_form(&call, "Please check these values", properties).await
    }

    /// Asks the user to choose, in every way there is to offer a choice.
    #[tool(title = "Elicitation with choices", annotations(read_only_hint = true, open_world_hint = false))]
    async fn test_elicitation_sep1330_enums(&self, call: Call) -> Result<String> {
        let options = json!(["option1", "option2", "option3"]);
        let titled = json!([
            {"const": "value1", "title": "First Option"},
            {"const": "value2", "title": "Second Option"},
            {"const": "value3", "title": "Third Option"},
        ]);
        let properties = json!({
            "untitledSingle": {"type": "string", "enum": options},
            "titledSingle": {"type": "string", "oneOf": titled},
            "legacyEnum": {
                "type": "string",
                "enum": ["opt1", "opt2", "opt3"],
                "enumNames": ["Option One", "Option Two", "Option Three"],
            },
            "untitledMulti": {"type": "array", "items": {"type": "string", "enum": options}},
            "titledMulti": {"type": "array", "items": {"anyOf": titled}},
        });
        complete_form(&call, "Please choose", properties).await
    }

    /// Reports progress and then asks the user, all on the stream of the one request.
    #[tool(title = "Streamed elicitation", annotations(read_only_hint = true, open_world_hint = false))]
    async fn test_streaming_elicitation(&self, call: Call) -> Result<String> {
        call.progress(1.0, Some(2.0), "about to ask").await;
        complete_form(&call, "May this go on?", json!({"proceed": {"type": "boolean"}})).await
    }

    /// Needs a client that lends its model, and refuses others.
    #[tool(title = "Required capability", annotations(read_only_hint = true, open_world_hint = false))]
    async fn test_missing_capability(&self, call: Call) -> Result<String> {
        let question = Question::sample("", 1);
        if !call.can_ask(&question) {
            // Says which capability is missing.
            call.ask("sample", question).await?;
        }
        Ok("The client declared sampling.".into())
    }
}

async fn complete_form(call: &Call, message: &str, properties: Value) -> Result<String> {
    let schema = object(json!({"type": "object", "properties": properties}));
    let schema = ElicitationSchema::from_json_schema(schema)
        .map_err(|error| ToolError::internal("no form").because(&error))?;
    let answer = call.ask("answer", Question::fill_in(message, schema)).await?;
    Ok(format!("Elicitation completed: {}", described(&answer)))
}

fn described(answer: &Value) -> String {
    format!("action={}, content={}", answer["action"].as_str().unwrap_or_default(), answer["content"])
}
