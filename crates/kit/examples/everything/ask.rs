//! Questions to the client: to its user, to its model, for its roots. Clients of 2025 answer over their session
//! while the call waits; later ones get the question as the result, and call again with the answer. Nobody is
//! asked for what it did not declare.

#![expect(deprecated, reason = "sampling and roots stay until 2027")]

use rmcp::model::*;
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::Value;

use kit::ToolError;

/// What became of a question.
pub(crate) enum Asked {
    /// It was answered, with a result of the question's kind.
    Answer(Value),
    /// The client is to call again with the answer.
    Again(InputRequiredResult),
}

/// The one name under which [`once`] asks.
const ONLY: &str = "answer";

/// Asks one question in the way the client knows.
pub(crate) async fn once(
    context: &RequestContext<RoleServer>,
    answers: &InputResponses,
    question: InputRequest,
) -> Result<Asked, ErrorData> {
    if let Some(answer) = answers.get(ONLY) {
        return Ok(Asked::Answer(answer.clone()));
    }
    require(context, &question)?;
    if context.protocol_version().is_none_or(|version| !version.has_initialize()) {
        return again(context, [(ONLY, question)], None).map(Asked::Again);
    }
    let question = match question {
        InputRequest::Elicitation(it) => ServerRequest::ElicitRequest(it),
        InputRequest::CreateMessage(it) => ServerRequest::CreateMessageRequest(it),
        InputRequest::ListRoots(it) => ServerRequest::ListRootsRequest(it),
        _ => return Err(ErrorData::internal_error("a question of an unknown kind", None)),
    };
    let answer = context
        .peer
        .send_request(question)
        .await
        .map_err(|error| ToolError::service("the client did not answer the question").because(&error))?;
    serde_json::to_value(answer)
        .map(Asked::Answer)
        .map_err(|error| ErrorData::internal_error(error.to_string(), None))
}

/// Has the client call again with answers to these questions.
pub(crate) fn again(
    context: &RequestContext<RoleServer>,
    questions: impl IntoIterator<Item = (&'static str, InputRequest)>,
    state: Option<String>,
) -> Result<InputRequiredResult, ErrorData> {
    let questions: InputRequests =
        questions.into_iter().map(|(name, question)| (name.to_owned(), question)).collect();
    questions.values().try_for_each(|question| require(context, question))?;
    Ok(InputRequiredResult::new(Some(questions), state))
}

/// Refuses a question that the client did not say it can answer.
pub(crate) fn require(
    context: &RequestContext<RoleServer>,
    question: &InputRequest,
) -> Result<(), ErrorData> {
    if declared(context, question) {
        return Ok(());
    }
    let needed = ClientCapabilities::builder();
    Err(ErrorData::missing_required_client_capability(match question {
        InputRequest::Elicitation(_) => needed.enable_elicitation().build(),
        InputRequest::CreateMessage(_) => needed.enable_sampling().build(),
        _ => needed.enable_roots().build(),
    }))
}

/// Whether the client declared that it can answer such a question.
pub(crate) fn declared(context: &RequestContext<RoleServer>, question: &InputRequest) -> bool {
    let can = context.client_capabilities().unwrap_or_default();
    match question {
        InputRequest::Elicitation(_) => can.elicitation.is_some(),
        InputRequest::CreateMessage(_) => can.sampling.is_some(),
        InputRequest::ListRoots(_) => can.roots.is_some(),
        _ => false,
    }
}

/// Asks the user to fill in a form with the fields of `T`.
pub(crate) fn form<T: JsonSchema>(message: &str) -> InputRequest {
    fill(message, ElicitationSchema::from_type::<T>().expect("a form is a flat struct"))
}

/// Asks the user to fill in a form.
pub(crate) fn fill(message: impl Into<String>, requested_schema: ElicitationSchema) -> InputRequest {
    let message = message.into();
    InputRequest::Elicitation(ElicitRequest::new(ElicitRequestParams::FormElicitationParams {
        meta: None,
        message,
        requested_schema,
    }))
}

/// Asks the client's model.
pub(crate) fn sample(prompt: &str, max_tokens: u32) -> InputRequest {
    let messages = vec![SamplingMessage::user_text(prompt)];
    InputRequest::CreateMessage(CreateMessageRequest::new(CreateMessageRequestParams::new(
        messages, max_tokens,
    )))
}

/// Asks for the client's roots.
pub(crate) fn roots() -> InputRequest {
    InputRequest::ListRoots(ListRootsRequest::default())
}

/// What the user filled in; `None` when there is no such answer or it does not fit the form, so that the
/// question has to be asked (again).
///
/// # Errors
/// When the user said no.
pub(crate) fn filled<T: DeserializeOwned>(
    answers: &InputResponses,
    name: &str,
) -> Result<Option<T>, ToolError> {
    let Some(ElicitResult { action, content, .. }) = given(answers, name) else { return Ok(None) };
    if action != ElicitationAction::Accept {
        return Err(ToolError::invalid(name, format!("the user did not answer {name}")));
    }
    Ok(content.and_then(|content| serde_json::from_value(content).ok()))
}

/// The model's words.
pub(crate) fn sampled(answers: &InputResponses, name: &str) -> Option<String> {
    given(answers, name).as_ref().and_then(words)
}

/// The text in a model's message.
pub(crate) fn words(answer: &CreateMessageResult) -> Option<String> {
    Some(answer.message.content.first()?.as_text()?.text.clone())
}

/// An answer, if there is one of this kind.
pub(crate) fn given<T: DeserializeOwned>(answers: &InputResponses, name: &str) -> Option<T> {
    serde_json::from_value(answers.get(name)?.clone()).ok()
}
