//! What models learn from runs: lessons, their texts, and the operator trained on them.
//!
//! It takes iterators of [`mutate::Lesson`]s and knows nothing of stores, archives or domains.
