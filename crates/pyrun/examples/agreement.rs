//! Compares the tiers on programs made by chance, or on those of a file:
//! `cargo run --release -p pyrun --example agreement -- 100000 [SEED]`, `... --example agreement -- --file PROGRAMS`
//! (programs divided by lines `#----`). `PYRUN_TEST_PYTHON` names another CPython than `python3`. Prints each program that the first tier answers otherwise than CPython, and ends
//! with 1 if there is one.
#[path = "../tests/common/mod.rs"]
mod common;
#[path = "../tests/generated/mod.rs"]
mod generated;

use std::collections::BTreeMap;
use std::sync::Mutex;

use common::{config, runner};
use generated::{Chance, Grammar, agree};
use pyrun::{Failure, Runner, Tier};

#[derive(Default)]
struct Tally {
    programs: usize,
    handed: BTreeMap<String, usize>,
    values: usize,
    failures: usize,
    differ: usize,
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let programs: Vec<String> = match args.first().map(String::as_str) {
        Some("--file") => std::fs::read_to_string(&args[1])
            .expect("the file can be read")
            .split("#----\n")
            .map(str::to_owned)
            .collect(),
        count => {
            let number =
                |text: Option<&str>, other| text.map_or(other, |t| t.parse().expect("a number"));
            let count = number(count, 10_000);
            let grammar = Grammar::new();
            let mut chance = Chance::new(number(args.get(1).map(String::as_str), 1));
            (0..count).map(|_| grammar.program(&mut chance)).collect()
        }
    };
    let tally = Mutex::new(Tally::default());
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for part in programs.chunks(programs.len().div_ceil(threads).max(1)) {
            scope.spawn(|| compare(part, &tally));
        }
    });
    let tally = tally.into_inner().unwrap();
    let mut handed: Vec<_> = tally.handed.iter().collect();
    handed.sort_by_key(|(_, n)| std::cmp::Reverse(**n));
    for (feature, n) in handed.iter().take(25) {
        println!("{n:>8} handed over: {feature}");
    }
    let all: usize = tally.handed.values().sum();
    println!(
        "{} programs: {all} handed over, {} values and {} failures of the first tier compared, {} differ",
        tally.programs, tally.values, tally.failures, tally.differ
    );
    std::process::exit(i32::from(tally.differ > 0));
}

fn compare(programs: &[String], tally: &Mutex<Tally>) {
    let mut config = config(Tier::CPython);
    config.python = std::env::var_os("PYRUN_TEST_PYTHON").map(Into::into);
    let mut second = Runner::new(config).expect("the worker starts");
    let mut first = runner(Tier::Monty);
    for program in programs {
        let a = first.run(program);
        if let Err(Failure::Unsupported { feature }) = &a {
            let mut tally = tally.lock().unwrap();
            tally.programs += 1;
            let letters: String = feature
                .chars()
                .filter(|c| !c.is_ascii_digit())
                .take(48)
                .collect();
            *tally.handed.entry(letters).or_default() += 1;
            continue;
        }
        let b = second.run(program);
        let mut tally = tally.lock().unwrap();
        tally.programs += 1;
        match a {
            Ok(_) => tally.values += 1,
            Err(_) => tally.failures += 1,
        }
        if !agree(&a, &b) {
            tally.differ += 1;
            println!("first  {a:?}\nsecond {b:?}\n{program}#----");
        }
    }
}
