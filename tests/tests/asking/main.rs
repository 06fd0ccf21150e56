//! Servers that ask back: in rounds over replicas, over sessions, with an argument where nobody can be asked; and
//! calls that become tasks.

mod client;
mod confirm;
mod rounds;
mod streams;
mod tasks;
