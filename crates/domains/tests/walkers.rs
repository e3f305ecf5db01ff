//! Walkers under several conditions. This test serves as its own worker process, so it has no harness.

use domains::walkers::{SEEDS, SETTINGS, Settings, Walkers, condition, terrain};
use evolve::domain::{Case, Domain, Evaluation, Outcome};
use toml::Table;

#[global_allocator]
static ALLOCATOR: pyrun::Metered = pyrun::Metered;

fn main() {
    if std::env::args().nth(1).as_deref() == Some(pyrun::WORKER_ARG) {
        pyrun::worker_main();
    }
    a_result_is_a_function_of_its_case_alone();
    println!("test a_result_is_a_function_of_its_case_alone ... ok");
}

fn settings() -> Settings {
    let mut all = Table::new();
    for section in SETTINGS {
        all.extend(toml::from_str::<Table>(section).unwrap());
    }
    let mut settings = Settings::read(&all).unwrap();
    settings.sodarace.seconds = 2.0;
    settings
}

fn outcomes(evaluations: Vec<Evaluation>) -> Vec<(Outcome, Option<String>)> {
    let outcome = |e: Evaluation| (e.outcome, e.artifact);
    evaluations.into_iter().map(outcome).collect()
}

/// Whatever stands beside it, whatever was evaluated before, by this evaluator or another of the domain.
fn a_result_is_a_function_of_its_case_alone() {
    let conditions: Vec<String> = ["flat", "bumpy", "tunnel:60"]
        .map(|name| condition(&terrain(name).unwrap()))
        .into();
    let mut cases = Vec::new();
    for (_, program) in SEEDS {
        for condition in &conditions {
            cases.push(Case { program, condition });
        }
    }
    let (_, square) = SEEDS[0];
    cases.push(Case {
        program: "def make_walker():\n    return 1 / 0\n",
        condition: &conditions[1],
    });
    cases.push(Case {
        program: square,
        condition: "no terrain",
    });
    // Alone, in a domain that has seen nothing.
    let alone: Vec<_> = cases
        .iter()
        .map(|case| {
            let mut fresh = Walkers::new(&settings()).evaluator().unwrap();
            outcomes(fresh.evaluate(&[*case])).remove(0)
        })
        .collect();
    let domain = Walkers::new(&settings());
    let (mut one, mut other) = (domain.evaluator().unwrap(), domain.evaluator().unwrap());
    assert_eq!(outcomes(one.evaluate(&cases)), alone);
    // Remembered, in another order, and each twice.
    let twice: Vec<Case<'_>> = cases.iter().rev().flat_map(|case| [*case; 2]).collect();
    let pairs = alone.iter().rev().map(|all| [all.clone(), all.clone()]);
    let expected: Vec<_> = pairs.flatten().collect();
    assert_eq!(outcomes(other.evaluate(&twice)), expected);
    assert_eq!(outcomes(one.evaluate(&twice[5..9])), expected[5..9]);

    let fitness = |index: usize| match &alone[index].0 {
        Outcome::Scored { fitness, .. } => *fitness,
        other => panic!("{other:?}"),
    };
    assert_ne!(fitness(0), fitness(1), "the terrain matters");
    let code = |index: usize| match &alone[index].0 {
        Outcome::Unrunnable(reason) | Outcome::Unscored(reason) => reason.code.clone(),
        Outcome::Scored { .. } => panic!("{index}"),
    };
    assert_eq!(code(12), "exception");
    assert_eq!(code(13), "no-terrain");
}
