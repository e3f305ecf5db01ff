//! Random edits of real programs: what is said of them is compared with CPython.

mod python_common;

use python_common::{Rng, mutate, oracle, pieces, programs};

use edit::python::Prefix;

/// Whether it died of what the module lists as refused: `await` outside an `async` function, which is valid in the
/// element of a generator.
fn listed(program: &[u8]) -> bool {
    let mut prefix = Prefix::new();
    let alive = program.iter().take_while(|b| prefix.push(**b)).count();
    program[..alive].ends_with(b"await")
}

fn compare(count: usize, seed: u64) {
    let pieces: Vec<Vec<u8>> = programs().iter().flat_map(|p| pieces(p)).collect();
    let mut rng = Rng(seed);
    // CPython minds broken UTF-8 in some places only
    let mutants: Vec<Vec<u8>> =
        std::iter::repeat_with(|| mutate(&pieces[rng.below(pieces.len())], &mut rng))
            .filter(|m| std::str::from_utf8(m).is_ok())
            .take(count)
            .collect();
    let Some(verdicts) = oracle(&mutants) else {
        eprintln!("skipped: no python3");
        return;
    };
    assert_eq!(verdicts.len(), mutants.len());
    let (mut complete, mut valid, mut exceptions) = (0, 0, 0);
    let (mut admitted, mut refused) = (Vec::new(), Vec::new());
    for (mutant, verdict) in mutants.iter().zip(&verdicts) {
        let mut prefix = Prefix::new();
        let alive = prefix.push_all(mutant);
        let ours = alive && prefix.is_complete();
        complete += usize::from(ours);
        valid += usize::from(verdict.is_ok());
        match (ours, verdict) {
            (true, Err(why)) => admitted.push(why.clone()),
            (false, Ok(())) if listed(mutant) => exceptions += 1,
            (false, Ok(())) => refused.push((mutant, alive)),
            _ => {}
        }
    }
    println!(
        "{count} mutants, {valid} valid, {complete} said to be complete, {} of them refused by CPython ({:.2} %), {} valid \
         ones refused, {exceptions} more as listed",
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
