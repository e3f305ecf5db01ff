//! Running the real binary.
#![allow(dead_code, reason = "every test file uses its own part")]

use std::path::Path;
use std::process::{Command, Output};

use rusqlite::Connection;
use rusqlite::types::Value;

pub const SAMARA: &str = env!("CARGO_BIN_EXE_samara");

/// Runs samara in a folder and waits for it.
pub fn samara(folder: &Path, args: &[&str]) -> Output {
    Command::new(SAMARA)
        .args(args)
        .current_dir(folder)
        .output()
        .expect("samara starts")
}

/// As [`samara`], where it must succeed; returns what it printed.
pub fn ok(folder: &Path, args: &[&str]) -> String {
    let output = samara(folder, args);
    assert!(
        output.status.success(),
        "{args:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

/// As [`samara`], where it must fail with a code and say all of the words.
pub fn fails(folder: &Path, args: &[&str], code: i32, words: &[&str]) {
    let output = samara(folder, args);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{args:?}: {said}");
    for word in words {
        assert!(said.contains(word), "{args:?} did not say {word:?}: {said}");
    }
}

/// Everything in a run that its settings determine, a line a row.
pub fn content(run: &Path) -> Vec<String> {
    let db = Connection::open(run.join("run.sqlite")).unwrap();
    let mut lines = Vec::new();
    for query in [
        "SELECT id, iteration, replica, operator, parent, partner, status, reason, fitness, niche, accepted,
           length, height, width, mass, prompt_tokens, tokens, dollars, weights FROM child ORDER BY id",
        // What is compressed is the same to the byte, too.
        "SELECT first, children, hex(program), hex(message), hex(told), hex(artifact) FROM texts ORDER BY first",
        "SELECT * FROM iteration ORDER BY iteration",
        "SELECT id, niche, fitness FROM map ORDER BY niche",
    ] {
        let mut statement = db.prepare(query).unwrap();
        let columns = statement.column_count();
        let rows = statement.query_map([], |row| {
            let cells: Result<Vec<_>, _> = (0..columns).map(|i| row.get::<_, Value>(i)).collect();
            Ok(format!("{:?}", cells?))
        });
        lines.extend(rows.unwrap().map(Result::unwrap));
    }
    lines
}

/// Asserts that two runs have the same content, naming the first row in which they differ.
pub fn same(one: &[String], other: &[String], what: &str) {
    let different = one.iter().zip(other).find(|(a, b)| a != b);
    assert_eq!(different, None, "{what}");
    assert_eq!(one.len(), other.len(), "{what}: rows");
}
