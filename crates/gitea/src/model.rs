//! What forges answer, as far as an agent has use for it: fields that are not here never reach it.

pub(crate) mod access;
pub(crate) mod actions;
pub(crate) mod brief;
pub(crate) mod commit;
pub(crate) mod content;
pub(crate) mod given;
pub(crate) mod hook;
pub(crate) mod issue;
pub(crate) mod label;
pub(crate) mod milestone;
pub(crate) mod name;
pub(crate) mod named;
pub(crate) mod notification;
pub(crate) mod package;
pub(crate) mod place;
pub(crate) mod project;
pub(crate) mod protection;
pub(crate) mod pull;
pub(crate) mod release;
pub(crate) mod repository;
pub(crate) mod team;
pub(crate) mod user;
pub(crate) mod wiki;

use std::fmt::Display;

use serde::Serialize;

/// Said of what is gone.
#[derive(Debug, Serialize)]
pub(crate) struct Deleted {
    deleted: String,
}

impl Deleted {
    /// By the name or number that the caller knows it by.
    pub(crate) fn of(what: impl Display) -> Self {
        Self { deleted: what.to_string() }
    }
}
