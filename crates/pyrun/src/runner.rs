//! The one interface over both tiers.

use std::ffi::OsString;
use std::time::Duration;

use crate::process::{Deadline, Lost, Process, STILL, signal};
use crate::wire::{Setup, decode_answer};
use crate::{Config, Error, Failure, Tier, Value, cage, meter, second_tier, text, worker};

/// Runs programs, one at a time. Each thread that evaluates has its own; it can be moved between threads.
///
/// It owns at most one process per tier, started when first needed and replaced when a program brings it down.
pub struct Runner {
    config: Config,
    setup: Vec<u8>,
    first: Option<Process>,
    second: second_tier::Zygote,
    last_cpu: Duration,
}

impl Runner {
    /// Starts the worker of the first tier (of the second, where the first is not wanted) and runs the prelude in it.
    /// A missing CPython is no error here: [`Runner::run`] answers [`Failure::NoPython`] where it is needed.
    ///
    /// # Errors
    /// The system has no cage and [`Config::cage`] asks for one; the worker does not start; the prelude does not run.
    pub fn new(config: Config) -> Result<Runner, Error> {
        caged(config.cage)?;
        let setup = Setup {
            host: config.host.clone(),
            limits: config.limits.clone(),
            cage: config.cage,
        };
        let setup = serde_json::to_vec(&setup).expect("a setup is strings and numbers");
        let second = second_tier::Zygote::new(&config);
        let mut runner = Runner {
            config,
            setup,
            first: None,
            second,
            last_cpu: Duration::ZERO,
        };
        if runner.config.tier == Tier::CPython {
            match runner.second.ensure() {
                Ok(_) | Err(Failure::NoPython { .. }) => {}
                Err(failure) => return Err(Error::Prelude(failure)),
            }
        } else {
            runner.first = Some(runner.start_first()?);
        }
        Ok(runner)
    }

    /// Runs one program: a function of its text, up to the limits on time and memory.
    pub fn run(&mut self, source: &str) -> Result<Value, Failure> {
        self.last_cpu = Duration::ZERO;
        let source = &*text::as_read(source)?;
        match self.config.tier {
            Tier::Monty => self.run_first(source),
            Tier::CPython => self.run_second(source),
            Tier::Auto => match self.run_first(source) {
                Err(Failure::Unsupported { .. }) => self.run_second(source),
                other => other,
            },
        }
    }

    /// CPU time of the last program, interpreter included (of the tier that answered).
    pub fn last_cpu(&self) -> Duration {
        self.last_cpu
    }

    /// Why the CPython tier cannot be used here, if so; starts it to find out.
    pub fn python_problem(&mut self) -> Option<Failure> {
        self.second.ensure().err()
    }

    fn start_first(&self) -> Result<Process, Error> {
        let fail = |cause| Error::Start {
            command: format!("{:?}", self.config.worker),
            cause,
        };
        if self.config.worker.is_empty() {
            return Err(Error::NoWorker);
        }
        let args = [OsString::from(worker::FIRST)];
        let lost = |how: String, said: String| {
            let low = cage::low_limits()
                .map(|l| format!("under the limits of this session: {l}; raise them"));
            let words = [Some(how), Some(said), low].into_iter().flatten();
            let words: Vec<String> = words.filter(|w| !w.is_empty()).collect();
            fail(std::io::Error::other(words.join("; ")))
        };
        let mut process = Process::start(&self.config.worker, &args, &self.setup, START)
            .map_err(|e| lost(e.to_string(), String::new()))?;
        match process.answer(START, 1 << 16) {
            Ok(answer) if answer.is_empty() => Ok(process.ready()),
            Ok(answer) => Err(Error::Prelude(
                decode_answer(&answer)
                    .err()
                    .unwrap_or(Failure::crashed("odd answer")),
            )),
            Err(why) => Err(lost(describe(&why), process.said())),
        }
    }

    fn run_first(&mut self, source: &str) -> Result<Value, Failure> {
        match self.try_first(source) {
            // no program can stop its worker: what did came from outside, and the program has another try
            Err(Lost::Still) => self.try_first(source),
            other => other,
        }
        .unwrap_or_else(|lost| self.explain(lost))
    }

    fn try_first(&mut self, source: &str) -> Result<Result<Value, Failure>, Lost> {
        let mut process = match self.first.take().and_then(Process::alive) {
            Some(process) => process,
            None => match self.start_first() {
                Ok(process) => process,
                Err(error) => return Ok(Err(Failure::crashed(error.to_string()))),
            },
        };
        let limits = &self.config.limits;
        let begin = process.cpu();
        let deadline = Deadline {
            cpu: Some(limits.cpu),
            wall: wall(limits.cpu),
        };
        let answer = process.ask(
            source.as_bytes(),
            deadline,
            answer_limit(limits.output_bytes),
        )?;
        self.last_cpu = process.cpu().saturating_sub(begin);
        self.first = Some(process);
        Ok(decode_answer(&answer))
    }

    /// The failure that a lost worker of the first tier stands for.
    fn explain(&mut self, lost: Lost) -> Result<Value, Failure> {
        Err(match lost {
            Lost::Late => {
                self.last_cpu = self.config.limits.cpu;
                Failure::Time
            }
            Lost::Still => Failure::Time,
            Lost::Died(status) => match (status.code(), signal(status)) {
                (Some(worker::STACK_EXIT), _) => Failure::Recursion,
                (Some(meter::OUTPUT_EXIT), _) => Failure::OutputTooLarge,
                // the only reason why the worker aborts is an allocation that failed
                (_, Some(libc::SIGABRT)) => Failure::Memory,
                (_, Some(libc::SIGSYS)) => Failure::Forbidden {
                    what: "a system call".into(),
                },
                _ => Failure::crashed(status.to_string()),
            },
            lost => Failure::crashed(describe(&lost)),
        })
    }

    fn run_second(&mut self, source: &str) -> Result<Value, Failure> {
        let (result, cpu) = self.second.run(source);
        self.last_cpu = cpu;
        result
    }
}

/// Whether programs may run here: in a cage, or without a whole one where that is wanted (not `must`).
///
/// # Errors
/// [`Error::NoCage`].
pub fn caged(must: bool) -> Result<(), Error> {
    decide(must, cage::missing())
}

fn decide(must: bool, missing: Option<String>) -> Result<(), Error> {
    match missing {
        Some(missing) if must => Err(Error::NoCage { missing }),
        _ => Ok(()),
    }
}

/// A worker that is not ready after this long is not coming.
pub(crate) const START: Deadline = Deadline {
    cpu: None,
    wall: Duration::from_secs(60),
};

/// The deadline of a zygote, which works little itself.
pub(crate) fn for_zygote(cpu: Duration) -> Deadline {
    Deadline {
        cpu: None,
        wall: wall(cpu),
    }
}

/// The wall-clock backstop for a CPU limit, for a process that does not run at all. So wide because one that runs may get
/// only a few hundredths of a busy CPU, and must not fail for that.
pub(crate) fn wall(cpu: Duration) -> Duration {
    cpu * 100 + Duration::from_secs(60)
}

/// The largest answer a worker may send: the result, or a failure.
pub(crate) fn answer_limit(output_bytes: usize) -> usize {
    output_bytes.saturating_add(1 << 16)
}

pub(crate) fn describe(lost: &Lost) -> String {
    match lost {
        Lost::Late => "no answer in time".into(),
        Lost::Still => format!("it stands still, for {} s", STILL.as_secs()),
        Lost::Died(status) => status.to_string(),
        Lost::Broken(error) => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_cage_nothing_runs_unless_told() {
        let lacks = || Some("macos has no seccomp filters".to_owned());
        let error = decide(true, lacks()).unwrap_err().to_string();
        assert!(
            error.starts_with("macos has no seccomp filters, so nothing would cage"),
            "{error}"
        );
        assert!(
            error.contains("--no-cage") && error.contains("delete"),
            "{error}"
        );
        assert!(decide(false, lacks()).is_ok());
        assert!(decide(true, None).is_ok());
    }
}
