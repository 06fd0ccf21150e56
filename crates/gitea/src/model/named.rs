//! Objects that stand in others, where only what they are called matters.

use serde::Deserialize;

/// What an object is called, of whichever kind it is.
#[derive(Deserialize)]
struct Named {
    login: Option<String>,
    full_name: Option<String>,
    name: Option<String>,
    title: Option<String>,
}

impl Named {
    /// Users have a full name too, and teams a title of none: the most telling comes first.
    fn one(self) -> Option<String> {
        self.login.or(self.title).or(self.full_name.filter(|it| it.contains('/'))).or(self.name)
    }
}

/// An object by its name alone.
pub(crate) mod name {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::Named;

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
        Ok(Option::<Named>::deserialize(from)?.and_then(Named::one))
    }

    pub(crate) fn serialize<S: Serializer>(name: &Option<String>, to: S) -> Result<S::Ok, S::Error> {
        name.serialize(to)
    }
}

/// Objects by their names alone.
pub(crate) mod names {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::Named;

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
        let named = Option::<Vec<Named>>::deserialize(from)?.unwrap_or_default();
        Ok(named.into_iter().filter_map(Named::one).collect())
    }

    pub(crate) fn serialize<S: Serializer>(names: &[String], to: S) -> Result<S::Ok, S::Error> {
        names.serialize(to)
    }
}
