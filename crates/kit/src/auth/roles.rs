//! Which role a caller has by what a provider says of it: rules as `CLAIM:VALUE=ROLE`.

use std::str::FromStr;

use anyhow::Context;
use serde_json::{Map, Value};

use super::Role;
use crate::{Code, ToolError};

/// What a provider says of a caller, by name.
pub(super) type Claims = Map<String, Value>;

/// One rule: whose claim has this value has this role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RoleRule {
    claim: String,
    value: String,
    role: Role,
}

impl FromStr for RoleRule {
    type Err = anyhow::Error;

    /// The value may hold colons and equals signs; the claim only those of a URL that it is (`https://…`).
    fn from_str(text: &str) -> anyhow::Result<Self> {
        let form = "not in the form CLAIM:VALUE=ROLE";
        let (left, role) = text.rsplit_once('=').context(form)?;
        let mut colons = left.match_indices(':').map(|(at, _)| at);
        let at = colons.find(|at| !left[at + 1..].starts_with("//")).context(form)?;
        let (claim, value) = (left[..at].trim(), left[at + 1..].trim());
        anyhow::ensure!(!claim.is_empty() && !value.is_empty(), form);
        Ok(Self { claim: claim.to_owned(), value: value.to_owned(), role: role.trim().parse()? })
    }
}

/// All rules; the highest role that matches holds.
#[derive(Debug, Clone)]
pub(super) struct Roles(Vec<RoleRule>);

impl Roles {
    pub(super) fn new(rules: &[RoleRule]) -> Self {
        Self(rules.to_vec())
    }

    /// One scope a role, for an operator who says nothing.
    pub(super) fn by_scope() -> Self {
        let rule = |(value, role): (&str, _)| RoleRule { claim: "scope".into(), value: value.into(), role };
        let scopes =
            [("gantry.read", Role::Read), ("gantry.write", Role::Write), ("gantry.admin", Role::Admin)];
        Self(scopes.map(rule).into())
    }

    /// The role of a caller.
    ///
    /// # Errors
    /// `FORBIDDEN` when no rule matches, with the scopes that would.
    pub(super) fn of(&self, claims: &Claims) -> Result<Role, ToolError> {
        let matching = self.0.iter().filter(|rule| rule.matches(claims)).map(|rule| rule.role);
        matching.max().ok_or_else(|| {
            let scopes = self.scopes().join(" ");
            let message = "the caller is known, but no rule of --roles gives it a role here";
            let error = ToolError::new(Code::Forbidden, message).with("reason", "insufficient_scope");
            if scopes.is_empty() { error } else { error.with("scope", scopes) }
        })
    }

    /// The scopes that rules name.
    pub(super) fn scopes(&self) -> Vec<&str> {
        self.0.iter().filter(|rule| is_scope(&rule.claim)).map(|rule| &*rule.value).collect()
    }
}

impl RoleRule {
    fn matches(&self, claims: &Claims) -> bool {
        match claim(claims, &self.claim) {
            Some(Value::String(text)) if is_scope(&self.claim) => {
                text.split_ascii_whitespace().any(|scope| scope == self.value)
            }
            Some(Value::String(text)) => *text == self.value,
            Some(Value::Array(values)) => values.iter().any(|value| value.as_str() == Some(&self.value)),
            Some(Value::Bool(truth)) => truth.to_string() == self.value,
            _ => false,
        }
    }
}

/// Scopes are one string with spaces between them (RFC 6749, 3.3); other strings are taken whole.
fn is_scope(claim: &str) -> bool {
    matches!(claim, "scope" | "scp")
}

/// A claim by its name, else by the path that its dots make of it.
pub(super) fn claim<'a>(claims: &'a Claims, name: &str) -> Option<&'a Value> {
    claims.get(name).or_else(|| {
        let mut path = name.split('.');
        let first = claims.get(path.next()?)?;
        path.try_fold(first, |value, name| value.get(name))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn role(rules: &[&str], claims: &Value) -> Option<Role> {
        let rules: Vec<RoleRule> = rules.iter().map(|rule| rule.parse().expect(rule)).collect();
        Roles::new(&rules).of(claims.as_object().expect("object")).ok()
    }

    #[test]
    fn the_highest_match_wins() {
        let rules = ["scope:gantry.read=read", "scope:gantry.write=write", "groups:system:masters=admin"];
        let of = |claims: Value| role(&rules, &claims);
        assert_eq!(of(json!({"scope": "openid gantry.write gantry.read"})), Some(Role::Write));
        assert_eq!(of(json!({"scope": ["gantry.read"]})), Some(Role::Read));
        assert_eq!(of(json!({"scope": "gantry.read", "groups": ["system:masters"]})), Some(Role::Admin));
        for nothing in [
            json!({}),
            json!({"scope": "gantry.reader"}),
            json!({"scope": "gantry.read\u{a0}x"}),
            json!({"groups": "a system:masters"}),
            json!({"groups": {"system:masters": true}}),
            json!({"scope": null}),
        ] {
            assert_eq!(of(nothing.clone()), None, "{nothing}");
        }
    }

    #[test]
    fn claims_may_be_nested_or_have_dots_and_urls_for_names() {
        let nested = json!({"realm_access": {"roles": ["ops"]}, "https://x.example/r": ["ops"]});
        assert_eq!(role(&["realm_access.roles:ops=write"], &nested), Some(Role::Write));
        assert_eq!(role(&["https://x.example/r:ops=write"], &nested), Some(Role::Write));
        assert_eq!(role(&["realm_access.roles.0:ops=write"], &nested), None);
        assert_eq!(role(&["email_verified:true=read"], &json!({"email_verified": true})), Some(Role::Read));
    }

    #[test]
    fn a_refusal_names_the_scopes() {
        let rules = ["scope:a=read".parse().expect("rule"), "groups:b=read".parse().expect("rule")];
        let error = Roles::new(&rules).of(&Claims::new()).expect_err("none");
        assert_eq!((error.code, &error.details["scope"]), (Code::Forbidden, &json!("a")));
    }

    #[test]
    fn a_rule_that_cannot_be_read_is_refused() {
        for text in
            ["", "groups", "groups=admin", "groups:ops", "groups:ops=king", ":ops=read", "groups:=read"]
        {
            assert!(text.parse::<RoleRule>().is_err(), "{text}");
        }
    }
}
