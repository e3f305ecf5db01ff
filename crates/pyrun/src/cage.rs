//! What the system takes away from a process before it runs a program: memory, files, processes, the network.
//!
//! Linux only. Elsewhere nothing is taken away, [`missing`] says so, and no runner is made unless it is told to do without.

use std::io;

#[cfg(target_os = "linux")]
pub(crate) use linux::*;

/// What the system must have for a cage, and has not, in words; `None` where programs can be caged.
///
/// The one thing that must be there is the filter of system calls: without it no limit holds against a program that has
/// taken over its process. Landlock, the network's own namespace and fixed addresses are second lines round a process that
/// runs no program's text; they are used where they are to be had.
pub(crate) fn missing() -> Option<String> {
    #[cfg(target_os = "linux")]
    return linux::no_filter()
        .map(|error| format!("this system has no seccomp filters of system calls ({error})"));
    #[cfg(not(target_os = "linux"))]
    return Some(format!(
        "{} has no seccomp filters of system calls, which Linux has",
        std::env::consts::OS
    ));
}

#[cfg(target_os = "linux")]
mod linux {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    use super::io;
    use crate::filter;

    /// Asks the system to kill this process when its parent dies.
    pub(crate) fn die_with_parent() {
        let _ =
            rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL));
    }

    /// Closes every file but the three standard ones: what the caller's parent left open is nobody's business here.
    pub(crate) fn close_files() {
        // SAFETY: no pointers; this process has opened nothing yet, so nobody owns what is closed.
        unsafe { libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, 0) };
    }

    /// Has all threads share one heap: every further one would reserve address space of its own.
    pub(crate) fn one_heap() {
        #[cfg(target_env = "gnu")]
        // SAFETY: no pointers.
        unsafe {
            libc::mallopt(libc::M_ARENA_MAX, 1);
        }
    }

    /// Why the kernel takes no filter, if so. Asked with none to take, in the way of either tier: a kernel that would take
    /// one says EFAULT.
    pub(super) fn no_filter() -> Option<io::Error> {
        let all_threads = || {
            let (mode, flag) = (
                libc::SECCOMP_SET_MODE_FILTER,
                libc::SECCOMP_FILTER_FLAG_TSYNC,
            );
            // SAFETY: the null pointer is the question; nothing changes.
            unsafe { libc::syscall(libc::SYS_seccomp, mode, flag, 0) }
        };
        let own_thread = || {
            // SAFETY: the same.
            unsafe { libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, 0, 0, 0) }.into()
        };
        let questions: [&dyn Fn() -> libc::c_long; 2] = [&all_threads, &own_thread];
        questions.into_iter().find_map(|ask| {
            ask();
            let error = io::Error::last_os_error();
            (error.raw_os_error() != Some(libc::EFAULT)).then_some(error)
        })
    }

    /// Sets one limit, hard and soft, but keeps what is lower already.
    pub(crate) fn limit(resource: Resource, value: u64) -> io::Result<()> {
        let now = getrlimit(resource);
        let lower = |limit: Option<u64>| Some(limit.map_or(value, |l| l.min(value)));
        let new = Rlimit {
            current: lower(now.current),
            maximum: lower(now.maximum),
        };
        Ok(setrlimit(resource, new)?)
    }

    /// Address space of this process, in bytes.
    pub(crate) fn address_space() -> io::Result<u64> {
        let statm = std::fs::read_to_string("/proc/self/statm")?;
        let pages: Option<u64> = statm.split(' ').next().and_then(|n| n.parse().ok());
        let pages =
            pages.ok_or_else(|| io::Error::other("/proc/self/statm is not as it should be"))?;
        Ok(pages * rustix::param::page_size() as u64)
    }

    /// Closes the cage of the first tier: `memory` bytes beyond what is in use now, no files, and no system call but
    /// those of [`filter`]. Any other kills it (SIGSYS).
    ///
    /// # Errors
    /// What the system refuses. Of the filter only if the cage `must` be whole.
    pub(crate) fn close(memory: u64, stack_exit: i32, must: bool) -> io::Result<()> {
        exit_on_stack_overflow(stack_exit);
        let in_use = address_space()?;
        limit(Resource::Core, 0)?;
        limit(Resource::Fsize, 0)?;
        limit(Resource::Nofile, 3)?;
        limit(Resource::As, in_use.saturating_add(memory))?;
        rustix::thread::set_no_new_privs(true)?;
        let filter = filter::worker()?;
        match seccompiler::apply_filter_all_threads(&filter) {
            Err(error) if must => Err(io::Error::other(error)),
            _ => Ok(()),
        }
    }

    /// Ends the process with a status of its own when a stack is used up, for the runner to tell it from other ends.
    fn exit_on_stack_overflow(status: i32) {
        static STATUS: std::sync::atomic::AtomicI32 = std::sync::atomic::AtomicI32::new(0);
        extern "C" fn handler(_: libc::c_int) {
            // SAFETY: _exit is safe in a signal handler.
            unsafe { libc::_exit(STATUS.load(std::sync::atomic::Ordering::Relaxed)) }
        }
        STATUS.store(status, std::sync::atomic::Ordering::Relaxed);
        // SAFETY: the action is fully set; the handler only ends the process. The standard library has given this
        // thread a signal stack.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = handler as *const () as usize;
            action.sa_flags = libc::SA_ONSTACK;
            libc::sigaction(libc::SIGSEGV, &action, std::ptr::null_mut());
            libc::sigaction(libc::SIGBUS, &action, std::ptr::null_mut());
        }
    }

    /// The filter for the child, as the bytes of its instructions.
    pub(crate) fn child_filter() -> io::Result<Vec<u8>> {
        let filter = filter::child()?;
        let bytes = |i: &seccompiler::sock_filter| {
            let mut out = i.code.to_ne_bytes().to_vec();
            out.extend([i.jt, i.jf]);
            out.extend(i.k.to_ne_bytes());
            out
        };
        Ok(filter.iter().flat_map(bytes).collect())
    }

    /// CPython's stack, where the limit is not lower: what the system gives by default.
    const STACK: u64 = 8 << 20;

    /// Closes the cage that CPython starts in: no writing of files, no reading outside `folders` and the system's
    /// libraries (where the kernel has Landlock), no network, addresses that do not change from run to run.
    pub(crate) fn close_around_zygote(folders: &[std::ffi::OsString]) -> io::Result<()> {
        limit(Resource::Core, 0)?;
        limit(Resource::Fsize, 0)?;
        limit(Resource::Nofile, 256)?;
        limit(Resource::Stack, STACK)?;
        // SAFETY: no pointers. Both are a second line: where the system refuses, the child's filter still holds.
        unsafe {
            libc::personality(libc::ADDR_NO_RANDOMIZE as libc::c_ulong);
            libc::unshare(libc::CLONE_NEWNET);
        }
        rustix::thread::set_no_new_privs(true)?;
        restrict_files(folders).map_err(io::Error::other)
    }

    fn restrict_files(folders: &[std::ffi::OsString]) -> Result<(), landlock::RulesetError> {
        use landlock::{
            ABI, Access, AccessFs, CompatLevel, Compatible, Ruleset, RulesetAttr,
            RulesetCreatedAttr, path_beneath_rules,
        };
        let system = [
            "/usr",
            "/lib",
            "/lib64",
            "/bin",
            "/nix/store",
            "/gnu/store",
            "/etc/ld.so.cache",
            "/dev/null",
            "/dev/urandom",
            "/proc/self",
        ];
        let readable = system
            .iter()
            .map(std::ffi::OsStr::new)
            .chain(folders.iter().map(|f| f.as_os_str()));
        Ruleset::default()
            .set_compatibility(CompatLevel::BestEffort)
            .handle_access(AccessFs::from_all(ABI::V3))?
            .create()?
            .add_rules(path_beneath_rules(readable, AccessFs::from_read(ABI::V3)))?
            .restrict_self()?;
        Ok(())
    }
}

/// The limits of this session that are so low that a worker may not start, in words.
#[cfg(unix)]
pub(crate) fn low_limits() -> Option<String> {
    use rustix::process::{Resource, getrlimit};

    let megabytes = |n: u64| format!("{} MB", n >> 20);
    let plain = |n: u64| n.to_string();
    type Line = (Resource, &'static str, &'static str, u64, fn(u64) -> String);
    let lines: [Line; 6] = [
        (Resource::As, "address space", "-v", 2 << 30, megabytes),
        (Resource::Data, "data", "-d", 1 << 30, megabytes),
        (Resource::Stack, "stack", "-s", 1 << 20, |n| {
            format!("{} kB", n >> 10)
        }),
        (Resource::Nofile, "open files", "-n", 64, plain),
        (Resource::Nproc, "processes", "-u", 512, plain),
        (Resource::Cpu, "CPU seconds", "-t", 60, plain),
    ];
    let low: Vec<String> = lines
        .iter()
        .filter_map(|(resource, name, flag, least, words)| {
            let limit = getrlimit(*resource).current.filter(|l| l < least)?;
            Some(format!("{name} {} (ulimit {flag})", words(limit)))
        })
        .collect();
    (!low.is_empty()).then(|| low.join(", "))
}

#[cfg(not(target_os = "linux"))]
pub(crate) use elsewhere::*;

#[cfg(not(target_os = "linux"))]
mod elsewhere {
    use super::io;

    pub(crate) fn die_with_parent() {}
    pub(crate) fn close_files() {}
    pub(crate) fn one_heap() {}
    pub(crate) fn close(_memory: u64, _stack_exit: i32, _must: bool) -> io::Result<()> {
        Ok(())
    }
}
