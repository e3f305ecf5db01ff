//! The first tier gives CPython's answer or hands the program over: 2,000 programs made by chance. Many more are compared
//! by `cargo run --release -p pyrun --example agreement -- 100000`.
mod common;
mod generated;

use common::*;
use generated::{Chance, Grammar, agree};
use pyrun::Tier;

#[test]
fn the_first_tier_answers_as_cpython_does() {
    let grammar = Grammar::new();
    let mut chance = Chance::new(13);
    let (mut first, mut second) = (runner(Tier::Monty), runner(Tier::CPython));
    let mut values = 0;
    for _ in 0..2000 {
        let program = grammar.program(&mut chance);
        let a = first.run(&program);
        if reason(&a) == "unsupported" {
            continue;
        }
        let b = second.run(&program);
        assert!(agree(&a, &b), "first  {a:?}\nsecond {b:?}\n{program}");
        values += usize::from(a.is_ok());
    }
    assert!(
        values > 200,
        "only {values} programs had a value in the first tier"
    );
}

/// What chance finds rarely: scopes, unpacking, views, texts of numbers, errors.
#[test]
fn programs_written_by_hand() {
    let (mut first, mut second) = (runner(Tier::Monty), runner(Tier::CPython));
    let mut values = 0;
    for program in include_str!("generated/by_hand.txt").split("#----\n") {
        let a = first.run(program);
        if reason(&a) != "unsupported" {
            let b = second.run(program);
            assert!(agree(&a, &b), "first  {a:?}\nsecond {b:?}\n{program}");
            values += usize::from(a.is_ok());
        }
    }
    assert!(values > 30, "only {values} had a value in the first tier");
}
