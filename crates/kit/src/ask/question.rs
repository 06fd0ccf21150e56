//! Questions: to the user, to the client's model, for the client's roots; and what counts as an answer.

#![expect(deprecated, reason = "sampling and roots stay until 2027")]

use rmcp::model::*;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{Code, ToolError};

/// A question to the client.
#[derive(Clone)]
pub struct Question {
    pub(crate) request: InputRequest,
    /// Whether an answer is one; otherwise the question is put again.
    pub(crate) fits: fn(&Value) -> bool,
    /// Whether only the answer to the question that was really put counts, not one that came along unasked.
    pub(crate) put_first: bool,
}

impl Question {
    /// Asks the user to fill in a form with the fields of `T`.
    ///
    /// # Panics
    /// When `T` is no struct whose fields are plain: strings, numbers, booleans and choices.
    pub fn form<T: JsonSchema + DeserializeOwned>(message: impl Into<String>) -> Self {
        let schema = ElicitationSchema::from_type::<T>().expect("a form is a struct of plain fields");
        Self { fits: fits_form::<T>, ..Self::fill_in(message, schema) }
    }

    /// Asks the user to fill in a form.
    pub fn fill_in(message: impl Into<String>, requested_schema: ElicitationSchema) -> Self {
        let (meta, message) = (None, message.into());
        let form = ElicitRequestParams::FormElicitationParams { meta, message, requested_schema };
        let request = InputRequest::Elicitation(ElicitRequest::new(form));
        Self { request, fits: is::<ElicitResult>, put_first: false }
    }

    /// Asks the client's model.
    pub fn sample(prompt: impl Into<String>, max_tokens: u32) -> Self {
        let messages = vec![SamplingMessage::user_text(prompt.into())];
        let params = CreateMessageRequestParams::new(messages, max_tokens);
        let request = InputRequest::CreateMessage(CreateMessageRequest::new(params));
        Self { request, fits: is::<CreateMessageResult>, put_first: false }
    }

    /// Asks for the client's roots.
    pub fn roots() -> Self {
        let request = InputRequest::ListRoots(ListRootsRequest::default());
        Self { request, fits: is::<ListRootsResult>, put_first: false }
    }

    /// Takes no answer that came without the question.
    #[must_use]
    pub fn put_first(mut self) -> Self {
        self.put_first = true;
        self
    }

    /// Whether a client with these capabilities can be asked this.
    pub(crate) fn suits(&self, can: &ClientCapabilities) -> bool {
        match &self.request {
            // A client that names no kind of elicitation means forms.
            InputRequest::Elicitation(_) => {
                can.elicitation.as_ref().is_some_and(|it| it.form.is_some() || it.url.is_none())
            }
            InputRequest::CreateMessage(_) => can.sampling.is_some(),
            InputRequest::ListRoots(_) => can.roots.is_some(),
            _ => false,
        }
    }

    /// The error for a client that cannot be asked this.
    pub(crate) fn missing(&self) -> ErrorData {
        let needed = ClientCapabilities::builder();
        let (kind, needed) = match &self.request {
            InputRequest::Elicitation(_) => ("elicitation", needed.enable_elicitation().build()),
            InputRequest::CreateMessage(_) => ("sampling", needed.enable_sampling().build()),
            _ => ("roots", needed.enable_roots().build()),
        };
        let mut error = ErrorData::missing_required_client_capability(needed);
        error.message = format!("this call asks back; its client must speak MCP and declare {kind}").into();
        error
    }

    /// The request as a session carries it.
    pub(crate) fn over_session(self) -> Option<ServerRequest> {
        match self.request {
            InputRequest::Elicitation(it) => Some(ServerRequest::ElicitRequest(it)),
            InputRequest::CreateMessage(it) => Some(ServerRequest::CreateMessageRequest(it)),
            InputRequest::ListRoots(it) => Some(ServerRequest::ListRootsRequest(it)),
            _ => None,
        }
    }
}

/// What the user filled in.
///
/// # Errors
/// `FORBIDDEN` with `details.declined` when the user did not want to; `VALIDATION_ERROR` when it does not fit.
pub(crate) fn filled<T: DeserializeOwned>(name: &str, answer: Value) -> Result<T, ToolError> {
    let answer: Option<ElicitResult> = serde_json::from_value(answer).ok();
    match answer {
        Some(answer) if answer.action != ElicitationAction::Accept => Err(declined(name)),
        answer => answer
            .and_then(|answer| serde_json::from_value(answer.content?).ok())
            .ok_or_else(|| ToolError::invalid(name, format!("the answer to {name} does not fit the form"))),
    }
}

/// The detail that tells of a user who said no.
pub(crate) const DECLINED: &str = "declined";

/// The error for a user who said no.
pub(crate) fn declined(name: &str) -> ToolError {
    let message = "the user declined; nothing was done. Do not try again unless the user says so";
    ToolError::new(Code::Forbidden, message).with(DECLINED, name)
}

/// The text in the answer of a client's model.
pub fn words(answer: &Value) -> Option<String> {
    let answer: CreateMessageResult = serde_json::from_value(answer.clone()).ok()?;
    Some(answer.message.content.first()?.as_text()?.text.clone())
}

fn is<T: DeserializeOwned>(answer: &Value) -> bool {
    serde_json::from_value::<T>(answer.clone()).is_ok()
}

fn fits_form<T: DeserializeOwned>(answer: &Value) -> bool {
    !matches!(filled::<T>("", answer.clone()), Err(error) if error.code == Code::ValidationError)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// REST and gRPC hand on the words alone.
    #[test]
    fn who_cannot_be_asked_is_told_what_is_missing() {
        let error = Question::roots().missing();
        assert!(error.message.ends_with("must speak MCP and declare roots"), "{error}");
        assert_eq!(error.code, ErrorCode::MISSING_REQUIRED_CLIENT_CAPABILITY);
    }
}
