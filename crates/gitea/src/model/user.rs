//! People, organisations and teams.

use serde::{Deserialize, Serialize};

/// A user or an organisation, as lists show it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct User {
    pub(crate) id: u64,
    pub(crate) login: String,
    pub(crate) full_name: Option<String>,
    pub(crate) email: Option<String>,
    pub(crate) is_admin: Option<bool>,
    pub(crate) html_url: Option<String>,
}

/// A user or an organisation, where only the name matters.
pub(crate) mod login {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Deserialize)]
    struct Named {
        login: Option<String>,
    }

    /// The name out of an object that holds much more.
    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
        Ok(Option::<Named>::deserialize(from)?.and_then(|user| user.login))
    }

    /// The name alone.
    pub(crate) fn serialize<S: Serializer>(name: &Option<String>, to: S) -> Result<S::Ok, S::Error> {
        name.serialize(to)
    }
}

/// An organisation.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Organization {
    pub(crate) id: u64,
    pub(crate) name: String,
    pub(crate) full_name: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) visibility: Option<String>,
}
