//! Running the real binary.
#![allow(dead_code, reason = "every test file uses its own part")]

use std::path::Path;
use std::process::{Command, Output};

use rusqlite::Connection;

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

/// Everything in a run that its settings determine, as text.
pub fn content(run: &Path) -> String {
    let db = Connection::open(run.join("run.sqlite")).unwrap();
    let mut text = String::new();
    for query in [
        "SELECT id, iteration, replica, operator, parent, status, reason, fitness, niche, accepted, length,
           height, width, mass, program, diff, message, hex(artifact) FROM children ORDER BY id",
        "SELECT * FROM iteration ORDER BY iteration",
        "SELECT id, niche, fitness FROM map ORDER BY niche",
    ] {
        let mut statement = db.prepare(query).unwrap();
        let columns = statement.column_count();
        let mut rows = statement.query([]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            for i in 0..columns {
                text += &format!("{:?}\t", row.get_ref(i).unwrap());
            }
            text.push('\n');
        }
    }
    text
}
