//! Tools that ask back before they answer, as clients of 2026-07-28 know it: in rounds, without a session.

#![expect(deprecated, reason = "sampling and roots stay until 2027")]

use kit::{Call, Result};
use rmcp::handler::server::tool::{InputResponses, RequestState};
use rmcp::model::{CallToolResponse, ListRootsResult};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer, tool, tool_router};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Everything;
use crate::ask::{again, declared, filled, form, given, roots, sample, sampled};
use crate::interaction::text;

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
    ok: bool,
}

/// How far the client is in a call of several rounds.
#[derive(Serialize, Deserialize)]
enum Round {
    Name,
    Color { name: String },
}

type Answer = Result<CallToolResponse, ErrorData>;

#[tool_router(router = input_required, vis = "pub(crate)")]
impl Everything {
    /// Asks the user's name, then greets.
    #[tool(title = "Ask the user", annotations(read_only_hint = true, open_world_hint = false))]
    async fn test_input_required_result_elicitation(
        &self,
        InputResponses(answers): InputResponses,
        context: RequestContext<RoleServer>,
    ) -> Answer {
        match filled::<Name>(&answers.unwrap_or_default(), "user_name")? {
            Some(Name { name }) => Ok(text(format!("Hello, {name}!"))),
            None => Ok(again(&context, [("user_name", form::<Name>("What is your name?"))], None)?.into()),
        }
    }

    /// Asks the client's model for a capital.
    #[tool(title = "Ask the model", annotations(read_only_hint = true, open_world_hint = false))]
    async fn test_input_required_result_sampling(
        &self,
        InputResponses(answers): InputResponses,
        context: RequestContext<RoleServer>,
    ) -> Answer {
        let question = sample("What is the capital of France?", 100);
        match sampled(&answers.unwrap_or_default(), "capital_question") {
            Some(words) => Ok(text(words)),
            None => Ok(again(&context, [("capital_question", question)], None)?.into()),
        }
    }

    /// Asks for the client's roots.
    #[tool(title = "Ask for roots", annotations(read_only_hint = true, open_world_hint = false))]
    async fn test_input_required_result_list_roots(
        &self,
        InputResponses(answers): InputResponses,
        context: RequestContext<RoleServer>,
    ) -> Answer {
        match given(&answers.unwrap_or_default(), "client_roots") {
            Some(ListRootsResult { roots, .. }) => {
                let uris: Vec<&str> = roots.iter().map(|root| &*root.uri).collect();
                Ok(text(format!("The client's roots: {}", uris.join(", "))))
            }
            None => Ok(again(&context, [("client_roots", roots())], None)?.into()),
        }
    }

    /// Asks the user to confirm, and knows its own state again afterwards.
    #[tool(title = "Carry state", annotations(read_only_hint = true, open_world_hint = false))]
    async fn test_input_required_result_request_state(
        &self,
        call: Call,
        state: RequestState,
        answers: InputResponses,
        context: RequestContext<RoleServer>,
    ) -> Answer {
        self.confirm("test_input_required_result_request_state", &call, state, answers, &context)
    }

    /// Asks the user to confirm, and refuses a state that was tampered with.
    #[tool(title = "Refuse forged state", annotations(read_only_hint = true, open_world_hint = false))]
    async fn test_input_required_result_tampered_state(
        &self,
        call: Call,
        state: RequestState,
        answers: InputResponses,
        context: RequestContext<RoleServer>,
    ) -> Answer {
        self.confirm("test_input_required_result_tampered_state", &call, state, answers, &context)
    }

    /// Asks the user, the client's model and for its roots at once.
    #[tool(title = "Ask several things", annotations(read_only_hint = true, open_world_hint = false))]
    async fn test_input_required_result_multiple_inputs(
        &self,
        call: Call,
        RequestState(state): RequestState,
        InputResponses(answers): InputResponses,
        context: RequestContext<RoleServer>,
    ) -> Answer {
        let tool = "test_input_required_result_multiple_inputs";
        let started = self.seal.open::<()>(tool, call.principal(), state)?;
        let answers = answers.unwrap_or_default();
        let name = filled::<Name>(&answers, "user_name")?;
        let greeting = sampled(&answers, "greeting");
        let client_roots = given::<ListRootsResult>(&answers, "client_roots");
        if let (Some(()), Some(Name { name }), Some(greeting), Some(found)) =
            (started, name, greeting, client_roots)
        {
            return Ok(text(format!("{greeting} {name}, you have {} roots.", found.roots.len())));
        }
        let questions = [
            ("user_name", form::<Name>("What is your name?")),
            ("greeting", sample("Generate a greeting", 50)),
            ("client_roots", roots()),
        ];
        let state = self.seal.close(tool, call.principal(), &())?;
        Ok(again(&context, questions, Some(state))?.into())
    }

    /// Asks the user's name, then a favourite colour.
    #[tool(title = "Ask in rounds", annotations(read_only_hint = true, open_world_hint = false))]
    async fn test_input_required_result_multi_round(
        &self,
        call: Call,
        RequestState(state): RequestState,
        InputResponses(answers): InputResponses,
        context: RequestContext<RoleServer>,
    ) -> Answer {
        let tool = "test_input_required_result_multi_round";
        let answers = answers.unwrap_or_default();
        let round = match self.seal.open(tool, call.principal(), state)? {
            None => Round::Name,
            Some(Round::Name) => match filled::<Name>(&answers, "step1")? {
                Some(Name { name }) => Round::Color { name },
                None => Round::Name,
            },
            Some(Round::Color { name }) => match filled::<Color>(&answers, "step2")? {
                Some(Color { color }) => return Ok(text(format!("{name} likes {color}."))),
                None => Round::Color { name },
            },
        };
        let question = match &round {
            Round::Name => ("step1", form::<Name>("Step 1: What is your name?")),
            Round::Color { .. } => ("step2", form::<Color>("Step 2: What is your favorite color?")),
        };
        let state = self.seal.close(tool, call.principal(), &round)?;
        Ok(again(&context, [question], Some(state))?.into())
    }

    /// Asks whom the client lets it ask: the user, the model, or both.
    #[tool(title = "Ask within capabilities", annotations(read_only_hint = true, open_world_hint = false))]
    async fn test_input_required_result_capabilities(
        &self,
        InputResponses(answers): InputResponses,
        context: RequestContext<RoleServer>,
    ) -> Answer {
        let answers = answers.unwrap_or_default();
        let name = filled::<Name>(&answers, "user_name")?.map(|it| it.name);
        let greeting = sampled(&answers, "greeting");
        let questions = [
            ("user_name", form::<Name>("What is your name?"), name.is_none()),
            ("greeting", sample("Generate a greeting", 50), greeting.is_none()),
        ];
        let open: Vec<_> = questions
            .into_iter()
            .filter(|(_, question, missing)| *missing && declared(&context, question))
            .map(|(name, question, _)| (name, question))
            .collect();
        if !open.is_empty() {
            return Ok(again(&context, open, None)?.into());
        }
        let (greeting, name) = (greeting.as_deref().unwrap_or("Hello"), name.as_deref().unwrap_or("you"));
        Ok(text(format!("{greeting}, {name}!")))
    }

    fn confirm(
        &self,
        tool: &'static str,
        call: &Call,
        RequestState(state): RequestState,
        InputResponses(answers): InputResponses,
        context: &RequestContext<RoleServer>,
    ) -> Answer {
        let asked = self.seal.open::<()>(tool, call.principal(), state)?;
        let consent = filled::<Consent>(&answers.unwrap_or_default(), "confirm")?;
        if let (Some(()), Some(Consent { ok })) = (asked, consent) {
            return Ok(text(format!("state-ok, confirmed: {ok}")));
        }
        let state = self.seal.close(tool, call.principal(), &())?;
        Ok(again(context, [("confirm", form::<Consent>("Please confirm"))], Some(state))?.into())
    }
}
