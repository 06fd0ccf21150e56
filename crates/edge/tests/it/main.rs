//! The real program against real sockets: upstreams are small TCP servers that record and send exact bytes.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod early;
mod edge;
mod fleet;
mod grpc;
mod http2;
mod identity;
mod lifecycle;
mod limits;
mod replicas;
mod stop;
mod stream;
mod upstream;
mod who;
mod wire;
