//! What a client carries from a question to its answer: sealed, so that it comes back unchanged, in time, once, and
//! from the caller it was given to for the same call.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use rmcp::model::{InputResponses, JsonObject, RequestStateError, SealOptions};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::keys::Keys;
use super::used::Used;
use crate::auth::Principal;
use crate::{Code, ToolError};

/// What is known by the time of a question.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct State {
    /// Under which it is used once.
    #[serde(rename = "n")]
    pub(crate) nonce: String,
    /// The answers to questions that were put.
    #[serde(rename = "a", default)]
    pub(crate) answers: InputResponses,
    /// Answers that came without a question.
    #[serde(rename = "f", default)]
    pub(crate) free: InputResponses,
    /// The names of the questions that go with it.
    #[serde(rename = "q", default)]
    pub(crate) asked: Vec<String>,
    /// How often the client was asked.
    #[serde(rename = "r", default)]
    pub(crate) rounds: u32,
}

/// Which call a state belongs to.
pub(crate) struct Bound {
    caller: Arc<str>,
    call: Vec<u8>,
}

impl Bound {
    /// `what` names the call: the method, and the tool or prompt.
    pub(crate) fn to(
        slug: &str,
        caller: &Principal,
        what: (&str, &str),
        arguments: Option<&JsonObject>,
    ) -> Self {
        let digest = Sha256::digest(canonical(arguments).as_bytes());
        let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        let call = json!([slug, &*caller.name, what.0, what.1, digest]).to_string().into_bytes();
        Self { caller: caller.name.clone(), call }
    }
}

/// Clients may order the members anew when they call again.
fn canonical(arguments: Option<&JsonObject>) -> String {
    fn sorted(value: &Value) -> Value {
        match value {
            Value::Object(members) => {
                let members: BTreeMap<_, _> =
                    members.iter().map(|(name, value)| (name, sorted(value))).collect();
                members.into_iter().map(|(name, value)| (name.clone(), value)).collect::<JsonObject>().into()
            }
            Value::Array(items) => items.iter().map(sorted).collect(),
            other => other.clone(),
        }
    }
    sorted(&Value::Object(arguments.cloned().unwrap_or_default())).to_string()
}

/// Seals states and opens them.
pub(crate) struct Seal {
    keys: Keys,
    used: Used,
    lifetime: Duration,
}

impl Seal {
    pub(crate) fn new(keys: Keys, used: Used, lifetime: Duration) -> Self {
        Self { keys, used, lifetime }
    }

    /// Seals a state, under a new nonce.
    pub(crate) fn close(&self, bound: &Bound, mut state: State) -> Result<String, ToolError> {
        state.nonce = uuid::Uuid::new_v4().simple().to_string();
        let options = SealOptions::new().ttl(self.lifetime).associated_data(&bound.call);
        self.keys
            .codec()
            .seal_json_with(&state, &options)
            .map_err(|error| ToolError::internal("the state could not be sealed").because(&error))
    }

    /// Opens a state that came back, once.
    ///
    /// # Errors
    /// `VALIDATION_ERROR` with `details.field` = `requestState` when it is not ours, not for this call, expired or
    /// used.
    pub(crate) fn open(&self, bound: &Bound, sealed: &str) -> Result<State, ToolError> {
        let state: State =
            self.keys.codec().open_json_with(sealed, &bound.call).map_err(|error| refuse(&error))?;
        // Anything else is not a nonce of ours, however well it is signed, and would become the name of a file.
        if uuid::Uuid::try_parse(&state.nonce).is_err() {
            return Err(bad("is not one of this server's"));
        }
        if self.used.take(&bound.caller, &state.nonce)? { Ok(state) } else { Err(bad("was used already")) }
    }
}

fn refuse(error: &RequestStateError) -> ToolError {
    match error {
        RequestStateError::IntegrityCheckFailed => {
            bad("was changed, or given to another caller or for another call")
        }
        RequestStateError::Expired => bad("has expired"),
        RequestStateError::UnknownKeyId => bad("was sealed with a key that is not held here"),
        _ => bad("is not one of this server's"),
    }
}

fn bad(reason: &str) -> ToolError {
    let message = format!("requestState {reason}; call again without it");
    ToolError::new(Code::ValidationError, message).with("field", "requestState")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::Role;

    fn seal(lifetime: Duration) -> Seal {
        Seal::new(Keys::new(None).expect("key"), Used::new(lifetime, None).expect("used"), lifetime)
    }

    fn caller(name: &str) -> Principal {
        Principal::new(name, Role::Write)
    }

    fn arguments(value: Value) -> JsonObject {
        value.as_object().expect("object").clone()
    }

    const CALL: (&str, &str) = ("tools/call", "docker_restart");
    const LONG: Duration = Duration::from_secs(600);

    #[test]
    fn comes_back_once_to_whom_it_was_given() {
        let seal = seal(LONG);
        let given = arguments(json!({"a": 1, "b": {"c": 2, "d": [3]}}));
        let bound = |name, call, given: &JsonObject| Bound::to("x", &caller(name), call, Some(given));
        let state = State { asked: vec!["confirm".into()], ..State::default() };
        let sealed = seal.close(&bound("ops", CALL, &given), state).expect("sealed");
        let other = arguments(json!({"a": 1, "b": {"c": 2, "d": [4]}}));
        for foreign in [
            bound("eve", CALL, &given),
            bound("ops", ("tools/call", "docker_inspect"), &given),
            bound("ops", ("prompts/get", "docker_restart"), &given),
            bound("ops", CALL, &other),
            Bound::to("y", &caller("ops"), CALL, Some(&given)),
        ] {
            let error = seal.open(&foreign, &sealed).expect_err("foreign");
            assert_eq!(error.details["field"], "requestState");
        }
        let turned = arguments(json!({"b": {"d": [3], "c": 2}, "a": 1}));
        assert_eq!(seal.open(&bound("ops", CALL, &turned), &sealed).expect("ours").asked, ["confirm"]);
        let error = seal.open(&bound("ops", CALL, &given), &sealed).expect_err("a replay");
        assert!(error.message.contains("used already"), "{error}");
    }

    #[test]
    fn expires() {
        let seal = seal(Duration::from_millis(20));
        let bound = Bound::to("x", &caller("ops"), CALL, None);
        let sealed = seal.close(&bound, State::default()).expect("sealed");
        std::thread::sleep(Duration::from_millis(60));
        let error = seal.open(&bound, &sealed).expect_err("too late");
        assert!(error.message.contains("expired"), "{error}");
    }

    proptest::proptest! {
        #[test]
        fn any_change_is_noticed(at in 0usize..1000, with in "[ -~]", answer in "\\PC*") {
            let seal = seal(LONG);
            let bound = Bound::to("x", &caller("ops"), CALL, None);
            let answers = InputResponses::from([("name".to_owned(), json!(answer))]);
            let sealed = seal.close(&bound, State { answers, ..State::default() }).expect("sealed");
            let mut changed = sealed.clone();
            let at = at % sealed.len();
            changed.replace_range(at..=at, &with);
            // base64 ends in bits that mean nothing; what decodes to the same is the same.
            if changed != sealed && let Ok(state) = seal.open(&bound, &changed) {
                proptest::prop_assert_eq!(&state.answers["name"], &json!(answer));
            }
        }

        #[test]
        fn nothing_made_up_opens(text in "\\PC*") {
            let bound = Bound::to("x", &caller("ops"), CALL, None);
            proptest::prop_assert!(seal(LONG).open(&bound, &text).is_err());
        }
    }
}
