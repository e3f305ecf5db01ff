//! A worker process as its runner sees it: frames in, frames out, a deadline, and a way to end it.

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};

use crate::wire::{read_frame, write_frame};

/// How long one answer may take.
#[derive(Clone, Copy)]
pub(crate) struct Deadline {
    /// CPU time of the process, where it is the process itself that works.
    pub(crate) cpu: Option<Duration>,
    /// Wall-clock time.
    pub(crate) wall: Duration,
}

/// A process that has neither used its CPU clock nor been ready to for so long stands still: something outside has
/// stopped it, or it waits for what does not come.
pub(crate) const STILL: Duration = Duration::from_secs(10);

/// How often that is looked at.
const LOOK: Duration = Duration::from_secs(1);

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum Lost {
    /// It was too slow and has been killed.
    Late,
    /// It stood still for [`STILL`] and has been killed.
    Still,
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
    stderr: Option<ChildStderr>,
    /// How it ended, once it has been waited for: from then on its number may be another's.
    ended: Option<ExitStatus>,
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
    /// Starts a worker with an empty environment, in its own process group, and hands it its first frame. What it says on
    /// standard error is kept until it is [`Process::ready`].
    pub(crate) fn start(
        command: &[OsString],
        args: &[OsString],
        setup: &[u8],
        deadline: Deadline,
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
            .stderr(Stdio::piped());
        let mut child = spawn(command)?;
        let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (Some(stdin), Some(stdout), Some(stderr)) = pipes else {
            return Err(io::Error::other("no pipe"));
        };
        // a process that does not read or write must not make this one wait
        rustix::io::ioctl_fionbio(&stdin, true)?;
        rustix::io::ioctl_fionbio(&stdout, true)?;
        rustix::io::ioctl_fionbio(&stderr, true)?;
        let mut process = Process {
            child,
            stdin,
            stdout,
            stderr: Some(stderr),
            ended: None,
        };
        // one that ends at once may have said why
        match process.exchange(deadline, |channel| write_frame(channel, setup)) {
            Ok(()) | Err(Lost::Died(_)) => Ok(process),
            Err(Lost::Broken(error)) => Err(error),
            Err(_) => Err(io::Error::other("it does not read what it is sent")),
        }
    }

    /// It has started: what it says on standard error from now on is not kept.
    pub(crate) fn ready(mut self) -> Process {
        self.stderr = None;
        self
    }

    /// The last line of what it said on standard error before it was ready.
    pub(crate) fn said(&mut self) -> String {
        let mut said = Vec::new();
        if let Some(stderr) = self.stderr.take() {
            let _ = stderr.take(1 << 16).read_to_end(&mut said);
        }
        last_line(&said)
    }

    /// The process, if it has not ended meanwhile.
    pub(crate) fn alive(self) -> Option<Process> {
        (!self.has_ended()).then_some(self)
    }

    /// Whether it has ended; it is left to be waited for, so that its number stays its own.
    fn has_ended(&self) -> bool {
        let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        self.ended.is_some()
            || !matches!(
                waitid(WaitId::Pid(Pid::from_child(&self.child)), look),
                Ok(None)
            )
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
        self.exchange(deadline, |channel| {
            write_frame(channel, frame)?;
            read_frame(channel, answer_limit)
        })
    }

    /// Waits for an answer.
    pub(crate) fn answer(
        &mut self,
        deadline: Deadline,
        answer_limit: usize,
    ) -> Result<Vec<u8>, Lost> {
        self.exchange(deadline, |channel| read_frame(channel, answer_limit))
    }

    /// Reads and writes under a deadline. A process that does not answer is ended.
    fn exchange<T>(
        &mut self,
        deadline: Deadline,
        work: impl FnOnce(&mut Channel<'_>) -> io::Result<T>,
    ) -> Result<T, Lost> {
        let cpu = self.cpu();
        let mut channel = Channel {
            process: self,
            deadline,
            begin: Instant::now(),
            cpu_begin: cpu,
            cpu_seen: cpu,
            still: Duration::ZERO,
            lost: None,
        };
        let result = work(&mut channel);
        let lost = channel.lost.take();
        result.map_err(|error| match lost {
            Some(lost) => {
                self.end();
                lost
            }
            None => self.lost(error),
        })
    }

    /// What an error on a pipe means.
    fn lost(&mut self, error: io::Error) -> Lost {
        let gone = matches!(
            error.kind(),
            io::ErrorKind::UnexpectedEof | io::ErrorKind::BrokenPipe
        );
        // the pipe closes an instant before the process can be waited for
        let until = Instant::now() + Duration::from_secs(1);
        while gone && Instant::now() < until {
            if self.has_ended() {
                return match self.end() {
                    Some(status) => Lost::Died(status),
                    None => Lost::Broken(error),
                };
            }
            std::thread::sleep(Duration::from_micros(200));
        }
        self.end();
        Lost::Broken(error)
    }

    /// Kills the process and all of its group, then reaps it: while it is not reaped no other process has its number.
    fn end(&mut self) -> Option<ExitStatus> {
        if self.ended.is_none() {
            let _ = kill_process_group(Pid::from_child(&self.child), Signal::KILL);
            let _ = self.child.kill();
            self.ended = self.child.wait().ok();
        }
        self.ended
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.end();
    }
}

/// The pipes of a process under a deadline.
struct Channel<'a> {
    process: &'a mut Process,
    deadline: Deadline,
    begin: Instant,
    cpu_begin: Duration,
    /// Its CPU clock at the last look, and how long it has shown that.
    cpu_seen: Duration,
    still: Duration,
    /// Why there was nothing more to wait for.
    lost: Option<Lost>,
}

impl Channel<'_> {
    /// Waits until a pipe is ready.
    fn wait(&mut self, of: fn(&Process) -> BorrowedFd<'_>, events: PollFlags) -> io::Result<()> {
        loop {
            let mut left = self.deadline.wall.checked_sub(self.begin.elapsed());
            if let Some(limit) = self.deadline.cpu {
                let used = self.process.cpu().saturating_sub(self.cpu_begin);
                left = left.zip(limit.checked_sub(used)).map(|(a, b)| a.min(b));
            }
            let Some(left) = left else {
                return self.give_up(Lost::Late);
            };
            // a process that waits for a busy CPU uses its time more slowly than the clock: look again
            let step = left.clamp(Duration::from_millis(1), LOOK);
            if ready(of(self.process), events, step) {
                return Ok(());
            }
            let cpu = self.process.cpu();
            // steps are added up, not the clock: it goes on while a whole machine stands still
            self.still = if cpu == self.cpu_seen {
                self.still + step
            } else {
                Duration::ZERO
            };
            self.cpu_seen = cpu;
            if self.still >= STILL {
                if !is_busy(self.process.child.id()) {
                    return self.give_up(Lost::Still);
                }
                self.still = Duration::ZERO;
            }
        }
    }

    fn give_up(&mut self, lost: Lost) -> io::Result<()> {
        self.lost = Some(lost);
        Err(io::Error::other("no answer"))
    }
}

impl Read for Channel<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.process.stdout.read(bytes) {
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                    self.wait(|p| p.stdout.as_fd(), PollFlags::IN)?;
                }
                other => return other,
            }
        }
    }
}

impl Write for Channel<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            match self.process.stdin.write(bytes) {
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                    self.wait(|p| p.stdin.as_fd(), PollFlags::OUT)?;
                }
                other => return other,
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The signal that ended a process.
pub(crate) fn signal(status: ExitStatus) -> Option<i32> {
    status.signal()
}

/// The last line that is not empty, as it may be told.
pub(crate) fn last_line(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    let line = text.lines().rev().find(|l| !l.trim().is_empty());
    crate::failure::shorten(line.unwrap_or_default().trim())
}

/// Waits until a pipe is ready or closed, at most for `timeout`.
fn ready(fd: BorrowedFd<'_>, events: PollFlags, timeout: Duration) -> bool {
    let timeout = Timespec {
        tv_sec: timeout.as_secs() as i64,
        tv_nsec: timeout.subsec_nanos().into(),
    };
    let mut fds = [PollFd::from_borrowed_fd(fd, events)];
    matches!(poll(&mut fds, Some(&timeout)), Ok(n) if n > 0)
}

/// Whether a process computes, waits for a CPU or for a disk.
fn is_busy(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat.rsplit_once(") ").map(|(_, after)| after);
    state.is_some_and(|s| s.starts_with(['R', 'D']))
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
