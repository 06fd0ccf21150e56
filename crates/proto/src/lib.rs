//! Code generated from `proto/`.
