//! The one interface over both tiers.

use std::ffi::OsString;
use std::time::Duration;

use crate::process::{Deadline, Lost, Process, signal};
use crate::wire::{Setup, decode_answer};
use crate::{Config, Error, Failure, Tier, Value, meter, second_tier, worker};

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
    pub fn new(config: Config) -> Result<Runner, Error> {
        let setup = Setup {
            host: config.host.clone(),
            limits: config.limits.clone(),
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
                Ok(()) | Err(Failure::NoPython { .. }) => {}
                Err(failure) => return Err(Error::Prelude(failure)),
            }
        } else {
            runner.first = Some(runner.start_first()?);
        }
        Ok(runner)
    }

    /// Runs one program: a function of its text, up to the limits on time and memory.
    pub fn run(&mut self, source: &str) -> Result<Value, Failure> {
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
        let fail = |source| Error::Start {
            command: format!("{:?}", self.config.worker),
            source,
        };
        if self.config.worker.is_empty() {
            return Err(Error::NoWorker);
        }
        let args = [OsString::from(worker::FIRST)];
        let mut process = Process::start(&self.config.worker, &args, &self.setup).map_err(fail)?;
        match process.answer(
            Deadline {
                cpu: None,
                wall: START_WALL,
            },
            1 << 16,
        ) {
            Ok(answer) if answer.is_empty() => Ok(process),
            Ok(answer) => Err(Error::Prelude(
                decode_answer(&answer)
                    .err()
                    .unwrap_or(Failure::crashed("odd answer")),
            )),
            Err(lost) => Err(fail(std::io::Error::other(describe(&lost)))),
        }
    }

    fn run_first(&mut self, source: &str) -> Result<Value, Failure> {
        self.last_cpu = Duration::ZERO;
        let mut process = match self.first.take().and_then(Process::alive) {
            Some(process) => process,
            None => self
                .start_first()
                .map_err(|e| Failure::crashed(e.to_string()))?,
        };
        let limits = &self.config.limits;
        let begin = process.cpu();
        let deadline = Deadline {
            cpu: Some(limits.cpu),
            wall: wall(limits.cpu),
        };
        match process.ask(
            source.as_bytes(),
            deadline,
            answer_limit(limits.output_bytes),
        ) {
            Ok(answer) => {
                self.last_cpu = process.cpu().saturating_sub(begin);
                self.first = Some(process);
                decode_answer(&answer)
            }
            Err(Lost::Late) => {
                self.last_cpu = limits.cpu;
                Err(Failure::Time)
            }
            Err(Lost::Died(status)) => Err(match (status.code(), signal(status)) {
                (Some(worker::STACK_EXIT), _) => Failure::Recursion,
                (Some(meter::OUTPUT_EXIT), _) => Failure::OutputTooLarge,
                // the only reason why the worker aborts is an allocation that failed
                (_, Some(libc::SIGABRT)) => Failure::Memory,
                (_, Some(libc::SIGSYS)) => Failure::Forbidden {
                    what: "a system call".into(),
                },
                _ => Failure::crashed(status.to_string()),
            }),
            Err(lost) => Err(Failure::crashed(describe(&lost))),
        }
    }

    fn run_second(&mut self, source: &str) -> Result<Value, Failure> {
        let (result, cpu) = self.second.run(source);
        self.last_cpu = cpu;
        result
    }
}

/// A worker that is not ready after this long is not coming.
pub(crate) const START_WALL: Duration = Duration::from_secs(60);

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
        Lost::Died(status) => status.to_string(),
        Lost::Broken(error) => error.to_string(),
    }
}
