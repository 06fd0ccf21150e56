//! TLS at the door: certificates that change under load, clients that must have one, and handshakes that go wrong.

mod authority;
mod clients;
mod load;
mod refusals;
mod server;
