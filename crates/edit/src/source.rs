//! A program's text as it is kept and compared: UTF-8 without a mark at its start, lines ended by line feeds alone.
//!
//! Editors leave other forms, and models answer in them. They mean the same to Python, which reads a file's line ends as
//! line feeds, also within strings. Whatever comes from outside is brought to the one form where it comes in: a file by
//! [`decode`], a text by [`canonical`].

use std::borrow::Cow;

use thiserror::Error;

/// Why the bytes of a file are no text. Lines are counted from 1.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DecodeError {
    /// A byte that is not of the file's encoding.
    #[error(
        "line {line}: the byte {byte:#04x} is not {encoding}; save the file as UTF-8, or name its encoding in its first line (# coding: latin-1)"
    )]
    Byte {
        /// Where.
        line: usize,
        /// The byte.
        byte: u8,
        /// The encoding that the file claims, UTF-8 where it claims none.
        encoding: &'static str,
    },
    /// UTF-16 with half a character.
    #[error("it begins as UTF-16 but is not; save the file as UTF-8")]
    Utf16,
    /// A NUL, as in UTF-16 without its mark.
    #[error("line {line}: a NUL byte, which no Python file has; save the file as UTF-8")]
    Nul {
        /// Where.
        line: usize,
    },
    /// A coding cookie of an encoding that is not read.
    #[error(
        "line {line}: the encoding {name:?} is not one of utf-8, ascii, latin-1; save the file as UTF-8 and name that"
    )]
    Encoding {
        /// Where.
        line: usize,
        /// As it stands there.
        name: String,
    },
    /// A mark of UTF-8 and a coding cookie of another encoding.
    #[error(
        "line {line}: the file begins with the mark of UTF-8 and names the encoding {name:?}; leave one out"
    )]
    Mark {
        /// Where.
        line: usize,
        /// As it stands there.
        name: String,
    },
}

/// The encodings of Python files that are read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Encoding {
    Utf8,
    Ascii,
    Latin1,
}

/// A cookie: its line (from 0), where the encoding's name stands in that line, and the name.
struct Cookie {
    line: usize,
    at: usize,
    name: String,
}

/// The text of a Python file, as [`canonical`] has it. The mark of UTF-8 or UTF-16 at the start and a coding cookie
/// (PEP 263) say how the bytes are meant; without one they are UTF-8. A cookie of another encoding then names UTF-8.
///
/// # Errors
/// [`DecodeError`]: bytes of another encoding, or one that is not read.
pub fn decode(bytes: &[u8]) -> Result<String, DecodeError> {
    let utf16 = match bytes {
        [0xff, 0xfe, rest @ ..] => Some((rest, u16::from_le_bytes as fn([u8; 2]) -> u16)),
        [0xfe, 0xff, rest @ ..] => Some((rest, u16::from_be_bytes as fn([u8; 2]) -> u16)),
        _ => None,
    };
    let text = if let Some((rest, unit)) = utf16 {
        let (pairs, odd) = rest.as_chunks::<2>();
        let units: Vec<u16> = pairs.iter().map(|pair| unit(*pair)).collect();
        let text = String::from_utf16(&units).ok().filter(|_| odd.is_empty());
        text.ok_or(DecodeError::Utf16)?
    } else {
        let (marked, bytes) = match bytes.strip_prefix("\u{feff}".as_bytes()) {
            Some(rest) => (true, rest),
            None => (false, bytes),
        };
        let cookie = cookie(bytes);
        let encoding = match &cookie {
            None => Encoding::Utf8,
            Some(cookie) => encoding(&cookie.name).ok_or_else(|| DecodeError::Encoding {
                line: cookie.line + 1,
                name: cookie.name.clone(),
            })?,
        };
        if let (true, Some(cookie)) = (marked && encoding != Encoding::Utf8, &cookie) {
            return Err(DecodeError::Mark {
                line: cookie.line + 1,
                name: cookie.name.clone(),
            });
        }
        read(bytes, encoding)?
    };
    let mut text = canonical(&text).into_owned();
    if let Some(at) = text.find('\0') {
        return Err(DecodeError::Nul {
            line: line_of(text.as_bytes(), at),
        });
    }
    if let Some(Cookie { line, at, name }) = cookie(text.as_bytes())
        && encoding(&name) != Some(Encoding::Utf8)
    {
        let before = crate::lines(&text).into_iter().take(line);
        let at = before.map(str::len).sum::<usize>() + at;
        text.replace_range(at..at + name.len(), "utf-8");
    }
    Ok(text)
}

fn read(bytes: &[u8], encoding: Encoding) -> Result<String, DecodeError> {
    let (wrong, name) = match encoding {
        Encoding::Latin1 => return Ok(bytes.iter().map(|b| char::from(*b)).collect()),
        Encoding::Ascii => (bytes.iter().position(|b| !b.is_ascii()), "ASCII"),
        Encoding::Utf8 => {
            let wrong = std::str::from_utf8(bytes).err();
            (wrong.map(|e| e.valid_up_to()), "UTF-8")
        }
    };
    match wrong {
        Some(at) => Err(DecodeError::Byte {
            line: line_of(bytes, at),
            byte: bytes[at],
            encoding: name,
        }),
        None => Ok(String::from_utf8_lossy(bytes).into_owned()),
    }
}

/// The line, from 1, in which a byte stands, whatever ends the lines.
fn line_of(bytes: &[u8], at: usize) -> usize {
    let ends =
        |i: &usize| bytes[*i] == b'\n' || bytes[*i] == b'\r' && bytes.get(i + 1) != Some(&b'\n');
    1 + (0..at).filter(ends).count()
}

/// The coding cookie in the first or second line, by the rule of PEP 263: a comment alone on its line with
/// `coding[:=]` and a name; in the second line only where the first has nothing but a comment.
fn cookie(bytes: &[u8]) -> Option<Cookie> {
    let lines = bytes.split(|b| matches!(b, b'\n' | b'\r'));
    // A carriage return and a line feed make an empty piece between two lines.
    let lines = lines.enumerate().filter(|(i, l)| *i == 0 || !l.is_empty());
    for (line, (_, bytes)) in lines.take(2).enumerate() {
        let blank = |b: &u8| matches!(b, b' ' | b'\t' | 0x0c);
        let begin = bytes.iter().position(|b| !blank(b)).unwrap_or(bytes.len());
        if bytes.get(begin).is_some_and(|b| *b != b'#') {
            return None;
        }
        let word = b"coding";
        let ends = (begin..bytes.len()).filter(|at| bytes[*at..].starts_with(word));
        for end in ends.map(|at| at + word.len()) {
            if !matches!(bytes.get(end), Some(b':' | b'=')) {
                continue;
            }
            let at = end
                + 1
                + bytes[end + 1..]
                    .iter()
                    .take_while(|b| matches!(b, b' ' | b'\t'))
                    .count();
            let is_name = |b: &&u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
            let name: Vec<u8> = bytes[at..].iter().take_while(is_name).copied().collect();
            if !name.is_empty() {
                let name = String::from_utf8_lossy(&name).into_owned();
                return Some(Cookie { line, at, name });
            }
        }
    }
    None
}

/// Of Python's many names for these three.
fn encoding(name: &str) -> Option<Encoding> {
    let name = name.to_ascii_lowercase().replace('_', "-");
    match name.as_str() {
        "utf-8" | "utf8" | "u8" | "utf" | "utf-8-sig" | "utf8-ucs2" | "utf8-ucs4" | "cp65001" => {
            Some(Encoding::Utf8)
        }
        name if name.starts_with("utf-8-") => Some(Encoding::Utf8),
        "ascii" | "us-ascii" | "646" | "ansi-x3.4-1968" | "iso646-us" => Some(Encoding::Ascii),
        "latin-1" | "latin1" | "latin" | "l1" | "iso-8859-1" | "iso8859-1" | "iso88591"
        | "iso-latin-1" | "8859" | "cp819" => Some(Encoding::Latin1),
        name if name.starts_with("latin-1-") || name.starts_with("iso-8859-1-") => {
            Some(Encoding::Latin1)
        }
        _ => None,
    }
}

/// A text without a byte order mark at its start and with line feeds for carriage returns, alone or before a line feed.
/// (Python reads files so, also within strings.) What ends the last line, or not, stays.
pub fn canonical(text: &str) -> Cow<'_, str> {
    let text = text.trim_start_matches('\u{feff}');
    if text.contains('\r') {
        Cow::Owned(text.replace("\r\n", "\n").replace('\r', "\n"))
    } else {
        Cow::Borrowed(text)
    }
}

/// Whether two texts are the same program but for what editors change unasked: line ends, blanks at the ends of lines, a
/// mark at the start, empty lines at either end.
pub fn is_same(a: &str, b: &str) -> bool {
    let (a, b) = (canonical(a), canonical(b));
    fn lines(text: &str) -> impl Iterator<Item = &str> {
        let text = text.trim_end();
        let first = text.len() - text.trim_start().len();
        let begin = text[..first].rfind('\n').map_or(0, |feed| feed + 1);
        text[begin..].split('\n').map(str::trim_end)
    }
    lines(&a).eq(lines(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_a_file_is_one_text() {
        let text = "x = 'é'\nif x:\n\x0c    y = 1 \n";
        let utf16 = |unit: fn(u16) -> [u8; 2], text: &str| {
            let units = format!("\u{feff}{text}");
            units.encode_utf16().flat_map(unit).collect::<Vec<u8>>()
        };
        let crlf = text.replace('\n', "\r\n");
        let mixed = text.replacen('\n', "\r", 1).replacen('\n', "\r\n", 1);
        for bytes in [
            text.as_bytes().to_vec(),
            crlf.clone().into_bytes(),
            text.replace('\n', "\r").into_bytes(),
            mixed.into_bytes(),
            format!("\u{feff}{crlf}").into_bytes(),
            utf16(u16::to_le_bytes, text),
            utf16(u16::to_be_bytes, &crlf),
        ] {
            assert_eq!(decode(&bytes).as_deref(), Ok(text), "{bytes:?}");
        }
        assert_eq!(
            decode(b"x = 1").as_deref(),
            Ok("x = 1"),
            "no end of line is made up"
        );
        assert_eq!(decode(b"").as_deref(), Ok(""));
    }

    #[test]
    fn cookies_are_obeyed_or_refused_by_name() {
        for (bytes, text) in [
            (
                &b"# -*- coding: latin-1 -*-\nx = '\xe9'\n"[..],
                "# -*- coding: utf-8 -*-\nx = 'é'\n",
            ),
            (
                b"#!/usr/bin/python\r\n# vim: set fileencoding=ISO-8859-1 :\r\nx = '\xe9'\r\n",
                "#!/usr/bin/python\n# vim: set fileencoding=utf-8 :\nx = 'é'\n",
            ),
            (b"#coding=ascii\nx = 1\n", "#coding=utf-8\nx = 1\n"),
            (
                b"# coding: UTF-8\nx = '\xc3\xa9'\n",
                "# coding: UTF-8\nx = 'é'\n",
            ),
            // Not in the third line, nor below a statement.
            (b"#\n#\n# coding: koi8-r\n", "#\n#\n# coding: koi8-r\n"),
            (b"x = 1\n# coding: koi8-r\n", "x = 1\n# coding: koi8-r\n"),
            (b"x = 'coding: koi8-r'\n", "x = 'coding: koi8-r'\n"),
        ] {
            assert_eq!(decode(bytes).as_deref(), Ok(text));
        }
        let error = |bytes: &[u8]| decode(bytes).unwrap_err().to_string();
        assert!(error(b"# coding: koi8-r\n").starts_with("line 1: the encoding \"koi8-r\""));
        assert!(error(b"#\n# coding: cp1252\n").starts_with("line 2: the encoding \"cp1252\""));
        assert!(error(b"x = 1\r\ny = '\xe9'\n").starts_with("line 2: the byte 0xe9 is not UTF-8"));
        assert!(
            error(b"# coding: ascii\rx = '\xc3\xa9'\n")
                .starts_with("line 2: the byte 0xc3 is not ASCII")
        );
        assert!(error(b"\xef\xbb\xbf# coding: latin-1\n").contains("mark of UTF-8"));
        assert!(error(b"x\0=\0").contains("line 1: a NUL"));
        assert!(error(b"\xff\xfex").contains("UTF-16"));
        assert!(error(b"\xff\xfe\x00\xd8x\0").contains("UTF-16"));
    }

    #[test]
    fn what_editors_change_is_no_change() {
        let text = "def f():\n    return 1\n";
        for same in [
            "def f():\r\n    return 1\r\n",
            "\u{feff}def f():\r    return 1",
            "\n\n  \ndef f():  \n    return 1\t\n\n\n",
        ] {
            assert!(is_same(text, same), "{same:?}");
        }
        for other in [
            "def f():\n    return 2\n",
            "def f():\n   return 1\n",
            "def f():\n\n    return 1\n",
            "",
        ] {
            assert!(!is_same(text, other), "{other:?}");
        }
    }
}
