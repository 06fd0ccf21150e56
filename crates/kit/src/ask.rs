//! Asking back: one way for a tool to put a question, whatever its client knows. Later clients get the question as
//! the result and call again with the answer; clients of 2025 answer over their session while the call waits; a task
//! waits for `tasks/update`. Nobody is asked for what it did not declare.

mod asker;
mod keys;
mod patience;
mod question;
mod rounds;
mod seal;
mod settings;
mod used;

pub use question::{Question, words};

pub(crate) use asker::{Asker, CONFIRM, Mute, Said};
pub(crate) use patience::Patience;
pub(crate) use question::{DECLINED, filled};
pub(crate) use rounds::{Raised, Rounds, Turn};
pub(crate) use settings::AskArgs;
