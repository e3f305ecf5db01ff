//! Random edits of real programs: what is said of them is compared with CPython.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use edit::python::Prefix;

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
struct Rng(u64);

impl Rng {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }
}

fn oracle(programs: &[Vec<u8>]) -> Option<Vec<Result<(), String>>> {
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
fn programs() -> Vec<Vec<u8>> {
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
fn pieces(source: &[u8]) -> Vec<Vec<u8>> {
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
const INSERTS: &[&str] = &[
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

fn mutate(source: &[u8], rng: &mut Rng) -> Vec<u8> {
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

fn compare(count: usize, seed: u64) {
    let pieces: Vec<Vec<u8>> = programs().iter().flat_map(|p| pieces(p)).collect();
    let mut rng = Rng(seed);
    let mutants: Vec<Vec<u8>> = (0..count)
        .map(|_| mutate(&pieces[rng.below(pieces.len())], &mut rng))
        .collect();
    let Some(verdicts) = oracle(&mutants) else {
        eprintln!("skipped: no python3");
        return;
    };
    assert_eq!(verdicts.len(), mutants.len());
    let (mut complete, mut valid, mut admitted, mut refused) = (0, 0, Vec::new(), Vec::new());
    for (mutant, verdict) in mutants.iter().zip(&verdicts) {
        let mut prefix = Prefix::new();
        let alive = prefix.push_all(mutant);
        let ours = alive && prefix.is_complete();
        complete += usize::from(ours);
        valid += usize::from(verdict.is_ok());
        match (ours, verdict) {
            (true, Err(why)) => admitted.push(why.clone()),
            (false, Ok(())) => refused.push((mutant, alive)),
            _ => {}
        }
    }
    println!(
        "{count} mutants, {valid} valid, {complete} said to be complete, {} of them refused by CPython ({:.2} %), {} valid \
         ones refused",
        admitted.len(),
        100.0 * admitted.len() as f64 / complete.max(1) as f64,
        refused.len(),
    );
    for why in admitted.iter().take(60) {
        println!("  admitted: {why}");
    }
    for (mutant, alive) in refused.iter().take(20) {
        let mut prefix = Prefix::new();
        let at = mutant
            .iter()
            .position(|b| !prefix.push(*b))
            .unwrap_or(mutant.len());
        println!(
            "  refused (alive {alive}): …{}",
            String::from_utf8_lossy(&mutant[at.saturating_sub(80)..at.min(mutant.len() - 1) + 1])
        );
    }
    assert!(refused.is_empty());
    assert!(
        admitted.len() * 100 <= complete,
        "more than one in a hundred"
    );
}

#[test]
fn a_few_thousand_mutants_are_told_apart_as_cpython_does() {
    compare(3000, 1);
}

/// Many: `cargo test --release -p edit --test python_mutation -- --ignored --nocapture`.
#[test]
#[ignore = "minutes without optimisation"]
fn many_mutants_are_told_apart_as_cpython_does() {
    compare(60_000, 2);
}
