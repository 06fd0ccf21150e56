//! Tools that ask back before they answer: the same code for clients that call again with the answer, for those that
//! answer over their session, and for tasks.

use kit::{Call, Question, Result, words};
use rmcp::{tool, tool_router};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::Everything;

#[derive(Deserialize, JsonSchema)]
struct Name {
    name: String,
}

#[derive(Deserialize, JsonSchema)]
struct Color {
    color: String,
}

#[derive(Deserialize, JsonSchema)]
struct Consent {
    #[expect(dead_code, reason = "the answer is shown as it came")]
    ok: bool,
}

#[tool_router(router = input_required, vis = "pub(crate)")]
impl Everything {
    /// Asks the user's name, then greets.
    #[tool(title = "Ask the user", annotations(read_only_hint = true, open_world_hint = false))]
    async fn test_input_required_result_elicitation(&self, call: Call) -> Result<String> {
        let Name { name } = call.fill_in("user_name", "What is your name?").await?;
        Ok(format!("Hello, {name}!"))
    }

    /// Asks the client's model for a capital.
    #[tool(title = "Ask the model", annotations(read_only_hint = true, open_world_hint = false))]
    async fn test_input_required_result_sampling(&self, call: Call) -> Result<String> {
        let question = Question::sample("What is the capital of France?", 100);
        let answer = call.ask("capital_question", question).await?;
        Ok(words(&answer).unwrap_or_default())
    }

    /// Asks for the client's roots.
    #[tool(title = "Ask for roots", annotations(read_only_hint = true, open_world_hint = false))]
    async fn test_input_required_result_list_roots(&self, call: Call) -> Result<String> {
        let answer = call.ask("client_roots", Question::roots()).await?;
        let roots = answer["roots"].as_array().into_iter().flatten();
        let uris: Vec<&str> = roots.filter_map(|root| root["uri"].as_str()).collect();
        Ok(format!("The client's roots: {}", uris.join(", ")))
    }

    /// Asks the user to confirm, and takes no answer but to that very question.
    #[tool(title = "Carry state", annotations(read_only_hint = true, open_world_hint = false))]
    async fn test_input_required_result_request_state(&self, call: Call) -> Result<String> {
        consent(&call).await
    }

    /// Asks the user to confirm, and refuses a state that was tampered with.
    #[tool(title = "Refuse forged state", annotations(read_only_hint = true, open_world_hint = false))]
    async fn test_input_required_result_tampered_state(&self, call: Call) -> Result<String> {
        consent(&call).await
    }

    /// Asks the user, the client's model and for its roots at once.
    #[tool(title = "Ask several things", annotations(read_only_hint = true, open_world_hint = false))]
    async fn test_input_required_result_multiple_inputs(&self, call: Call) -> Result<String> {
        let (name, greeting, roots) = futures::join!(
            call.fill_in("user_name", "What is your name?"),
            call.ask("greeting", Question::sample("Generate a greeting", 50)),
            call.ask("client_roots", Question::roots()),
        );
        let Name { name } = name?;
        let (greeting, roots) = (words(&greeting?).unwrap_or_default(), roots?);
        let count = roots["roots"].as_array().map_or(0, Vec::len);
        Ok(format!("{greeting} {name}, you have {count} roots."))
    }

    /// Asks the user's name, then a favourite colour.
    #[tool(title = "Ask in rounds", annotations(read_only_hint = true, open_world_hint = false))]
    async fn test_input_required_result_multi_round(&self, call: Call) -> Result<String> {
        let Name { name } = call.fill_in("step1", "Step 1: What is your name?").await?;
        let Color { color } = call.fill_in("step2", "Step 2: What is your favorite color?").await?;
        Ok(format!("{name} likes {color}."))
    }

    /// Asks whom the client lets it ask: the user, the model, or both.
    #[tool(title = "Ask within capabilities", annotations(read_only_hint = true, open_world_hint = false))]
    async fn test_input_required_result_capabilities(&self, call: Call) -> Result<String> {
        let (form, sample) =
            (Question::form::<Name>("What is your name?"), Question::sample("Generate a greeting", 50));
        let name = async {
            if !call.can_ask(&form) {
                return Ok("you".to_owned());
            }
            call.fill_in("user_name", "What is your name?").await.map(|Name { name }| name)
        };
        let greeting = async {
            if !call.can_ask(&sample) {
                return Ok("Hello".to_owned());
            }
            call.ask("greeting", sample.clone()).await.map(|answer| words(&answer).unwrap_or_default())
        };
        let (name, greeting) = futures::join!(name, greeting);
        let (name, greeting) = (name?, greeting?);
        Ok(format!("{greeting}, {name}!"))
    }
}

async fn consent(call: &Call) -> Result<String> {
    let question = Question::form::<Consent>("Please confirm").put_first();
    let answer = call.ask("confirm", question).await?;
    Ok(format!("state-ok, confirmed: {}", answer["content"]["ok"]))
}
