//! The second tier: CPython in a cage. A zygote, which never runs program text, loads the modules that programs may
//! import and forks one child a program (`zygote.py`); the worker binary closes the outer cage and becomes it.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use crate::process::{Lost, Process, STILL};
use crate::python::{find, no_start};
use crate::runner::{START, answer_limit, describe, for_zygote, wall};
use crate::wire::decode_answer;
use crate::{Config, Failure, Value, modules, value, worker};

/// The zygote as its runner sees it; the process starts when it is first needed.
pub(crate) struct Zygote {
    worker: Vec<OsString>,
    python: Option<PathBuf>,
    setup: Vec<u8>,
    cpu: Duration,
    output_bytes: usize,
    process: Option<Process>,
}

impl Zygote {
    pub(crate) fn new(config: &Config) -> Zygote {
        let setup = serde_json::json!({
            "host": config.host,
            "limits": config.limits,
            "cage": config.cage,
            "allowed": modules::ALLOWED,
            "refusal": modules::REFUSAL,
            "max_depth": value::MAX_DEPTH,
            // a little sooner than the runner, which ends the zygote too
            "wall": wall(config.limits.cpu).as_secs_f64() - 1.0,
            "still": STILL.as_secs(),
        });
        Zygote {
            worker: config.worker.clone(),
            python: config.python.clone(),
            setup: setup.to_string().into_bytes(),
            cpu: config.limits.cpu,
            output_bytes: config.limits.output_bytes,
            process: None,
        }
    }

    /// Starts the process, if it does not run.
    pub(crate) fn ensure(&mut self) -> Result<&mut Process, Failure> {
        let process = match self.process.take().and_then(Process::alive) {
            Some(process) => process,
            None => self.start()?,
        };
        Ok(self.process.insert(process))
    }

    fn start(&self) -> Result<Process, Failure> {
        let python = find(self.python.as_deref())?;
        let executable = python.executable.clone();
        let mut args = vec![OsString::from(worker::SECOND)];
        args.extend(python.into_arguments());
        let mut process = Process::start(&self.worker, &args, &self.setup, START)
            .map_err(|e| no_start(&executable, &e.to_string(), ""))?;
        match process.answer(START, 1 << 16) {
            Ok(answer) if answer.is_empty() => Ok(process.ready()),
            Ok(answer) => Err(decode_answer(&answer)
                .err()
                .unwrap_or(Failure::crashed("odd answer"))),
            Err(lost) => {
                let how = format!("in its cage: {}", describe(&lost));
                Err(no_start(&executable, &how, &process.said()))
            }
        }
    }

    /// Runs one program; tells the CPU time it took.
    ///
    /// No program runs in the zygote: what ends or stops that came from outside, so the program has another try.
    pub(crate) fn run(&mut self, source: &str) -> (Result<Value, Failure>, Duration) {
        self.attempt(source)
            .or_else(|lost| match lost {
                Lost::Late => Err(lost),
                _ => self.attempt(source),
            })
            .unwrap_or_else(|lost| {
                let failure = match lost {
                    Lost::Late | Lost::Still => Failure::Time,
                    lost => Failure::crashed(describe(&lost)),
                };
                (Err(failure), Duration::ZERO)
            })
    }

    fn attempt(&mut self, source: &str) -> Result<(Result<Value, Failure>, Duration), Lost> {
        // the zygote ends its children in time; this is for a zygote that is stuck
        let deadline = for_zygote(self.cpu);
        let limit = answer_limit(self.output_bytes) + 64;
        let process = match self.ensure() {
            Ok(process) => process,
            Err(failure) => return Ok((Err(failure), Duration::ZERO)),
        };
        let answer = process.ask(source.as_bytes(), deadline, limit);
        if answer.is_err() {
            self.process = None;
        }
        Ok(match answer?.split_first_chunk::<8>() {
            Some((cpu, answer)) => (
                decode_answer(answer),
                Duration::from_micros(u64::from_le_bytes(*cpu)),
            ),
            None => (Err(Failure::crashed("malformed answer")), Duration::ZERO),
        })
    }
}

/// The worker's side: closes the outer cage and becomes CPython. Says on standard error why it cannot.
#[cfg(target_os = "linux")]
pub(crate) fn become_zygote(args: impl Iterator<Item = OsString>) -> ! {
    use std::os::unix::process::CommandExt;

    let fail = |why: String| -> ! {
        eprintln!("{why}");
        std::process::exit(70)
    };
    let Some(python) = crate::python::Python::from_arguments(args) else {
        fail("a worker's arguments are not as they should be".into())
    };
    let filter = crate::cage::close_around_zygote(&python.reads())
        .and_then(|()| crate::cage::child_filter());
    let filter = match filter {
        Ok(filter) => filter,
        Err(error) => fail(format!("the cage cannot be closed: {error}")),
    };
    let hex: String = filter.iter().map(|byte| format!("{byte:02x}")).collect();
    let kept = python
        .environment
        .iter()
        .filter_map(|pair| pair.to_str()?.split_once('='));
    let error = std::process::Command::new(&python.executable)
        // without what a site adds to its start: its folders are told, and it may print, hang or import anything
        .args([
            "-S",
            "-B",
            "-W",
            "ignore",
            "-c",
            include_str!("zygote.py"),
            &hex,
        ])
        .args(&python.path)
        .envs(kept)
        // one hash seed, so that a program is a function of its text; one thread, so that forking is safe; no code
        // made at run time, which a child may not execute
        .envs([
            ("PYTHONHASHSEED", "0"),
            ("PYTHON_JIT", "0"),
            // a module that lacks a name makes 3.13 ask for the working folder, which a child may not
            ("PYTHONSAFEPATH", "1"),
            ("OPENBLAS_NUM_THREADS", "1"),
            ("OMP_NUM_THREADS", "1"),
            ("MKL_NUM_THREADS", "1"),
            ("BLIS_NUM_THREADS", "1"),
        ])
        .exec();
    fail(format!("{}: {error}", python.executable.display()))
}

/// No cage elsewhere, so no CPython.
#[cfg(not(target_os = "linux"))]
pub(crate) fn become_zygote(_args: impl Iterator<Item = OsString>) -> ! {
    std::process::exit(70)
}
