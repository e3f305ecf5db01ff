//! Hostile programs, each in both tiers: a typed failure within the limits, nothing left behind, and the next program
//! runs as if nothing had been.
//!
//! The first line of each file names the failures accepted: `# expect: time|memory`, or `# expect: first / second`
//! where the tiers differ. `CANARY` in a program stands for the path of a file that must stay as it is.

mod common;

use std::path::PathBuf;
use std::time::Duration;

use common::*;
use pyrun::{Failure, Limits, Runner, Tier};

/// Resident memory that a worker or a forked child may have beyond the program's own: interpreter and binary.
const BASE: u64 = 64 << 20;

struct Case {
    name: String,
    source: String,
    first: Vec<String>,
    second: Vec<String>,
}

fn corpus(canary: &str) -> Vec<Case> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/hostile");
    let mut cases: Vec<Case> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            let source = std::fs::read_to_string(&path).unwrap();
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            let expect = source
                .lines()
                .next()
                .and_then(|l| l.strip_prefix("# expect: "))
                .expect(&name);
            let tier = |text: &str| {
                text.split('|')
                    .map(|r| r.trim().to_owned())
                    .collect::<Vec<_>>()
            };
            let (first, second) = expect.split_once(" / ").unwrap_or((expect, expect));
            let (first, second) = (tier(first), tier(second));
            Case {
                name,
                source: source.replace("CANARY", canary),
                first,
                second,
            }
        })
        .collect();
    cases.sort_by(|a, b| a.name.cmp(&b.name));
    assert!(cases.len() >= 60, "{} programs", cases.len());
    cases
}

fn peak(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"));
    line.and_then(|l| l.trim().split(' ').next()?.parse::<u64>().ok())
        .unwrap_or(0)
        * 1024
}

/// One tier against those programs of the corpus that are wanted.
fn withstand(tier: Tier, python: Option<PathBuf>, wanted: fn(&str) -> bool) {
    let scratch = tempfile::tempdir().unwrap();
    let canary = scratch.path().join("canary");
    std::fs::write(&canary, "alive").unwrap();
    let limits = Limits {
        cpu: Duration::from_millis(300),
        ..Limits::default()
    };
    let mut config = config(tier);
    config.limits = limits.clone();
    config.python = python;
    let mut runner = Runner::new(config).unwrap();
    let square = seed("square");
    let sane = runner.run(&square).unwrap();
    let workers = below(std::process::id()).len();
    let mut wrong = Vec::new();
    for case in corpus(canary.to_str().unwrap()) {
        if !wanted(&case.name) {
            continue;
        }
        let expect = if tier == Tier::Monty {
            &case.first
        } else {
            &case.second
        };
        let result = runner.run(&case.source);
        let (got, cpu) = (reason(&result), runner.last_cpu());
        // what the first tier does not know it leaves to the second
        let left = tier == Tier::Monty && got == "unsupported";
        if !left && !expect.iter().any(|e| e == got) {
            wrong.push(format!(
                "{}: expected {expect:?}, got {got}: {result:?}",
                case.name
            ));
        }
        if cpu > limits.cpu.mul_f64(1.2) {
            wrong.push(format!("{}: {cpu:?} of CPU time", case.name));
        }
        if runner.run(&square).as_ref() != Ok(&sane) {
            wrong.push(format!("{}: the next program failed", case.name));
        }
        let now = below(std::process::id());
        if now.len() != workers {
            wrong.push(format!(
                "{}: {} processes instead of {workers}",
                case.name,
                now.len()
            ));
        }
        for pid in now {
            let peak = peak(pid);
            if peak > limits.memory_bytes + BASE {
                wrong.push(format!(
                    "{}: process {pid} took {} MB",
                    case.name,
                    peak >> 20
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(std::fs::read_to_string(&canary).unwrap(), "alive");
    assert_eq!(std::fs::read_dir(scratch.path()).unwrap().count(), 1);
    drop(runner);
    assert!(
        below(std::process::id()).is_empty(),
        "a worker outlives its runner"
    );
}

#[test]
fn hostile_programs() {
    // one after the other: each looks at all the processes of this one
    withstand(Tier::Monty, None, |_| true);
    withstand(Tier::CPython, None, |_| true);
    // how an interpreter is taken over differs from one version to the next
    for (python, version) in pythons() {
        if version >= (3, 9) {
            eprintln!("{}", python.display());
            withstand(Tier::CPython, Some(python), |name| {
                ["reach_", "forge_", "escape_", "nest_"]
                    .iter()
                    .any(|kind| name.starts_with(kind))
            });
        }
    }
    default_limits();
}

fn default_limits() {
    for tier in [Tier::Monty, Tier::CPython] {
        let mut runner = runner(tier);
        assert_eq!(
            runner.run("def make_walker():\n\twhile True: pass"),
            Err(Failure::Time)
        );
        let cpu = runner.last_cpu();
        assert!(
            cpu >= Duration::from_millis(900) && cpu <= Duration::from_millis(1200),
            "{cpu:?}"
        );
    }
}
