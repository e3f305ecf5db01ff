//! A worker process as its runner sees it: frames in, frames out, a deadline, and a way to end it.

use std::ffi::OsString;
use std::io::{self, Write};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

use crate::wire::{read_frame, write_frame};

/// How long one answer may take.
#[derive(Clone, Copy)]
pub(crate) struct Deadline {
    /// CPU time of the process, where it is the process itself that works.
    pub(crate) cpu: Option<Duration>,
    /// Wall-clock time.
    pub(crate) wall: Duration,
}

/// Why there is no answer.
pub(crate) enum Lost {
    /// It was too slow and has been killed.
    Late,
    /// It ended by itself.
    Died(ExitStatus),
    /// It did not keep the protocol and has been killed.
    Broken(io::Error),
}

/// One worker process. Dropping it ends it and everything it started.
pub(crate) struct Process {
    child: Child,
    stdin: ChildStdin,
    stdout: ChildStdout,
}

/// Starts processes from a thread that lives as long as this process. A worker asks the system to be killed with its
/// parent, and there the parent is the thread that started it: a runner may be made in one thread and used in another.
fn spawn(command: Command) -> io::Result<Child> {
    type Job = (Command, Sender<io::Result<Child>>);
    static SPAWNER: OnceLock<Mutex<Sender<Job>>> = OnceLock::new();
    let spawner = SPAWNER.get_or_init(|| {
        let (send, jobs) = channel::<Job>();
        std::thread::spawn(move || {
            for (mut command, answer) in jobs {
                let _ = answer.send(command.spawn());
            }
        });
        Mutex::new(send)
    });
    let gone = || io::Error::other("the thread that starts workers is gone");
    let (send, answer) = channel();
    spawner
        .lock()
        .map_err(|_| gone())?
        .send((command, send))
        .map_err(|_| gone())?;
    answer.recv().map_err(|_| gone())?
}

impl Process {
    /// Starts a worker with an empty environment, in its own process group, and hands it its first frame.
    pub(crate) fn start(
        command: &[OsString],
        args: &[OsString],
        setup: &[u8],
    ) -> io::Result<Process> {
        let (program, first) = command
            .split_first()
            .ok_or_else(|| io::Error::other("empty command"))?;
        let mut command = Command::new(program);
        command
            .args(first)
            .args(args)
            .env_clear()
            .current_dir("/")
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut child = spawn(command)?;
        let stdin = child
            .stdin
            .take()
            .ok_or_else(|| io::Error::other("no pipe"))?;
        let stdout = child
            .stdout
            .take()
            .ok_or_else(|| io::Error::other("no pipe"))?;
        let mut process = Process {
            child,
            stdin,
            stdout,
        };
        write_frame(&mut process.stdin, setup)?;
        Ok(process)
    }

    /// The process, if it has not ended meanwhile.
    pub(crate) fn alive(mut self) -> Option<Process> {
        matches!(self.child.try_wait(), Ok(None)).then_some(self)
    }

    /// CPU time the process has used so far.
    pub(crate) fn cpu(&self) -> Duration {
        cpu_time(self.child.id()).unwrap_or_default()
    }

    /// Sends a frame and waits for the answer.
    pub(crate) fn ask(
        &mut self,
        frame: &[u8],
        deadline: Deadline,
        answer_limit: usize,
    ) -> Result<Vec<u8>, Lost> {
        if let Err(error) = write_frame(&mut self.stdin, frame) {
            return Err(self.ended(error));
        }
        self.answer(deadline, answer_limit)
    }

    /// Waits for an answer.
    pub(crate) fn answer(
        &mut self,
        deadline: Deadline,
        answer_limit: usize,
    ) -> Result<Vec<u8>, Lost> {
        let begin = Instant::now();
        let cpu_begin = deadline.cpu.map(|_| self.cpu());
        loop {
            let mut left = deadline.wall.checked_sub(begin.elapsed());
            if let (Some(limit), Some(from)) = (deadline.cpu, cpu_begin) {
                let cpu_left = limit.checked_sub(self.cpu().saturating_sub(from));
                left = left.zip(cpu_left).map(|(a, b)| a.min(b));
            }
            let Some(left) = left else {
                self.end();
                return Err(Lost::Late);
            };
            // a process that waits for a busy CPU uses its time more slowly than the clock: look again
            if readable(&self.stdout, left.max(Duration::from_millis(1))) {
                break;
            }
        }
        read_frame(&mut self.stdout, answer_limit).map_err(|error| self.ended(error))
    }

    /// What an error on a pipe means.
    fn ended(&mut self, error: io::Error) -> Lost {
        let gone = matches!(
            error.kind(),
            io::ErrorKind::UnexpectedEof | io::ErrorKind::BrokenPipe
        );
        // the pipe closes an instant before the process can be waited for
        let until = Instant::now() + Duration::from_secs(1);
        while gone && Instant::now() < until {
            if let Ok(Some(status)) = self.child.try_wait() {
                self.end();
                return Lost::Died(status);
            }
            std::thread::sleep(Duration::from_micros(200));
        }
        self.end();
        Lost::Broken(error)
    }

    /// Kills the process and all of its group, and reaps it.
    fn end(&mut self) {
        let _ = self.stdin.flush();
        // SAFETY: a plain system call; the group is the child's own, made when it started.
        unsafe { libc::killpg(self.child.id() as libc::pid_t, libc::SIGKILL) };
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.end();
    }
}

/// The signal that ended a process.
pub(crate) fn signal(status: ExitStatus) -> Option<i32> {
    status.signal()
}

/// Waits until there is something to read.
fn readable(fd: &ChildStdout, timeout: Duration) -> bool {
    // SAFETY: the descriptor is open as long as `fd` is borrowed.
    let fd = unsafe { BorrowedFd::borrow_raw(fd.as_raw_fd()) };
    let mut poll = libc::pollfd {
        fd: fd.as_raw_fd(),
        events: libc::POLLIN,
        revents: 0,
    };
    let millis = timeout.as_millis().clamp(1, 60_000) as libc::c_int;
    // SAFETY: one pollfd, alive during the call.
    unsafe { libc::poll(&mut poll, 1, millis) > 0 }
}

/// CPU time of a process.
#[cfg(target_os = "linux")]
fn cpu_time(pid: u32) -> Option<Duration> {
    let mut clock: libc::clockid_t = 0;
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: both pointers are to live locals.
    let ok = unsafe {
        libc::clock_getcpuclockid(pid as libc::pid_t, &mut clock) == 0
            && libc::clock_gettime(clock, &mut time) == 0
    };
    ok.then(|| Duration::new(time.tv_sec as u64, time.tv_nsec as u32))
}

/// Elsewhere the wall clock stands in for it.
#[cfg(not(target_os = "linux"))]
fn cpu_time(_pid: u32) -> Option<Duration> {
    static BEGIN: OnceLock<Instant> = OnceLock::new();
    Some(BEGIN.get_or_init(Instant::now).elapsed())
}
