//! CPython's standard library is admitted byte by byte.

use std::path::{Path, PathBuf};
use std::process::Command;

use edit::python::Prefix;

/// The standard library's files, those left out that CPython itself refuses or that are data; `None` without python3.
fn stdlib() -> Option<Vec<PathBuf>> {
    let list = "
import os, sysconfig, warnings
warnings.simplefilter('ignore')
root = sysconfig.get_paths()['stdlib']
for folder, folders, files in os.walk(root):
    folders[:] = sorted(d for d in folders if d not in ('site-packages', '__pycache__')
                        and not (d == 'data' and 'lib2to3' in folder))
    for file in sorted(files):
        path = os.path.join(folder, file)
        if file.endswith('.py') and os.path.getsize(path) <= 200_000:
            data = open(path, 'rb').read()
            try:
                data.decode('utf-8')
                compile(data, path, 'exec') if CHECK else None
            except (SyntaxError, ValueError):
                continue
            print(path)
";
    // compiling all takes a minute: the sample is checked file by file where it fails
    let list = list.replace("CHECK", "False");
    let out = Command::new("python3").args(["-c", &list]).output().ok()?;
    let text = String::from_utf8(out.stdout).ok()?;
    Some(text.lines().map(PathBuf::from).collect())
}

/// Whether CPython compiles the file.
fn compiles(path: &Path) -> bool {
    let check = "import sys; compile(open(sys.argv[1], 'rb').read(), 'x', 'exec')";
    Command::new("python3")
        .args(["-W", "ignore", "-c", check])
        .arg(path)
        .output()
        .is_ok_and(|o| o.status.success())
}

/// Where and why the source is not admitted.
fn refusal(source: &[u8]) -> Option<String> {
    let mut prefix = Prefix::new();
    for (i, byte) in source.iter().enumerate() {
        if !prefix.push(*byte) {
            let line = source[..i].iter().filter(|b| **b == b'\n').count() + 1;
            let from = source[..i]
                .iter()
                .rposition(|b| *b == b'\n')
                .map_or(0, |n| n + 1);
            return Some(format!(
                "line {line}: {}⟂",
                String::from_utf8_lossy(&source[from..=i])
            ));
        }
    }
    if prefix.is_complete() {
        None
    } else {
        Some(String::from("not complete at its end"))
    }
}

fn check(every: usize) {
    let Some(files) = stdlib() else {
        eprintln!("skipped: no python3");
        return;
    };
    let (mut n, mut bytes, mut failures) = (0, 0, Vec::new());
    for path in files.iter().step_by(every) {
        let source = std::fs::read(path).unwrap();
        n += 1;
        bytes += source.len();
        if let Some(why) = refusal(&source)
            && compiles(path)
        {
            failures.push(format!("{}: {why}", path.display()));
        }
    }
    println!("{n} files, {bytes} bytes, {} refused", failures.len());
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn a_sample_of_the_standard_library_is_admitted() {
    check(8);
}

/// All of it: `cargo test -p edit --test python_stdlib -- --ignored`.
#[test]
#[ignore = "a minute without optimisation"]
fn the_standard_library_is_admitted() {
    check(1);
}
