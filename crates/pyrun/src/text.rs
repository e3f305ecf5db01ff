//! A program's text as CPython reads a file, so that both tiers see the same: the one place where line ends, the mark at
//! the start, a coding cookie and null bytes are looked at.

use std::borrow::Cow;

use crate::Failure;

/// The text without a byte order mark, with `\n` for `\r\n` and `\r`. Lines keep their numbers.
///
/// # Errors
/// [`Failure::Syntax`] for what CPython would not read either: a null byte, and a coding cookie that says that the text is
/// something else than UTF-8 (in a text of ASCII alone, one of the encodings that are the same there is no contradiction).
pub(crate) fn as_read(source: &str) -> Result<Cow<'_, str>, Failure> {
    let text = source.strip_prefix('\u{feff}').unwrap_or(source);
    let text = if text.contains('\r') {
        Cow::Owned(text.replace("\r\n", "\n").replace('\r', "\n"))
    } else {
        Cow::Borrowed(text)
    };
    if let Some(at) = text.find('\0') {
        let line = 1 + text[..at].matches('\n').count() as u32;
        let message = "source code cannot contain null bytes".into();
        return Err(Failure::Syntax { line, message });
    }
    match cookie(&text) {
        Some((line, name)) if !(is_utf8(name) || text.is_ascii() && keeps_ascii(name)) => {
            let name = crate::failure::shorten(name);
            let message =
                format!("the program says that its encoding is {name}; programs are UTF-8");
            Err(Failure::Syntax { line, message })
        }
        _ => Ok(text),
    }
}

/// The encoding that a comment in the first two lines names, and its line: PEP 263.
fn cookie(text: &str) -> Option<(u32, &str)> {
    for (line, number) in text.split('\n').zip([1, 2]) {
        let start = line.trim_start_matches([' ', '\t', '\x0c']);
        let comment = start.strip_prefix('#');
        if let Some(name) = comment.and_then(named) {
            return Some((number, name));
        }
        if comment.is_none() && !start.is_empty() {
            return None;
        }
    }
    None
}

/// What follows the first `coding:` or `coding=` that a name follows.
fn named(comment: &str) -> Option<&str> {
    comment.match_indices("coding").find_map(|(at, word)| {
        let rest = comment[at + word.len()..].strip_prefix([':', '='])?;
        let rest = rest.trim_start_matches([' ', '\t']);
        let is_other = |c: char| !(c.is_ascii_alphanumeric() || "-_.".contains(c));
        let name = &rest[..rest.find(is_other).unwrap_or(rest.len())];
        (!name.is_empty()).then_some(name)
    })
}

/// A name as Python compares it.
fn normal(name: &str) -> String {
    name.to_ascii_lowercase().replace('_', "-")
}

fn is_utf8(name: &str) -> bool {
    let name = normal(name);
    name.starts_with("utf-8-") || ["utf-8", "utf8", "u8", "utf", "cp65001"].contains(&&*name)
}

/// Whether an encoding writes ASCII as ASCII. Those that people's editors name.
fn keeps_ascii(name: &str) -> bool {
    let name = normal(name);
    let families = [
        "latin",
        "iso-8859-",
        "iso8859",
        "iso-latin-",
        "cp125",
        "windows-125",
        "koi8-",
    ];
    families.iter().any(|family| name.starts_with(family))
        || [
            "ascii",
            "us-ascii",
            "646",
            "l1",
            "8859",
            "cp1252",
            "cp437",
            "cp850",
            "gbk",
            "gb2312",
            "gb18030",
            "euc-jp",
            "euc-kr",
            "big5",
            "mac-roman",
        ]
        .contains(&&*name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_ends_and_marks_are_as_a_file_is_read() {
        assert_eq!(as_read("\u{feff}a\r\nb\rc\n\r\nd").unwrap(), "a\nb\nc\n\nd");
        assert!(matches!(as_read("a = 1\n"), Ok(Cow::Borrowed(_))));
        assert_eq!(as_read("a\r\r\nb").unwrap(), "a\n\nb");
        assert_eq!(
            as_read("a\n\u{feff}").unwrap(),
            "a\n\u{feff}",
            "only at the start"
        );
        assert!(matches!(
            as_read("a\r\nb\0"),
            Err(Failure::Syntax { line: 2, .. })
        ));
    }

    #[test]
    fn a_cookie_is_obeyed_or_refused_by_name() {
        for fine in [
            "# -*- coding: utf-8 -*-\nx = 'ä'",
            "#!/usr/bin/python\n# vim: set fileencoding=UTF_8 :\nx = 'ä'",
            "\u{feff}# coding=utf8\nx = 'ä'",
            "#coding:utf-8-unix\nx = 'ä'",
            "# -*- coding: latin-1 -*-\nx = 1",
            "# coding: ascii",
            "x = 'ä'\n# coding: latin-1",
            "\n\n# coding: latin-1\nx = 'ä'",
            "# encoding the word: latin-1\nx = 'ä'",
            "x = '# coding: latin-1 ä'",
        ] {
            assert!(as_read(fine).is_ok(), "{fine}");
        }
        for (refused, at, name) in [
            ("# -*- coding: latin-1 -*-\nx = 'ä'", 1, "latin-1"),
            (
                "#!/usr/bin/python\r\n# coding=cp1252\r\nx = 'ä'",
                2,
                "cp1252",
            ),
            ("\r# coding: latin-1\rx = 'ä'", 2, "latin-1"),
            ("# coding: ascii\nx = 'ä'", 1, "ascii"),
            ("# coding: utf-16\nx = 1", 1, "utf-16"),
            ("# coding: rot13\nx = 1", 1, "rot13"),
            ("# coding: coding: nonsense", 1, "coding"),
        ] {
            match as_read(refused) {
                Err(Failure::Syntax { line, message }) => {
                    assert!(
                        line == at && message.contains(name),
                        "{refused}: {line} {message}"
                    );
                }
                other => panic!("{refused}: {other:?}"),
            }
        }
    }
}
