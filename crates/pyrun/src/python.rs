//! Finds the CPython of the second tier: what stands on the PATH or in the settings may be a script that finds it, may be
//! too old, may print something, hang, or be no program at all.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::io::{self, ErrorKind, Read};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

use crate::Failure;
use crate::cage::low_limits;
use crate::process::last_line;

/// An interpreter that can be used.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Python {
    /// Where it really is.
    pub(crate) executable: PathBuf,
    pub(crate) version: String,
    pub(crate) numpy: Option<String>,
    /// Where it looks for modules, the user's own folder included.
    pub(crate) path: Vec<OsString>,
    /// What else it reads.
    pub(crate) folders: Vec<OsString>,
    /// What it must find in its environment.
    pub(crate) environment: Vec<OsString>,
}

const PROBE: &str = include_str!("probe.py");

/// The oldest version that the second tier runs on.
const OLDEST: (u32, u32) = (3, 9);

/// An interpreter that has not told what it is after this long does not.
const START: Duration = Duration::from_secs(10);

/// How long it is remembered that an interpreter cannot be used: each question may take [`START`].
const AGAIN: Duration = Duration::from_secs(60);

/// Most that is read of what it prints.
const MOST: u64 = 1 << 20;

pub(crate) fn no_python(problem: impl std::fmt::Display) -> Failure {
    let mend = "install CPython 3.9 or newer with ctypes (python3 on the PATH), or name its path as `interpreter` \
        in [python], or use the first tier alone";
    Failure::NoPython {
        mend: format!("{problem}: {mend}"),
    }
}

/// The failure of an interpreter that is there and does not start: what it said, and limits that may be why.
pub(crate) fn no_start(path: &Path, how: &str, said: &str) -> Failure {
    let path = path.display();
    let said = match said {
        "" => String::new(),
        said => format!("; it said: {said}"),
    };
    match low_limits() {
        Some(low) => Failure::NoPython {
            mend: format!(
                "{path} does not start ({how}{said}) under the limits of this session: {low}; raise them"
            ),
        },
        None => no_python(format!("{path} does not start ({how}{said})")),
    }
}

/// Finds the interpreter; asks each path once in the life of this process, again after a minute if it was of no use.
pub(crate) fn find(python: Option<&Path>) -> Result<Python, Failure> {
    type Known = HashMap<PathBuf, (Result<Python, Failure>, Instant)>;
    static KNOWN: OnceLock<Mutex<Known>> = OnceLock::new();
    let path = python.unwrap_or(Path::new("python3")).to_owned();
    let mut known = KNOWN
        .get_or_init(Mutex::default)
        .lock()
        .unwrap_or_else(|e| e.into_inner());
    if let Some((found, when)) = known.get(&path)
        && (found.is_ok() || when.elapsed() < AGAIN)
    {
        return found.clone();
    }
    let found = ask(&path).and_then(|(out, err)| judge(&path, &out, &err));
    known.insert(path, (found.clone(), Instant::now()));
    found
}

/// Runs the interpreter with the probe; what it printed, on either output.
fn ask(path: &Path) -> Result<(Vec<u8>, Vec<u8>), Failure> {
    let mut command = Command::new(path);
    // scripts that look for Python fail in a folder that is gone
    if std::env::current_dir().is_err() {
        command.current_dir("/");
    }
    let mut child = command
        .args(["-B", "-c", PROBE])
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| not_run(path, &error))?;
    let out = child.stdout.take().map(collect);
    let err = child.stderr.take().map(collect);
    let until = Instant::now() + START;
    let take = |from: &Option<Receiver<Vec<u8>>>, until: Instant| {
        from.as_ref().and_then(|f| {
            f.recv_timeout(until.saturating_duration_since(Instant::now()))
                .ok()
        })
    };
    let out = take(&out, until);
    // not reaped yet: the number is its own. Whatever it started goes with it.
    let _ = kill_process_group(Pid::from_child(&child), Signal::KILL);
    let _ = child.kill();
    let _ = child.wait();
    let err = take(&err, Instant::now() + Duration::from_secs(1)).unwrap_or_default();
    match out {
        Some(out) => Ok((out, err)),
        None => Err(no_python(format!(
            "{} hangs: it has not answered in {} s",
            path.display(),
            START.as_secs()
        ))),
    }
}

/// Reads all that is printed, in a thread of its own, up to the probe's last line.
fn collect(from: impl Read + Send + 'static) -> Receiver<Vec<u8>> {
    let (send, receive) = channel();
    std::thread::spawn(move || {
        let mut text = Vec::new();
        let _ = from.take(MOST).read_to_end(&mut text);
        let _ = send.send(text);
    });
    receive
}

/// Why the system does not run it, in words.
fn not_run(path: &Path, error: &io::Error) -> Failure {
    let shown = path.display();
    let is_name = path.components().count() == 1 && !path.is_absolute();
    match (error.kind(), error.raw_os_error()) {
        (ErrorKind::NotFound, _) if is_name => {
            no_python(format!("there is no {shown} on the PATH"))
        }
        (ErrorKind::NotFound, _) if path.is_file() => no_python(format!(
            "{shown} cannot be run: what its first line names, or its loader, does not exist"
        )),
        (ErrorKind::NotFound, _) if path.is_symlink() => {
            no_python(format!("{shown} is a link to nothing"))
        }
        (ErrorKind::NotFound, _) => no_python(format!("there is no {shown}")),
        _ if path.is_dir() => no_python(format!("{shown} is a folder")),
        (ErrorKind::PermissionDenied, _) => no_python(format!("{shown} is not executable")),
        (_, Some(libc::ENOEXEC)) => {
            no_python(format!("{shown} is no program for this machine ({error})"))
        }
        _ => no_start(path, &error.to_string(), ""),
    }
}

/// What the probe told.
fn judge(path: &Path, out: &[u8], err: &[u8]) -> Result<Python, Failure> {
    let shown = path.display();
    let mut python = Python::default();
    let (mut name, mut platform, mut missing, mut ended) =
        <(String, String, Vec<String>, bool)>::default();
    let lines = out
        .split(|b| *b == b'\n')
        .filter_map(|l| l.strip_prefix(b"pyrun:"));
    for line in lines {
        let mut words = line.split(|b| *b == b' ');
        let (key, value) = (
            words.next().unwrap_or_default(),
            words.next().and_then(bytes),
        );
        let value = OsString::from_vec(value.unwrap_or_default());
        let text = value.to_string_lossy().into_owned();
        match key {
            b"name" => name = text,
            b"version" => python.version = text,
            b"platform" => platform = text,
            b"missing" => missing.push(text),
            b"executable" => python.executable = value.into(),
            b"environment" => python.environment.push(value),
            b"path" => python.path.push(value),
            b"folder" => python.folders.push(value),
            b"numpy" => python.numpy = Some(text),
            b"end" => ended = true,
            _ => {}
        }
    }
    if !ended {
        let said = [last_line(err), last_line(out)]
            .into_iter()
            .find(|s| !s.is_empty());
        return Err(match said {
            Some(said) if python.version.is_empty() => {
                no_start(path, "it is no Python, or ends at once", &said)
            }
            said => no_start(path, "it ends at once", &said.unwrap_or_default()),
        });
    }
    let mut numbers = python.version.split('.').map(|n| n.parse().unwrap_or(0));
    let version = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    if name != "cpython" {
        return Err(no_python(format!("{shown} is {name}, not CPython")));
    }
    if version < OLDEST {
        return Err(no_python(format!(
            "{shown} is CPython {}; the second tier needs 3.9 or newer",
            python.version
        )));
    }
    if platform != "linux" {
        return Err(no_python(format!(
            "{shown} is of {platform}; the second tier needs Linux"
        )));
    }
    if !missing.is_empty() {
        return Err(no_python(format!(
            "{shown} lacks the module {}",
            missing.join(", ")
        )));
    }
    if python.executable.as_os_str().is_empty() {
        return Err(no_python(format!("{shown} does not know where it is")));
    }
    Ok(python)
}

fn bytes(hex: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(hex).ok()?;
    (0..text.len() / 2)
        .map(|i| u8::from_str_radix(text.get(2 * i..2 * i + 2)?, 16).ok())
        .collect()
}

/// The versions of the CPython that the second tier uses and of its numpy, as (name, version); nothing where there is
/// no usable CPython.
pub fn versions(python: Option<&Path>) -> Vec<(String, String)> {
    let Ok(found) = find(python) else {
        return Vec::new();
    };
    let numpy = found.numpy.map(|version| ("numpy".to_owned(), version));
    [("python".to_owned(), found.version)]
        .into_iter()
        .chain(numpy)
        .collect()
}

impl Python {
    /// The arguments of a worker that becomes this interpreter; [`Python::from_arguments`] reads them.
    pub(crate) fn into_arguments(self) -> Vec<OsString> {
        let lists = [self.environment, self.path, self.folders];
        let mut all = vec![self.executable.into_os_string()];
        for list in lists {
            all.push(list.len().to_string().into());
            all.extend(list);
        }
        all
    }

    /// Reads the arguments back.
    pub(crate) fn from_arguments(mut all: impl Iterator<Item = OsString>) -> Option<Python> {
        let executable = all.next()?.into();
        let mut list = || -> Option<Vec<OsString>> {
            let count: usize = all.next()?.to_str()?.parse().ok()?;
            (0..count).map(|_| all.next()).collect()
        };
        Some(Python {
            executable,
            environment: list()?,
            path: list()?,
            folders: list()?,
            ..Python::default()
        })
    }

    /// All that it reads.
    pub(crate) fn reads(&self) -> Vec<OsString> {
        let libraries = self
            .environment
            .iter()
            .filter_map(|pair| pair.to_str()?.split_once('='));
        let libraries = libraries
            .flat_map(|(_, folders)| folders.split(':'))
            .map(OsStr::new);
        let executable = self.executable.as_os_str();
        let own = self
            .path
            .iter()
            .chain(&self.folders)
            .map(OsString::as_os_str);
        own.chain([executable])
            .chain(libraries)
            .filter(|folder| !folder.is_empty())
            .map(OsStr::to_owned)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(lines: &[(&str, &str)]) -> Result<Python, Failure> {
        let hex = |text: &str| text.bytes().map(|b| format!("{b:02x}")).collect::<String>();
        let mut out = "a line of sitecustomize, with no end".to_owned();
        for (key, value) in lines {
            out += &format!("\npyrun:{key} {}\n", hex(value));
        }
        judge(
            Path::new("py"),
            out.as_bytes(),
            b"Traceback\nImportError: no encodings\n",
        )
    }

    #[test]
    fn what_is_told_is_judged() {
        let good = [
            ("name", "cpython"),
            ("version", "3.13.0"),
            ("platform", "linux"),
            ("executable", "/usr/bin/python3.13"),
            ("path", "/usr/lib/python3.13"),
            ("path", "/home/ä/site"),
            ("numpy", "2.1.0"),
            ("environment", "LD_LIBRARY_PATH=/opt/a:/opt/b"),
            ("end", ""),
        ];
        let python = told(&good).unwrap();
        assert_eq!((&*python.version, python.path.len()), ("3.13.0", 2));
        assert_eq!(python.numpy.as_deref(), Some("2.1.0"));
        assert!(python.reads().contains(&"/opt/b".into()));
        let arguments = python.clone().into_arguments();
        let read = Python::from_arguments(arguments.into_iter()).unwrap();
        assert_eq!(
            (read.path, read.executable),
            (python.path, python.executable)
        );
        let with = |key: &str, value: &str| {
            let changed = good.map(|(k, v)| if k == key { (k, value) } else { (k, v) });
            told(&changed).unwrap_err().to_string()
        };
        assert!(
            with("version", "3.8.18")
                .contains("CPython 3.8.18; the second tier needs 3.9 or newer")
        );
        assert!(with("version", "2.7.18").contains("needs 3.9"));
        assert!(with("name", "pypy").contains("pypy, not CPython"));
        assert!(with("platform", "darwin").contains("needs Linux"));
        assert!(with("executable", "").contains("does not know where it is"));
        let lacking = [&good[..], &[("missing", "ctypes")]].concat();
        assert!(
            told(&lacking)
                .unwrap_err()
                .to_string()
                .contains("lacks the module ctypes")
        );
        assert!(
            told(&good[..3])
                .unwrap_err()
                .to_string()
                .contains("no encodings")
        );
        assert!(told(&[]).unwrap_err().to_string().contains("no Python"));
    }
}
