//! What the system takes away from a process before it runs a program: memory, files, processes, the network.
//!
//! Linux only; elsewhere these functions do nothing and the interpreter's own limits and the runner's deadline remain.

use std::io;

#[cfg(target_os = "linux")]
pub(crate) use linux::*;

#[cfg(target_os = "linux")]
mod linux {
    use std::collections::BTreeMap;

    use seccompiler::{
        BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
        SeccompRule, TargetArch,
    };

    use super::io;

    fn check(result: libc::c_int) -> io::Result<()> {
        if result == 0 {
            Ok(())
        } else {
            Err(io::Error::last_os_error())
        }
    }

    /// Asks the system to kill this process when its parent dies.
    pub(crate) fn die_with_parent() {
        // SAFETY: no pointers.
        unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
    }

    /// Has all threads share one heap: every further one would reserve address space of its own.
    pub(crate) fn one_heap() {
        #[cfg(target_env = "gnu")]
        // SAFETY: no pointers.
        unsafe {
            libc::mallopt(libc::M_ARENA_MAX, 1);
        }
    }

    /// Sets one limit, hard and soft.
    pub(crate) fn limit(resource: libc::__rlimit_resource_t, value: u64) -> io::Result<()> {
        let limit = libc::rlimit {
            rlim_cur: value,
            rlim_max: value,
        };
        // SAFETY: the pointer is to a live local.
        check(unsafe { libc::setrlimit(resource, &limit) })
    }

    /// Address space of this process, in bytes.
    pub(crate) fn address_space() -> io::Result<u64> {
        let statm = std::fs::read_to_string("/proc/self/statm")?;
        let pages: u64 = statm
            .split(' ')
            .next()
            .and_then(|n| n.parse().ok())
            .unwrap_or(0);
        // SAFETY: no pointers.
        Ok(pages * unsafe { libc::sysconf(libc::_SC_PAGESIZE) } as u64)
    }

    /// Closes the cage of the first tier: `memory` bytes beyond what is in use now, no files, and no system call but
    /// those that read and write the two pipes, manage memory, and end the process. Any other kills it (SIGSYS).
    pub(crate) fn close(memory: u64, stack_exit: i32) -> io::Result<()> {
        exit_on_stack_overflow(stack_exit);
        let in_use = address_space()?;
        limit(libc::RLIMIT_CORE, 0)?;
        limit(libc::RLIMIT_FSIZE, 0)?;
        limit(libc::RLIMIT_NOFILE, 3)?;
        limit(libc::RLIMIT_AS, in_use.saturating_add(memory))?;
        no_new_privileges()?;
        let filter = compile(WORKER, SeccompAction::KillProcess)?;
        seccompiler::apply_filter_all_threads(&filter).map_err(io::Error::other)
    }

    /// The process can never gain rights by running another program.
    pub(crate) fn no_new_privileges() -> io::Result<()> {
        // SAFETY: no pointers.
        check(unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) })
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

    /// A system call, and the values its first argument may have (any, if none are named).
    type Call = (libc::c_long, &'static [u64]);

    /// What every process that runs a program may do: manage its memory and end.
    const ALWAYS: &[Call] = &[
        (libc::SYS_mmap, &[]),
        (libc::SYS_munmap, &[]),
        (libc::SYS_mremap, &[]),
        (libc::SYS_mprotect, &[]),
        (libc::SYS_madvise, &[]),
        (libc::SYS_brk, &[]),
        (libc::SYS_futex, &[]),
        (libc::SYS_sched_yield, &[]),
        (libc::SYS_clock_gettime, &[]),
        (libc::SYS_rt_sigreturn, &[]),
        (libc::SYS_restart_syscall, &[]),
        (libc::SYS_exit, &[]),
        (libc::SYS_exit_group, &[]),
    ];

    /// And the worker of the first tier: all else kills it.
    const WORKER: &[Call] = &[
        (libc::SYS_read, &[0]),
        (libc::SYS_write, &[1, 2]),
        (libc::SYS_getrandom, &[]),
        (libc::SYS_rt_sigprocmask, &[]),
        (libc::SYS_rt_sigaction, &[]),
        (libc::SYS_sigaltstack, &[]),
        (libc::SYS_getpid, &[]),
        (libc::SYS_gettid, &[]),
    ];

    /// And the child that runs a program in CPython: all else fails with EPERM, which Python reports.
    const CHILD: &[Call] = &[(libc::SYS_write, &[1])];

    /// The filter for the child, as the bytes of its instructions.
    pub(crate) fn child_filter() -> io::Result<Vec<u8>> {
        let filter = compile(CHILD, SeccompAction::Errno(libc::EPERM as u32))?;
        let bytes = |i: &seccompiler::sock_filter| {
            let mut out = i.code.to_ne_bytes().to_vec();
            out.extend([i.jt, i.jf]);
            out.extend(i.k.to_ne_bytes());
            out
        };
        Ok(filter.iter().flat_map(bytes).collect())
    }

    /// Closes the cage that CPython starts in: no writing of files, no reading outside `folders` and the system's
    /// libraries (where the kernel has Landlock), no network, addresses that do not change from run to run.
    pub(crate) fn close_around_zygote(folders: &[std::ffi::OsString]) -> io::Result<()> {
        limit(libc::RLIMIT_CORE, 0)?;
        limit(libc::RLIMIT_FSIZE, 0)?;
        limit(libc::RLIMIT_NOFILE, 256)?;
        // SAFETY: no pointers. Both are a second line: where the system refuses, the child's filter still holds.
        unsafe {
            libc::personality(libc::ADDR_NO_RANDOMIZE as libc::c_ulong);
            libc::unshare(libc::CLONE_NEWNET);
        }
        no_new_privileges()?;
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

    /// Compiles the filter: what is [`ALWAYS`] allowed, `allowed` besides, and `tgkill` towards the process that compiles
    /// it. That lets `abort()` signal its own process in the first tier; children of the second tier's zygote inherit a filter
    /// that names the zygote.
    fn compile(allowed: &[Call], otherwise: SeccompAction) -> io::Result<BpfProgram> {
        let first_is = |value: &u64| -> io::Result<SeccompRule> {
            SeccompCondition::new(0, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, *value)
                .and_then(|condition| SeccompRule::new(vec![condition]))
                .map_err(io::Error::other)
        };
        let mut rules: BTreeMap<i64, Vec<SeccompRule>> = BTreeMap::new();
        for (call, first) in ALWAYS.iter().chain(allowed) {
            rules.insert(
                *call,
                first.iter().map(first_is).collect::<io::Result<_>>()?,
            );
        }
        rules.insert(
            libc::SYS_tgkill,
            vec![first_is(&u64::from(std::process::id()))?],
        );
        let arch = TargetArch::try_from(std::env::consts::ARCH).map_err(io::Error::other)?;
        SeccompFilter::new(rules, otherwise, SeccompAction::Allow, arch)
            .and_then(BpfProgram::try_from)
            .map_err(io::Error::other)
    }
}

#[cfg(not(target_os = "linux"))]
pub(crate) use elsewhere::*;

#[cfg(not(target_os = "linux"))]
mod elsewhere {
    use super::io;

    pub(crate) fn die_with_parent() {}
    pub(crate) fn one_heap() {}
    pub(crate) fn close(_memory: u64, _stack_exit: i32) -> io::Result<()> {
        Ok(())
    }
}
