//! What the targets share: a server in this process, requests made from bytes, and what holds for every answer.

mod answer;
mod lab;
mod request;
mod server;

pub use answer::{Answer, is_message, is_request, same_id};
pub use lab::{LAB, Lab};
pub use request::request;

/// The one key the server knows. No answer may hold it.
pub const KEY: &str = "fuzz-key-that-no-answer-may-hold";
