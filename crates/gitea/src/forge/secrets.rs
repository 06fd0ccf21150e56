//! What is called like a secret is not shown: in what a dry run tells, and in answers that no type has picked over.

use serde_json::Value;

/// Names of secrets in what is sent and in what is answered.
const SECRETS: [&str; 6] =
    ["secret", "password", "token", "authorization_header", "auth_token", "client_secret"];
/// That of an Actions secret in what is sent; an answer's `data` is a variable's.
const SENT: &str = "data";

/// A body without its secrets.
pub(crate) fn hidden(body: Value) -> Value {
    without(body, &|name| name == SENT || SECRETS.contains(&name))
}

/// An answer without its secrets.
pub(crate) fn withheld(answer: Value) -> Value {
    without(answer, &|name| SECRETS.contains(&name))
}

fn without(mut value: Value, is_secret: &impl Fn(&str) -> bool) -> Value {
    match &mut value {
        Value::Object(fields) => {
            for (name, value) in fields {
                *value = match is_secret(name) && value.as_str().is_some_and(|text| !text.is_empty()) {
                    true => Value::String("***".into()),
                    false => without(value.take(), is_secret),
                };
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| *item = without(item.take(), is_secret)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn secrets_are_not_shown() {
        let body = json!({"config": [{"secret": "x"}], "data": "y", "token": 7, "password": ""});
        let shown = json!({"config": [{"secret": "***"}], "data": "***", "token": 7, "password": ""});
        assert_eq!(hidden(body), shown);
        assert_eq!(withheld(json!({"data": "y", "token": "z"})), json!({"data": "y", "token": "***"}));
    }
}
