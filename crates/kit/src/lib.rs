//! The chassis every Gantry server stands on: doors, identity, policy, health, metrics, logs, shutdown.
//!
//! A server is a [`Service`]; its `main` is `kit::run::<Service>()`. `examples/everything.rs` is the shortest
//! whole one.

pub mod auth;
pub mod cli;
pub mod error;
pub mod guard;
pub mod health;
pub mod http;
pub mod log;
pub mod schema;
pub mod settings;
pub mod telemetry;
pub mod tls;

mod app;
mod ask;
mod audit;
mod call;
mod calls;
mod catalog;
mod changes;
mod confirm;
mod dispatch;
mod doors;
mod followed;
mod handler;
mod methods;
mod metrics;
mod misread;
mod params;
mod policy;
mod record;
mod run;
mod serve;
mod service;
mod shutdown;
mod signature;
mod structure;
mod tasks;
mod text;

pub use ask::{Question, words};
pub use call::Call;
pub use changes::List;
pub use error::{Code, Result, ToolError};
pub use followed::Followed;
pub use guard::Guard;
pub use health::Check;
pub use methods::{Effect, Method};
pub use params::{Parameters, read};
pub use rmcp::handler::server::wrapper::Json;
pub use run::run;
#[cfg(feature = "testing")]
pub use run::testing;
pub use service::{Aliases, Kit, Service};
pub use structure::written;
pub use tasks::AsTask;
pub use text::{Text, Truncated, clip};

/// The version of all programs.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
