//! The bug-fixing comparison of the paper (Lehman et al. 2022, section 3, figures 1, 2, 20 and 21): one mutation of a
//! program with 1, 2, 3 ... bugs, and how often it passes all unit tests.
//!
//! It asks how well an operator makes several coupled changes at once, and needs no search. [`run`] takes the
//! operators there are ([`mutate::KINDS`]), among them genetic programming as the paper compares with it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, SendTimeoutError, Sender};
use mutate::crew::serve;
use mutate::{Active, Brief, Message, Operator, Operators, Proposal, Request, choose, gather};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use toml::{Table, Value};

use crate::Error;

mod judge;
mod paper;
mod tally;
mod task;

pub use judge::{Judge, Verdict};
pub use paper::{PUBLISHED, Published};
pub use tally::{Share, Spent, Tally};
pub use task::{Primitives, TASKS, Task, UnitTest};

/// The operator that the paper compares with.
pub const PAPER_GP: &str = mutate::node_replacement::NAME;

/// The commit message that operators are given, where they read one.
pub const MESSAGE: &str = mutate::prompt::FIX_BUGS;

/// Children asked for at a time.
const BATCH: u64 = 128;

/// What to measure.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The tasks, in order.
    pub tasks: Vec<&'static Task>,
    /// The operators by name. None named: those with a weight in the settings, and [`PAPER_GP`].
    pub operators: Vec<String>,
    /// Mutations of each program; `None`: as many as [`usual_trials`] says.
    pub trials: Option<u64>,
    /// The sections of the operators.
    pub settings: Table,
    /// How programs are run.
    pub python: pyrun::settings::Settings,
    /// Judging threads; 0: one per core.
    pub threads: usize,
    /// The seed of every random draw.
    pub rng: u64,
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
/// Each operator's count on a program goes to `tallies` when it is complete; an error or a stop keeps those that are. The
/// tallies (but for [`Spent::seconds`]) are a function of the plan, as far as proposals are one of requests; the number of
/// threads changes nothing.
///
/// # Errors
/// A setting out of its range, an operator that is not known or gives up, a Python that cannot run.
pub fn run(
    plan: &Plan,
    stop: &AtomicBool,
    tallies: &mut Vec<Tally>,
    observe: &mut dyn FnMut(&Progress),
) -> Result<(), Error> {
    for (field, value, low, high) in plan.python.bounds() {
        mutate::settings::range(field, value, low, high)?;
    }
    mutate::settings::range("threads", plan.threads as f64, 0.0, 1024.0)?;
    let threads = match plan.threads {
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
            .map(|_| Judge::new(task, &plan.python))
            .collect::<Result<Vec<_>, _>>()?;
        check(task, &mut judges[0])?;
        // Bounded, so that proposing keeps step with judging.
        let (jobs, todo) = crossbeam_channel::bounded(4 * BATCH as usize);
        let (ready, verdicts) = crossbeam_channel::unbounded();
        std::thread::scope(|scope| -> Result<(), Error> {
            for mut judge in judges {
                let (todo, ready) = (todo.clone(), ready.clone());
                scope.spawn(move || work(|program| judge.judge(program), &todo, &ready, stop));
            }
            drop((todo, ready));
            // Its end closes the channel of jobs, which ends the threads.
            let mut court = Court::new(jobs, verdicts, stop);
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
                        run: plan.rng,
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
                    let measure = || cell.measure(&mut *operator, &mut court, stop, step);
                    let Some(tally) = mutate::roomy(measure)? else {
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

/// What operators are told about a task.
fn brief(task: &Task) -> Brief {
    Brief {
        file_name: format!("{}.py", task.name),
        entry: task.function.to_owned(),
        names: task.misspelt.iter().map(|&name| name.to_owned()).collect(),
        messages: vec![Message {
            message: MESSAGE.to_owned(),
            weight: 1.0,
        }],
        ..Brief::default()
    }
}

/// The operators of a plan, set for a task.
fn operators(plan: &Plan, task: &Task) -> Result<Vec<Active>, Error> {
    let mut settings = plan.settings.clone();
    let mut chosen: Vec<_> = plan.operators.clone();
    if chosen.is_empty() {
        chosen.push(PAPER_GP.to_owned());
        let set = Operators::read(&settings)?;
        chosen.extend(set.names().map(str::to_owned));
    }
    let chosen: Vec<_> = chosen.into_iter().map(|name| (name, 1.0)).collect();
    choose(&mut settings, &chosen)?;
    settings.insert(PAPER_GP.to_owned(), task.primitives.section());
    // One mutation is one draw.
    for name in ["line", "diff"] {
        if let Some(Value::Table(section)) = settings.get_mut(name) {
            section.insert("tries".to_owned(), Value::Integer(1));
        }
    }
    let operators = Operators::read(&settings)?.with_brief(brief(task));
    let (mut active, _) = operators.make()?;
    active.sort_by_key(|operator| operator.name != PAPER_GP);
    Ok(active)
}

/// Makes sure that the tests tell what they are to tell, on this machine and with this Python.
fn check(task: &Task, judge: &mut Judge) -> Result<(), Error> {
    let complain = |bugs, verdict| {
        Err(Error::Judge(format!(
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

/// A program and its verdict, or why there is none.
type News = Result<(String, Verdict), String>;

/// A judging thread.
fn work(
    mut judge: impl FnMut(&str) -> Verdict,
    todo: &Receiver<String>,
    ready: &Sender<News>,
    stop: &AtomicBool,
) {
    let judged = |mut programs: Vec<String>| {
        let program = programs.remove(0);
        let verdict = judge(&program);
        Ok((program, verdict))
    };
    let hand = |news| ready.send(news).is_ok();
    serve(todo, stop, |_| 1, judged, hand);
}

/// The judging threads as the measuring one sees them. Each text is judged once.
struct Court<'a> {
    jobs: Sender<String>,
    verdicts: Receiver<News>,
    /// `None` while it is being judged.
    known: HashMap<String, Option<Verdict>>,
    waiting: usize,
    stop: &'a AtomicBool,
}

/// How soon a stop is noticed.
const WATCH: Duration = Duration::from_millis(50);

impl<'a> Court<'a> {
    fn new(jobs: Sender<String>, verdicts: Receiver<News>, stop: &'a AtomicBool) -> Self {
        Court {
            jobs,
            verdicts,
            known: HashMap::new(),
            waiting: 0,
            stop,
        }
    }

    /// Has a program judged, if it is new. `false`: the measurement was stopped.
    fn submit(&mut self, program: &str) -> Result<bool, Error> {
        if self.known.contains_key(program) {
            return Ok(true);
        }
        self.known.insert(program.to_owned(), None);
        self.waiting += 1;
        let mut job = program.to_owned();
        loop {
            job = match self.jobs.send_timeout(job, WATCH) {
                Ok(()) => return Ok(true),
                Err(SendTimeoutError::Timeout(job) | SendTimeoutError::Disconnected(job)) => job,
            };
            if self.stop.load(Relaxed) {
                return Ok(false);
            }
            while let Ok(news) = self.verdicts.try_recv() {
                self.note(news)?;
            }
        }
    }

    /// Waits until every program has its verdict. `false`: the measurement was stopped.
    fn settle(&mut self) -> Result<bool, Error> {
        while self.waiting > 0 {
            match self.verdicts.recv_timeout(WATCH) {
                Ok(news) => self.note(news)?,
                Err(_) if self.stop.load(Relaxed) => return Ok(false),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(Error::Judge("its threads ended".to_owned()));
                }
            }
        }
        Ok(true)
    }

    fn note(&mut self, news: News) -> Result<(), Error> {
        let (program, verdict) = news.map_err(Error::Judge)?;
        self.known.insert(program, Some(verdict));
        self.waiting -= 1;
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
        court: &mut Court<'_>,
        stop: &AtomicBool,
        step: &mut dyn FnMut(u64),
    ) -> Result<Option<Tally>, Error> {
        let parent = self.task.buggy(self.bugs);
        let mut tally = Tally::new(self.task.name, self.name, self.bugs);
        let mut children: HashMap<String, u64> = HashMap::new();
        while tally.trials < self.trials {
            let count = BATCH.min(self.trials - tally.trials);
            let stream = self.stream(tally.trials / BATCH);
            let mut requests = [Request::new(&parent, count as usize, stream)];
            let began = Instant::now();
            let proposals = gather(operator, &mut requests, stop)?;
            if stop.load(Relaxed) {
                return Ok(None);
            }
            let proposals: Vec<Proposal> = proposals.into_iter().flatten().flatten().collect();
            if proposals.len() as u64 != count {
                return Err(Error::Judge(format!(
                    "the operator {} proposed {} children of {count}",
                    self.name,
                    proposals.len()
                )));
            }
            // Who names no seconds is timed.
            if proposals
                .iter()
                .all(|proposal| proposal.cost.seconds == 0.0)
            {
                tally.cost.seconds += began.elapsed().as_secs_f64();
            }
            for Proposal { program, cost, .. } in proposals {
                tally.cost.add(&cost);
                match program {
                    Err(reason) => *tally.failures.entry(reason.code).or_default() += 1,
                    Ok(program) => {
                        tally.valid += 1;
                        if !court.submit(&program)? {
                            return Ok(None);
                        }
                        *children.entry(program).or_default() += 1;
                    }
                }
            }
            tally.trials += count;
            step(tally.trials);
        }
        if !court.settle()? {
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
            settings: settings(),
            python: toml::from_str::<Table>(pyrun::settings::SETTINGS).unwrap()["python"]
                .clone()
                .try_into()
                .unwrap(),
            threads: 1,
            rng: 0,
        }
    }

    fn settings() -> Table {
        let mut settings: Table = toml::from_str(&mutate::commented()).unwrap();
        let brief = Value::try_from(brief(&TASKS[0])).unwrap();
        settings.insert("brief".to_owned(), brief);
        settings
    }

    fn names(operators: &[&str]) -> Vec<&'static str> {
        let operators = super::operators(&plan(operators), &TASKS[0]).unwrap();
        operators.iter().map(|active| active.name).collect()
    }

    /// Two judges at work on programs of which each takes what `judge` does to it.
    fn court(
        stop: &AtomicBool,
        programs: &[&str],
        judge: fn(&str) -> Verdict,
    ) -> Result<bool, Error> {
        let (jobs, todo) = crossbeam_channel::bounded(1);
        let (ready, verdicts) = crossbeam_channel::unbounded();
        std::thread::scope(|scope| {
            for _ in 0..2 {
                let (todo, ready) = (todo.clone(), ready.clone());
                scope.spawn(move || work(judge, &todo, &ready, stop));
            }
            drop((todo, ready));
            let mut court = Court::new(jobs, verdicts, stop);
            for program in programs {
                if !court.submit(program)? {
                    return Ok(false);
                }
            }
            court.settle()
        })
    }

    #[test]
    fn a_judge_that_panics_ends_the_measurement() {
        let stop = AtomicBool::new(false);
        let judge = |program: &str| match program {
            "bad" => panic!("of {program}"),
            _ => Verdict::Right,
        };
        assert!(court(&stop, &["a", "b", "a"], judge).unwrap());
        // The first dies alone; then both do, and nobody takes what is submitted.
        for programs in [
            &["bad", "b", "c"][..],
            &["bad", "a", "bad ", "b", "c", "d", "e"],
        ] {
            let judge = |program: &str| match program.trim() {
                "bad" => panic!("of {program}"),
                _ => Verdict::Right,
            };
            let error = court(&stop, programs, judge).unwrap_err().to_string();
            assert!(error.contains("panicked: of bad"), "{error}");
        }
    }

    #[test]
    fn a_stop_ends_the_measurement_while_judges_wait() {
        let stop = AtomicBool::new(true);
        assert!(!court(&stop, &["a"], |_| Verdict::Right).unwrap());
    }

    #[test]
    fn operators_by_name() {
        assert_eq!(names(&["gp"]), ["gp"]);
        assert_eq!(names(&[PAPER_GP]), [PAPER_GP]);
        assert_eq!(names(&["gp", PAPER_GP]), [PAPER_GP, "gp"]);
        assert_eq!(names(&[]), [PAPER_GP, "gp"]);
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
    fn models_are_told_one_thing_and_nothing_of_other_hosts() {
        let brief = brief(&TASKS[1]);
        brief.check().unwrap();
        let said: Vec<_> = brief.messages.iter().map(|m| m.message.as_str()).collect();
        assert_eq!(said, ["Fixed bugs."]);
        assert_eq!(brief.file_name, "quadratic.py");
        assert!(brief.names.is_empty() && brief.host.is_empty() && brief.signatures.is_empty());
    }

    /// The alphabet holds the misspelt names, else no child could have one.
    #[test]
    fn gp_may_write_misspelt_names() {
        for name in ["gp", PAPER_GP] {
            let mut operators = super::operators(&plan(&[name]), &TASKS[0]).unwrap();
            let parent = TASKS[0].correct();
            let mut requests = [Request::new(&parent, 500, ChaCha8Rng::seed_from_u64(1))];
            let stop = AtomicBool::new(false);
            let proposals = gather(&mut *operators[0].operator, &mut requests, &stop).unwrap();
            let proposals: Vec<_> = proposals.into_iter().flatten().flatten().collect();
            let misspelt = |p: &&Proposal| p.program.as_ref().is_ok_and(|text| text.contains("c3"));
            assert_eq!(proposals.len(), 500);
            assert!(proposals.iter().filter(misspelt).count() > 5, "{name}");
        }
    }
}
