//! A toy domain, whose programs are texts that a function judges.

use std::time::Duration;

use evolve::Error;
use evolve::domain::{Case, Domain, Evaluation, Evaluator, Outcome};
use lm::cpu::Precision;
use mutate::model;
use qd::Axis;

/// Texts, by the name of their one axis and what becomes of each.
#[derive(Clone, Copy)]
pub struct Toy {
    pub axis: &'static str,
    pub judge: fn(&Case<'_>) -> Outcome,
}

impl Domain for Toy {
    fn axes(&self) -> Vec<Axis> {
        vec![Axis {
            name: self.axis.to_owned(),
            low: 0.0,
            high: 20.0,
            bins: 4,
        }]
    }

    fn evaluator(&self) -> Result<Box<dyn Evaluator>, Error> {
        Ok(Box::new(*self))
    }
}

impl Evaluator for Toy {
    fn evaluate(&mut self, cases: &[Case<'_>]) -> Vec<Evaluation> {
        let evaluate = |case| Evaluation {
            outcome: (self.judge)(case),
            artifact: None,
            time: Duration::ZERO,
        };
        cases.iter().map(evaluate).collect()
    }
}

/// How its models are run.
pub fn model() -> model::Settings {
    model::Settings {
        path: String::new(),
        device: "cpu".to_owned(),
        precision: Precision::Int8,
        threads: 1,
        batch: 64,
        cache_mb: 16,
    }
}
