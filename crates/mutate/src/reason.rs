//! Why a child came to nothing: codes and reasons.

use serde::{Deserialize, Serialize};

/// A code of a reason: kebab-case, stable, one of few.
#[derive(Debug, PartialEq, Eq)]
pub struct Code {
    /// As in the store.
    pub name: &'static str,
    /// How far the child came: `invalid`, `unrunnable` or `unscored`.
    pub status: &'static str,
    /// What happened, for people.
    pub sentence: &'static str,
}

/// Why a child came to nothing: a short stable code for counting, and a sentence for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// The name of a [`Code`].
    pub code: String,
    /// What happened, in words.
    pub message: String,
}

impl Reason {
    /// A reason from its code and its message.
    pub fn new(code: &'static Code, message: impl Into<String>) -> Self {
        Self {
            code: code.name.to_owned(),
            message: message.into(),
        }
    }
}

/// Declares codes of one status, a static each, and a table of them.
#[macro_export]
macro_rules! codes {
    ($(#[$meta:meta])* $table:ident: $status:literal; $($id:ident $name:literal $sentence:literal,)*) => {
        $(
            #[doc = $sentence]
            pub static $id: $crate::reason::Code = $crate::reason::Code {
                name: $name,
                status: $status,
                sentence: $sentence,
            };
        )*
        $(#[$meta])*
        pub static $table: &[&$crate::reason::Code] = &[$(&$id),*];
    };
}

codes! {
    /// Why an operator's change comes to nothing.
    CODES: "invalid";
    NO_MUTATION "no-mutation" "the operator found nothing to change",
    UNFINISHED "unfinished" "what the model wrote was cut off after max_tokens and could not be closed",
    STUCK "stuck" "what the model wrote came to a place where nothing can follow",
    UNCHANGED "unchanged" "the model changed nothing",
    STOPPED "stopped" "the run was interrupted while it was written; such a child is not stored",
    NO_PLACE "no-place" "no line can be rewritten",
    PROMPT_TOO_LONG "prompt-too-long" "the model cannot read so long a program",
    EDIT_DOES_NOT_APPLY "edit-does-not-apply" "no diff or blocks, or not of this program",
    ANSWER_EMPTY "answer-empty" "the model wrote nothing, or only its reasoning, a refusal or a tool call",
    ANSWER_TOO_LONG "answer-too-long" "cut at the limit of tokens, or a response of more than max_answer_kb",
    ANSWER_NO_PROGRAM "answer-no-program" "nothing that defines a function or class",
    ANSWER_UNCHANGED "answer-unchanged" "the program as it was",
    ENDPOINT_UNREACHABLE "endpoint-unreachable" "no connection, or it was lost before the answer",
    ENDPOINT_TIMEOUT "endpoint-timeout" "not done within timeout_seconds, or silent for idle_seconds",
    ENDPOINT_STATUS "endpoint-status" "a status that is no success; redirections are not followed",
    ENDPOINT_ANSWER "endpoint-answer" "not HTTP, not JSON, JSON of another shape, an error in place of an answer; or it was empty or ended too early",
    ENDPOINT_DOWN "endpoint-down" "not asked for: give_up_after requests in a row had failed in this iteration",
}
