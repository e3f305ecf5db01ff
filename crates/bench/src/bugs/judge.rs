//! Runs the unit tests of a task on a program, in the cage.

use std::fmt::Write;

use mutate::Reason;
use pyrun::settings::Settings;
use pyrun::{EntryRule, HostModule, Runner, Value};

use super::task::{Task, UnitTest};
use crate::Error;

/// What a program is worth.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// It does not load, or a call of its function ends in no plain value.
    Unrunnable(Reason),
    /// Every call returns something, but not always the right number.
    Wrong,
    /// It passes all tests.
    Right,
}

/// The function that calls the program's with the arguments of every test, and returns what it returned.
const ENTRY: &str = "_unit_tests";

/// Judges programs, on one thread.
pub struct Judge {
    runner: Runner,
    tests: Vec<UnitTest>,
    /// Appended to each program.
    calls: String,
}

impl Judge {
    /// A judge of this task, with the settings' Python and its limits.
    ///
    /// # Errors
    /// The Python runner cannot start.
    pub fn new(task: &Task, settings: &Settings) -> Result<Self, Error> {
        let host = HostModule {
            prelude: String::new(),
            modules: Vec::new(),
            entry: EntryRule {
                exact: ENTRY.to_owned(),
                prefixes: Vec::new(),
            },
        };
        let runner = Runner::new(settings.runner(host)).map_err(|e| Error::Judge(e.to_string()))?;
        let tests = task.tests();
        // The expected values stay on this side of the cage.
        let mut calls = format!("\n\ndef {ENTRY}():\n    return [\n");
        for test in &tests {
            // Whole numbers are written without a point, so that bits are bits.
            let arguments = test.arguments.map(|x| x.to_string()).join(", ");
            let _ = writeln!(calls, "        {}({arguments}),", task.function);
        }
        calls += "    ]\n";
        Ok(Self {
            runner,
            tests,
            calls,
        })
    }

    /// The verdict on a program: a function of its text alone.
    pub fn judge(&mut self, program: &str) -> Verdict {
        match self.runner.run(&format!("{program}{}", self.calls)) {
            Err(failure) => Verdict::Unrunnable(Reason {
                code: failure.reason().to_owned(),
                message: failure.to_string(),
            }),
            Ok(value) if passes(&value, &self.tests) => Verdict::Right,
            Ok(_) => Verdict::Wrong,
        }
    }
}

/// Whether the values are the expected ones, compared as Python compares numbers.
fn passes(values: &Value, tests: &[UnitTest]) -> bool {
    values.as_slice().is_some_and(|values| {
        values.len() == tests.len()
            && values
                .iter()
                .zip(tests)
                .all(|(value, test)| value.as_f64() == Some(test.expected))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_compared_as_python_does() {
        let tests = Task::by_name("parity").unwrap().tests();
        let with = |number: fn(f64) -> Value| {
            let values = tests.iter().map(|t| number(t.expected)).collect();
            passes(&Value::List(values), &tests)
        };
        assert!(with(|x| Value::Int(x as i64)));
        assert!(with(Value::Float));
        assert!(with(|x| Value::Bool(x == 1.0)));
        assert!(!with(|x| Value::Float(x + 1e-9)));
        assert!(!with(|x| Value::Str(x.to_string())));
        assert!(!passes(&Value::List(vec![Value::Int(0)]), &tests));
        assert!(!passes(&Value::None, &tests));
    }
}
