//! What is said to people: on standard output and standard error, with nothing in it that a terminal or a page obeys.

use std::fmt::Write as _;
use std::io::Write;

/// Whether a character is shown by its number: control characters, and those that turn the direction of what follows, so
/// that a text reads otherwise than it stands (Boucher and Anderson 2021, "Trojan Source").
pub fn is_hidden(c: char) -> bool {
    c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A text of others as it may be shown: line feeds and tabs stay, other hidden characters become `\u001b` and the like,
/// which JSON reads as the same text.
pub fn shown(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' | '\t' => out.push(c),
            c if is_hidden(c) => escape(c, &mut out),
            c => out.push(c),
        }
    }
    out
}

/// Writes a character by its number.
pub fn escape(c: char, out: &mut String) {
    let _ = match c {
        '\n' => write!(out, "\\n"),
        '\t' => write!(out, "\\t"),
        '\r' => write!(out, "\\r"),
        c => write!(out, "\\u{:04x}", u32::from(c)),
    };
}

/// Says a line on standard error; who closed it or filled its disk does not hear it.
pub fn complain(text: &str) {
    let _ = std::io::stderr().write_all((shown(text) + "\n").as_bytes());
}

/// Prints a line to standard output, as [`shown`]; a reader that went away is an error to pass up.
macro_rules! say {
    ($($arg:tt)*) => {{
        use std::io::Write;
        let line = $crate::terminal::shown(&format!($($arg)*));
        writeln!(std::io::stdout().lock(), "{line}")
    }};
}
pub(crate) use say;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_obeyed_and_nothing_lost() {
        let text = "a\u{1b}[2J\u{9b}31m\u{202e}b\u{2066}\u{7f}\r\n\t\u{e4}\u{1f600}";
        let told = shown(text);
        assert_eq!(
            told,
            "a\\u001b[2J\\u009b31m\\u202eb\\u2066\\u007f\\r\n\t\u{e4}\u{1f600}"
        );
        let json = serde_json::to_string(text).unwrap();
        assert!(shown(&json).chars().all(|c| !is_hidden(c)));
        assert_eq!(serde_json::from_str::<String>(&shown(&json)).unwrap(), text);
    }
}
