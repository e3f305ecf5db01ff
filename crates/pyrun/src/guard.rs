//! The functions of `guard.py`, each with those that it calls.

use std::collections::{BTreeMap, BTreeSet};

/// What is there for every program stands before it.
const DIVIDES: &str = "# what follows is there where it is needed\n";

/// The texts of the functions by name.
pub(crate) struct Guards {
    /// What every program finds.
    pub(crate) always: &'static str,
    functions: BTreeMap<&'static str, &'static str>,
}

impl Guards {
    pub(crate) fn new() -> Guards {
        let (always, rest) = include_str!("guard.py")
            .split_once(DIVIDES)
            .expect("the line that divides them");
        let begins = |line: &str| line.starts_with("def ") || line.starts_with("class ");
        let mut places: Vec<usize> = Vec::new();
        let mut at = 0;
        for line in rest.split_inclusive('\n') {
            if begins(line) {
                places.push(at);
            }
            at += line.len();
        }
        places.push(rest.len());
        let functions = places.windows(2).map(|pair| {
            let function = &rest[pair[0]..pair[1]];
            (names(function).next().unwrap_or_default(), function)
        });
        Guards {
            always,
            functions: functions.collect(),
        }
    }

    /// The text that binds these functions and all that they call.
    pub(crate) fn text(&self, wanted: &BTreeSet<String>) -> String {
        let mut found = BTreeSet::new();
        let mut open: Vec<String> = wanted.iter().cloned().collect();
        let mut out = String::new();
        while let Some(name) = open.pop() {
            if let Some(&function) = self.functions.get(name.as_str())
                && found.insert(name)
            {
                out.push_str(function);
                open.extend(names(function).map(str::to_owned));
            }
        }
        out
    }
}

/// The names of guards in a text.
fn names(text: &'static str) -> impl Iterator<Item = &'static str> {
    text.match_indices("_pyrun_").map(move |(at, _)| {
        let rest = &text[at..];
        let end = rest.find(|c: char| c != '_' && !c.is_ascii_alphanumeric());
        &rest[..end.unwrap_or(rest.len())]
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_comes_with_what_it_calls() {
        let guards = Guards::new();
        let text = guards.text(&BTreeSet::from(["_pyrun_pow_numpy".to_owned()]));
        assert!(text.contains("def _pyrun_pow_numpy(") && text.contains("def _pyrun_pow("));
        assert!(!text.contains("_pyrun_div("));
        assert_eq!(guards.text(&BTreeSet::new()), "");
        assert!(guards.always.contains("def _pyrun_key(") && !guards.always.contains("_pyrun_pow"));
    }
}
