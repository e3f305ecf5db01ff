//! Which modules a program may import.

/// Modules that a program may import beside the host's: pure functions of their arguments, no clock, no system.
/// The second tier loads them before the cage closes.
pub(crate) const ALLOWED: &[&str] = &[
    "__future__",
    "abc",
    "array",
    "bisect",
    "cmath",
    "collections",
    "contextlib",
    "copy",
    "dataclasses",
    "decimal",
    "enum",
    "fractions",
    "functools",
    "heapq",
    "itertools",
    "json",
    "math",
    "numbers",
    "numpy",
    "operator",
    "random",
    "re",
    "statistics",
    "string",
    "textwrap",
    "types",
    "typing",
];

/// Those of them that the first tier does as CPython does; of `typing` it takes the names in annotations.
pub(crate) const FIRST_TIER: &[&str] = &["__future__", "math", "typing"];

/// Whether a program may import the top-level module `name`.
pub(crate) fn is_allowed(name: &str) -> bool {
    ALLOWED.contains(&name)
}

/// What the `ImportError` of any other import says.
pub(crate) fn refusal(name: &str) -> String {
    format!("{REFUSAL}{name}")
}

/// How [`refusal`] begins.
pub(crate) const REFUSAL: &str = "programs may not import ";
