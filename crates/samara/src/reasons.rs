//! Why children come to nothing: the codes of all rooms in one table.

use mutate::Code;

/// All codes, in the order in which a child meets them.
pub fn table() -> Vec<&'static Code> {
    [
        mutate::reason::CODES,
        domains::walkers::UNRUNNABLE,
        domains::walkers::UNSCORED,
        evolve::UNTRIED,
        evolve::CODES,
    ]
    .concat()
}

/// What a code means, where it is known.
pub fn sentence(code: &str) -> Option<&'static str> {
    table()
        .into_iter()
        .find(|known| known.name == code)
        .map(|known| known.sentence)
}
