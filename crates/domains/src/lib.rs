//! Domains: what programs mean, and how good they are.

pub mod walkers;
