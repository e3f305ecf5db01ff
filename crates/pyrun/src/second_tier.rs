//! The second tier: CPython in a cage. A zygote, which never runs program text, loads the modules that programs may
//! import and forks one child a program (`zygote.py`); the worker binary closes the outer cage and becomes it.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

use crate::process::{Deadline, Lost, Process};
use crate::runner::{START_WALL, answer_limit, describe, wall};
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

/// Where an interpreter really is, and the folders it needs to read.
#[derive(Clone, Debug)]
struct Python {
    executable: PathBuf,
    folders: Vec<PathBuf>,
}

/// Tells where the interpreter is and what it needs; what stands on the PATH may be a script that finds it.
const PROBE: &str = "import sys, ctypes, resource, select\n\
    assert sys.version_info >= (3, 9) and sys.platform == 'linux'\n\
    print('\\n'.join([sys.executable, sys.prefix, sys.base_prefix, sys.exec_prefix] + [p for p in sys.path if p]))";

const MEND: &str = "install CPython 3.9 or newer with ctypes (python3 on the PATH) or name its path, \
    or use the first tier alone";

impl Zygote {
    pub(crate) fn new(config: &Config) -> Zygote {
        let setup = serde_json::json!({
            "host": config.host,
            "limits": config.limits,
            "allowed": modules::ALLOWED,
            "refusal": modules::REFUSAL,
            "max_depth": value::MAX_DEPTH,
            // a little sooner than the runner, which ends the zygote too
            "wall": wall(config.limits.cpu).as_secs_f64() - 1.0,
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
    pub(crate) fn ensure(&mut self) -> Result<(), Failure> {
        if let Some(process) = self.process.take().and_then(Process::alive) {
            self.process = Some(process);
            return Ok(());
        }
        let python = find(self.python.as_deref())?;
        let mut args = vec![OsString::from(worker::SECOND), python.executable.into()];
        args.extend(python.folders.into_iter().map(OsString::from));
        let mut process = Process::start(&self.worker, &args, &self.setup)
            .map_err(|e| no_python(&format!("it does not start ({e})")))?;
        match process.answer(
            Deadline {
                cpu: None,
                wall: START_WALL,
            },
            1 << 16,
        ) {
            Ok(answer) if answer.is_empty() => {
                self.process = Some(process);
                Ok(())
            }
            Ok(answer) => Err(decode_answer(&answer)
                .err()
                .unwrap_or(Failure::crashed("odd answer"))),
            Err(lost) => Err(no_python(&format!(
                "it does not start in its cage ({})",
                describe(&lost)
            ))),
        }
    }

    /// Runs one program; tells the CPU time it took.
    pub(crate) fn run(&mut self, source: &str) -> (Result<Value, Failure>, Duration) {
        if let Err(failure) = self.ensure() {
            return (Err(failure), Duration::ZERO);
        }
        let Some(process) = self.process.as_mut() else {
            return (Err(Failure::crashed("no process")), Duration::ZERO);
        };
        // the zygote ends its children in time; this is for a zygote that is stuck
        let deadline = Deadline {
            cpu: None,
            wall: wall(self.cpu),
        };
        match process.ask(
            source.as_bytes(),
            deadline,
            answer_limit(self.output_bytes) + 64,
        ) {
            Ok(answer) => match answer.split_first_chunk::<8>() {
                Some((cpu, answer)) => (
                    decode_answer(answer),
                    Duration::from_micros(u64::from_le_bytes(*cpu)),
                ),
                None => (Err(Failure::crashed("malformed answer")), Duration::ZERO),
            },
            Err(lost) => {
                self.process = None;
                let failure = match lost {
                    Lost::Late => Failure::Time,
                    lost => Failure::crashed(describe(&lost)),
                };
                (Err(failure), Duration::ZERO)
            }
        }
    }
}

fn no_python(problem: &str) -> Failure {
    Failure::NoPython {
        mend: format!("{problem}: {MEND}"),
    }
}

/// Finds the interpreter; asks each path once in the life of this process.
fn find(python: Option<&Path>) -> Result<Python, Failure> {
    static KNOWN: OnceLock<Mutex<HashMap<PathBuf, Python>>> = OnceLock::new();
    let path = python.unwrap_or(Path::new("python3")).to_owned();
    let mut known = KNOWN
        .get_or_init(Mutex::default)
        .lock()
        .unwrap_or_else(|e| e.into_inner());
    if let Some(python) = known.get(&path) {
        return Ok(python.clone());
    }
    let output = Command::new(&path)
        .args(["-s", "-B", "-c", PROBE])
        .current_dir("/")
        .stdin(Stdio::null())
        .output();
    let output =
        output.map_err(|e| no_python(&format!("{} cannot be run ({e})", path.display())))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let mut lines = text.lines().map(PathBuf::from);
    let found = match lines.next() {
        Some(executable) if output.status.success() => Python {
            executable,
            folders: lines.collect(),
        },
        _ => return Err(no_python(&format!("{} is not usable", path.display()))),
    };
    known.insert(path, found.clone());
    Ok(found)
}

/// Tells the versions of an interpreter and, where it has it, of numpy.
const VERSIONS: &str = "import sys, importlib.metadata as m\n\
    print('python', '.'.join(map(str, sys.version_info[:3])))\n\
    try: print('numpy', m.version('numpy'))\n\
    except Exception: pass";

/// The versions of the CPython that the second tier uses and of its numpy, as (name, version); nothing where there is
/// no usable CPython.
pub fn versions(python: Option<&Path>) -> Vec<(String, String)> {
    let Ok(found) = find(python) else {
        return Vec::new();
    };
    let output = Command::new(found.executable)
        .args(["-s", "-B", "-c", VERSIONS])
        .current_dir("/")
        .stdin(Stdio::null())
        .output();
    let text = output.map_or(String::new(), |o| String::from_utf8_lossy(&o.stdout).into());
    let pair = |line: &str| {
        let (name, version) = line.split_once(' ')?;
        Some((name.to_owned(), version.to_owned()))
    };
    text.lines().filter_map(pair).collect()
}

/// The worker's side: closes the outer cage and becomes CPython.
#[cfg(target_os = "linux")]
pub(crate) fn become_zygote(python: &OsStr, folders: &[OsString]) -> ! {
    use std::os::unix::process::CommandExt;

    let filter = match crate::cage::close_around_zygote(folders)
        .and_then(|()| crate::cage::child_filter())
    {
        Ok(filter) => filter,
        Err(_) => std::process::exit(70),
    };
    let hex: String = filter.iter().map(|byte| format!("{byte:02x}")).collect();
    let error = Command::new(python)
        .args(["-s", "-B", "-c", include_str!("zygote.py"), &hex])
        // one hash seed, so that a program is a function of its text; one thread, so that forking is safe
        .envs([
            ("PYTHONHASHSEED", "0"),
            ("OPENBLAS_NUM_THREADS", "1"),
            ("OMP_NUM_THREADS", "1"),
        ])
        .exec();
    eprintln!("{}: {error}", python.display());
    std::process::exit(70)
}

/// No cage elsewhere, so no CPython.
#[cfg(not(target_os = "linux"))]
pub(crate) fn become_zygote(_python: &OsStr, _folders: &[OsString]) -> ! {
    std::process::exit(70)
}
