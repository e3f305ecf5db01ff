//! The bug-fixing comparison of the paper (Lehman et al. 2022, section 3, figures 1, 2, 20 and 21): one mutation of a
//! program with 1, 2, 3 ... bugs, and how often it passes all unit tests.
//!
//! It asks how well an operator makes several coupled changes at once, and needs no search. [`run`] takes the
//! operators of a search ([`Weights`]) and [`NodeReplacement`], genetic programming as the paper compares with it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Instant;

use crossbeam_channel::{Receiver, Sender};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use crate::model::settings::Message;
use crate::operator::{Active, Cost, Operator, Proposal, Request, Weights};
use crate::settings::Settings;
use crate::{Error, prompt};

mod judge;
mod paper;
mod replace;
mod tally;
mod task;

pub use judge::{Judge, Verdict};
pub use paper::{PUBLISHED, Published};
pub use replace::NodeReplacement;
pub use tally::{Share, Spent, Tally};
pub use task::{Primitives, TASKS, Task, UnitTest};

/// The name of [`NodeReplacement`] among the operators.
pub const PAPER_GP: &str = "paper-gp";

/// The commit message that operators are given, where they read one.
pub const MESSAGE: &str = prompt::FIX_BUGS;

/// Children asked for at a time.
const BATCH: u64 = 128;

/// What to measure.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The tasks, in order.
    pub tasks: Vec<&'static Task>,
    /// The operators by name: those of [`Weights`], and [`PAPER_GP`]. None named: those with a weight in the settings,
    /// and [`PAPER_GP`].
    pub operators: Vec<String>,
    /// Mutations of each program; `None`: as many as [`usual_trials`] says.
    pub trials: Option<u64>,
    /// How operators and Python are set, the number of threads, and the seed of every random draw.
    pub settings: Settings,
}

/// Where a measurement stands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Progress {
    /// The task.
    pub task: &'static str,
    /// The operator.
    pub operator: &'static str,
    /// Bugs in the program.
    pub bugs: usize,
    /// Mutations proposed so far.
    pub done: u64,
    /// Mutations of the whole plan.
    pub target: u64,
}

/// As many mutations as the paper made: 100,000 with an operator that needs no model; else 1,000.
pub fn usual_trials(operator: &str) -> u64 {
    match operator {
        "gp" | PAPER_GP => 100_000,
        _ => 1_000,
    }
}

/// Measures every operator on every task with every number of bugs, and calls `observe` as it goes on. Once `stop` is
/// set it returns what is complete.
///
/// What is complete goes to `tallies`, also where an error ends it or a stop. The tallies are a function of the plan (but for [`Spent::seconds`]) as far as operators are one of their requests;
/// the number of threads changes nothing.
///
/// # Errors
/// A setting out of its range, an operator that is not known or gives up, a Python that cannot run.
pub fn run(
    plan: &Plan,
    stop: &AtomicBool,
    tallies: &mut Vec<Tally>,
    observe: &mut dyn FnMut(&Progress),
) -> Result<(), Error> {
    plan.settings.check()?;
    let threads = match plan.settings.threads {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        n => n,
    };
    let programs: usize = plan.tasks.iter().map(|task| task.bugs()).sum();
    let mut done = 0;
    for task in &plan.tasks {
        let operators = operators(plan, task)?;
        let trials = |name| plan.trials.unwrap_or_else(|| usual_trials(name));
        let target = operators.iter().map(|o| trials(o.name)).sum::<u64>() * programs as u64;
        let mut judges = (0..threads)
            .map(|_| Judge::new(task, &plan.settings))
            .collect::<Result<Vec<_>, _>>()?;
        check(task, &mut judges[0])?;
        // Bounded, so that proposing keeps step with judging.
        let (jobs, todo) = crossbeam_channel::bounded(4 * BATCH as usize);
        let (ready, verdicts) = crossbeam_channel::unbounded();
        std::thread::scope(|scope| -> Result<(), Error> {
            for judge in judges {
                let (todo, ready) = (todo.clone(), ready.clone());
                scope.spawn(move || work(judge, &todo, &ready, stop));
            }
            drop((todo, ready));
            // Its end closes the channel of jobs, which ends the threads.
            let mut court = Court {
                jobs,
                verdicts,
                known: HashMap::new(),
                waiting: 0,
            };
            for Active {
                name, mut operator, ..
            } in operators
            {
                for bugs in 1..=task.bugs() {
                    let cell = Cell {
                        task,
                        name,
                        bugs,
                        trials: trials(name),
                        run: plan.settings.rng,
                    };
                    let step = &mut |n| {
                        observe(&Progress {
                            task: task.name,
                            operator: name,
                            bugs,
                            done: done + n,
                            target,
                        });
                    };
                    let Some(tally) = cell.measure(&mut *operator, &mut court, stop, step)? else {
                        return Ok(());
                    };
                    done += tally.trials;
                    tallies.push(tally);
                }
            }
            Ok(())
        })?;
    }
    Ok(())
}

/// The settings of operators as a task wants them: what they are told, and which names they may write.
fn told(settings: &Settings, task: &Task) -> Settings {
    let mut settings = settings.clone();
    let misspelt = task.misspelt.iter().map(|name| (*name).to_owned());
    settings.gp.extra_names.extend(misspelt);
    settings.diff.file_name = format!("{}.py", task.name);
    settings.diff.messages = vec![Message {
        message: MESSAGE.to_owned(),
        weight: 1.0,
    }];
    // One mutation is one draw.
    (settings.line.tries, settings.diff.tries) = (1, 1);
    settings.prompt.instructions = vec![prompt::Instruction {
        message: MESSAGE.to_owned(),
        weight: 1.0,
    }];
    settings
}

/// The operators of a plan, set for a task.
fn operators(plan: &Plan, task: &Task) -> Result<Vec<Active>, Error> {
    let mut settings = told(&plan.settings, task);
    let (own, others): (Vec<_>, Vec<_>) = plan.operators.iter().partition(|n| *n == PAPER_GP);
    let mut operators = Vec::new();
    if !own.is_empty() || plan.operators.is_empty() {
        operators.push(Active {
            name: PAPER_GP,
            weight: 1.0,
            operator: Box::new(NodeReplacement::new(task.primitives)),
        });
    }
    if !others.is_empty() {
        let chosen: Vec<_> = others.into_iter().map(|name| (name.clone(), 1.0)).collect();
        settings.operators.select(&chosen).map_err(also_ours)?;
    }
    if own.len() < plan.operators.len() || plan.operators.is_empty() {
        operators.extend(Weights::build(&settings)?);
    }
    Ok(operators)
}

/// Names our own operator too, where an error lists those there are.
fn also_ours(error: Error) -> Error {
    match error {
        Error::Setting { field, why, mend } => Error::Setting {
            field,
            why,
            mend: format!("{mend}, {PAPER_GP}"),
        },
        other => other,
    }
}

/// Makes sure that the tests tell what they are to tell, on this machine and with this Python.
fn check(task: &Task, judge: &mut Judge) -> Result<(), Error> {
    let complain = |bugs, verdict| {
        Err(Error::Evaluator(format!(
            "the {} program with {bugs} bugs is judged {verdict:?}; try another Python with --python",
            task.name
        )))
    };
    match judge.judge(&task.correct()) {
        Verdict::Right => {}
        other => return complain(0, other),
    }
    for bugs in 1..=task.bugs() {
        let verdict = judge.judge(&task.buggy(bugs));
        if verdict == Verdict::Right {
            return complain(bugs, verdict);
        }
    }
    Ok(())
}

/// A judging thread.
fn work(
    mut judge: Judge,
    todo: &Receiver<String>,
    ready: &Sender<(String, Verdict)>,
    stop: &AtomicBool,
) {
    for program in todo {
        if stop.load(Relaxed) {
            return;
        }
        let verdict = judge.judge(&program);
        if ready.send((program, verdict)).is_err() {
            return;
        }
    }
}

/// The judging threads as the measuring one sees them. Each text is judged once.
struct Court {
    jobs: Sender<String>,
    verdicts: Receiver<(String, Verdict)>,
    /// `None` while it is being judged.
    known: HashMap<String, Option<Verdict>>,
    waiting: usize,
}

/// The judging threads are gone, since the measurement was stopped.
struct Gone;

impl Court {
    /// Has a program judged, if it is new.
    fn submit(&mut self, program: &str) -> Result<(), Gone> {
        if !self.known.contains_key(program) {
            self.known.insert(program.to_owned(), None);
            self.waiting += 1;
            self.jobs.send(program.to_owned()).map_err(|_| Gone)?;
        }
        Ok(())
    }

    /// Waits until every program has its verdict.
    fn settle(&mut self) -> Result<(), Gone> {
        while self.waiting > 0 {
            let (program, verdict) = self.verdicts.recv().map_err(|_| Gone)?;
            self.known.insert(program, Some(verdict));
            self.waiting -= 1;
        }
        Ok(())
    }
}

/// One operator on one program.
struct Cell<'a> {
    task: &'static Task,
    name: &'a str,
    bugs: usize,
    trials: u64,
    run: u64,
}

impl Cell<'_> {
    /// Measures it; nothing if it was stopped on the way.
    fn measure(
        &self,
        operator: &mut dyn Operator,
        court: &mut Court,
        stop: &AtomicBool,
        step: &mut dyn FnMut(u64),
    ) -> Result<Option<Tally>, Error> {
        let parent = self.task.buggy(self.bugs);
        let mut tally = Tally::new(self.task.name, self.name, self.bugs);
        let mut children: HashMap<String, u64> = HashMap::new();
        while tally.trials < self.trials {
            let count = BATCH.min(self.trials - tally.trials);
            let mut requests = [Request {
                parent: &parent,
                partner: None,
                count: count as usize,
                rng: self.stream(tally.trials / BATCH),
            }];
            let began = Instant::now();
            let mut proposals = operator.propose(&mut requests, stop)?;
            if stop.load(Relaxed) {
                return Ok(None);
            }
            Cost::spread(&mut proposals, began.elapsed().as_secs_f64());
            for Proposal { program, cost, .. } in proposals.into_iter().flatten() {
                tally.cost.add(&cost);
                match program {
                    Err(reason) => *tally.failures.entry(reason.code).or_default() += 1,
                    Ok(program) => {
                        tally.valid += 1;
                        if court.submit(&program).is_err() {
                            return Ok(None);
                        }
                        *children.entry(program).or_default() += 1;
                    }
                }
            }
            tally.trials += count;
            step(tally.trials);
        }
        if court.settle().is_err() {
            return Ok(None);
        }
        tally.distinct = children.len() as u64;
        for (program, n) in &children {
            if let Some(Some(verdict)) = court.known.get(program) {
                tally.count(verdict, *n);
            }
        }
        tally.share = Share::new(tally.success, tally.trials);
        Ok(Some(tally))
    }

    /// The random stream of a batch, the same for every operator.
    fn stream(&self, batch: u64) -> ChaCha8Rng {
        let task = TASKS.iter().position(|task| task.name == self.task.name);
        let mut key = [0; 32];
        for (slot, part) in key.chunks_exact_mut(8).zip([
            self.run,
            task.unwrap_or_default() as u64,
            self.bugs as u64,
            batch,
        ]) {
            slot.copy_from_slice(&part.to_le_bytes());
        }
        ChaCha8Rng::from_seed(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(operators: &[&str]) -> Plan {
        Plan {
            tasks: TASKS.iter().collect(),
            operators: operators.iter().map(|name| (*name).to_owned()).collect(),
            trials: None,
            settings: Settings::default(),
        }
    }

    fn names(operators: &[&str]) -> Vec<&'static str> {
        let operators = super::operators(&plan(operators), &TASKS[0]).unwrap();
        operators.iter().map(|active| active.name).collect()
    }

    #[test]
    fn operators_by_name() {
        assert_eq!(names(&["gp"]), ["gp"]);
        assert_eq!(names(&[PAPER_GP]), [PAPER_GP]);
        assert_eq!(names(&["gp", PAPER_GP]), [PAPER_GP, "gp"]);
        assert_eq!(names(&[])[0], PAPER_GP);
        let Err(error) = super::operators(&plan(&["magic"]), &TASKS[0]) else {
            panic!("there is no magic");
        };
        let error = error.to_string();
        assert!(
            error.contains("magic") && error.contains("gp, ") && error.contains(PAPER_GP),
            "{error}"
        );
    }

    #[test]
    fn models_are_told_one_thing() {
        let settings = told(&Settings::default(), &TASKS[1]);
        let said = |messages: Vec<&String>| assert_eq!(messages, ["Fixed bugs."]);
        said(settings.diff.messages.iter().map(|m| &m.message).collect());
        said(
            settings
                .prompt
                .instructions
                .iter()
                .map(|m| &m.message)
                .collect(),
        );
        assert_eq!(settings.diff.file_name, "quadratic.py");
        assert!(settings.gp.extra_names.is_empty());
    }

    /// The alphabet holds the misspelt names, else no child could have one.
    #[test]
    fn gp_may_write_misspelt_names() {
        for name in ["gp", PAPER_GP] {
            let mut operators = super::operators(&plan(&[name]), &TASKS[0]).unwrap();
            let parent = TASKS[0].correct();
            let mut requests = [Request {
                parent: &parent,
                partner: None,
                count: 500,
                rng: ChaCha8Rng::seed_from_u64(1),
            }];
            let stop = AtomicBool::new(false);
            let proposals = operators[0].operator.propose(&mut requests, &stop).unwrap();
            let misspelt = |p: &&Proposal| p.program.as_ref().is_ok_and(|text| text.contains("c3"));
            assert_eq!(proposals[0].len(), 500);
            assert!(proposals[0].iter().filter(misspelt).count() > 5, "{name}");
        }
    }
}
