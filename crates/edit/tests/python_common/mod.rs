//! What the tests of the recogniser share: real programs, random edits of them, and CPython's verdict.

#![allow(dead_code, reason = "each test uses a part")]

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// Says of each program, one a line in hexadecimal, whether CPython compiles it.
const ORACLE: &str = "
import sys, warnings
warnings.simplefilter('ignore')
for line in sys.stdin:
    try:
        compile(bytes.fromhex(line), 'x', 'exec')
        print('1')
    except (SyntaxError, ValueError, OverflowError, MemoryError, RecursionError) as error:
        print('0', repr(error)[:150])
";

/// A small deterministic generator (SplitMix64).
pub struct Rng(pub u64);

impl Rng {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }
}

pub fn oracle(programs: &[Vec<u8>]) -> Option<Vec<Result<(), String>>> {
    let mut child = Command::new("python3")
        .args(["-c", ORACLE])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let mut stdin = child.stdin.take()?;
    let lines: String = programs
        .iter()
        .map(|p| p.iter().map(|b| format!("{b:02x}")).collect::<String>() + "\n")
        .collect();
    let writer = std::thread::spawn(move || stdin.write_all(lines.as_bytes()));
    let output = child.wait_with_output().ok()?;
    writer.join().ok()?.ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    Some(
        text.lines()
            .map(|l| if l == "1" { Ok(()) } else { Err(l.to_owned()) })
            .collect(),
    )
}

/// Programs to start from: pieces of the standard library with much syntax in them, and the project's own.
pub fn programs() -> Vec<Vec<u8>> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../seeds");
    let mut paths: Vec<PathBuf> = std::fs::read_dir(root)
        .into_iter()
        .flatten()
        .flatten()
        .map(|e| e.path())
        .filter(|p| p.extension().is_some_and(|e| e == "py"))
        .collect();
    let ask = "import sysconfig; print(sysconfig.get_paths()['stdlib'])";
    if let Ok(out) = Command::new("python3").args(["-c", ask]).output() {
        let stdlib = PathBuf::from(String::from_utf8_lossy(&out.stdout).trim());
        let files = [
            "bisect.py",
            "heapq.py",
            "string.py",
            "textwrap.py",
            "queue.py",
            "contextlib.py",
            "asyncio/locks.py",
            "asyncio/taskgroups.py",
            "asyncio/queues.py",
            "json/encoder.py",
            "json/decoder.py",
            "functools.py",
            "colorsys.py",
            "fractions.py",
            "types.py",
            "reprlib.py",
            "sched.py",
            "struct.py",
            "shlex.py",
            "graphlib.py",
            "dataclasses.py",
            "test/test_named_expressions.py",
            "test/test_generators.py",
            "test/test_unpack.py",
            "test/test_with.py",
            "test/test_except_star.py",
            "test/test_global.py",
            "test/test_keywordonlyarg.py",
            "test/test_positional_only_arg.py",
            "test/test_unpack_ex.py",
            "test/test_string_literals.py",
        ];
        paths.extend(files.iter().map(|f| stdlib.join(f)));
    }
    paths.sort();
    paths
        .into_iter()
        .filter_map(|p| std::fs::read(p).ok())
        .collect()
}

/// Chunks of a few top-level statements, so that a compile is quick and an edit hits what matters.
pub fn pieces(source: &[u8]) -> Vec<Vec<u8>> {
    let text = String::from_utf8_lossy(source);
    let mut pieces = vec![String::new()];
    for line in text.lines() {
        let starts = line.starts_with(|c: char| c.is_alphabetic() || c == '@');
        let last = pieces.last_mut().unwrap();
        if starts && last.len() > 600 {
            pieces.push(String::new());
        }
        let last = pieces.last_mut().unwrap();
        last.push_str(line);
        last.push('\n');
    }
    pieces
        .into_iter()
        .filter(|p| p.len() < 4000)
        .map(String::into_bytes)
        .collect()
}

#[rustfmt::skip]
pub const INSERTS: &[&str] = &[
    "(", ")", "[", "]", "{", "}", ",", ":", ";", ".", "=", "==", ":=", "+", "-", "*", "**", "@", "+=", "->", "!=", "~",
    " not ", " in ", " is ", " if ", " else ", " for ", " and ", " lambda ", " yield ", " await ", " async ", " as ",
    " from ", " import ", "return ", "break", "continue", "pass", "del ", "global ", "nonlocal ", "raise ", "x", "x ",
    " 1", "0", "'s'", "b's'", "f'{x}'", "f'{", "!r}'", "\"", "'", "\\", "\n", "    ", "\n    ", "#", "True", "None",
    "match ", "case ", "with ", "try:\n", "except ", "finally:", "class ", "def ", "*x", "x=1", "x, ", "...", "e5", "_",
    "\t", "\r", "\u{e9}", "\\x", "{{", "}}", "\"\"\"", "1.", "0x", "elif ", "while ", "assert ",
];

/// The bounds of the token that holds byte `at`, roughly.
fn token(source: &[u8], at: usize) -> (usize, usize) {
    let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    if !word(source[at]) {
        return (at, at + 1);
    }
    let start = source[..at]
        .iter()
        .rposition(|b| !word(*b))
        .map_or(0, |i| i + 1);
    let end = source[at..]
        .iter()
        .position(|b| !word(*b))
        .map_or(source.len(), |i| at + i);
    (start, end)
}

pub fn mutate(source: &[u8], rng: &mut Rng) -> Vec<u8> {
    let mut text = source.to_vec();
    for _ in 0..1 + rng.below(2) {
        let at = rng.below(text.len());
        let (start, end) = if rng.below(2) == 0 {
            (at, at + 1)
        } else {
            token(&text, at)
        };
        let other = rng.below(text.len());
        let (from, to) = token(&text, other);
        let copied = text[from..to].to_vec();
        let insert = INSERTS[rng.below(INSERTS.len())].as_bytes().to_vec();
        match rng.below(5) {
            0 => drop(text.drain(start..end)),
            1 => drop(text.splice(start..start, insert)),
            2 => drop(text.splice(start..end, insert)),
            3 => drop(text.splice(start..end, copied)),
            _ => drop(text.splice(start..start, copied)),
        }
        if text.is_empty() {
            break;
        }
    }
    text
}

/// Prints how many of the programs, all said to be complete, CPython refuses, and why; asserts fewer than one in a hundred.
pub fn share(what: &str, programs: &[Vec<u8>], verdicts: &[Result<(), String>]) {
    assert_eq!(programs.len(), verdicts.len());
    let refused: Vec<_> = programs
        .iter()
        .zip(verdicts)
        .filter_map(|(p, v)| Some((p, v.as_ref().err()?)))
        .collect();
    let percent = 100.0 * refused.len() as f64 / programs.len().max(1) as f64;
    println!(
        "{} {what}, {} refused by CPython ({percent:.2} %)",
        programs.len(),
        refused.len()
    );
    for (program, why) in refused.iter().take(100) {
        println!("  admitted: {why}");
        if why.contains("invalid syntax") {
            println!("{}", String::from_utf8_lossy(program));
        }
    }
    assert!(
        refused.len() * 100 <= programs.len(),
        "more than one in a hundred"
    );
}
