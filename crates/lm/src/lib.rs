//! Language models of the Llama family.
