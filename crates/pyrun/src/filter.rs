//! The system calls that a process may make once a program runs in it: one table, one line a call, with the reason.
//!
//! What is not here ends a worker of the first tier (SIGSYS) and fails with EPERM in a child of the second. A program that
//! has taken over its process altogether still has only these: they manage its own memory, tell the time, write its answer and
//! end it. None opens, signals, traces, limits or reschedules anything, none waits for something that does not come, and
//! none makes memory executable.

use std::collections::BTreeMap;
use std::io;

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch,
};

/// Which process may make a call.
#[derive(Clone, Copy, PartialEq)]
enum Who {
    Both,
    /// The worker of the first tier.
    Worker,
    /// The child in which CPython runs a program.
    Child,
}
use Who::{Both, Child, Worker};

/// What is asked of an argument, by its place.
#[derive(Clone, Copy)]
enum Check {
    /// It is one of these.
    Is(u8, &'static [i64]),
    /// It has none of these bits.
    Lacks(u8, i32),
    /// It is the number of the process that makes the filter (so only where a process filters itself).
    Own(u8),
}
use Check::{Is, Lacks, Own};

const NO_FILE: &[i64] = &[-1];
const ADVICE: &[i64] = &[
    libc::MADV_DONTNEED as i64,
    libc::MADV_FREE as i64,
    libc::MADV_HUGEPAGE as i64,
    libc::MADV_NOHUGEPAGE as i64,
];
const WAKE: &[i64] = &[
    libc::FUTEX_WAKE as i64,
    (libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG) as i64,
];
const ABORT: &[i64] = &[libc::SIGABRT as i64];
/// The system's clocks and the process's own; negative numbers are other processes' clocks.
const CLOCKS: &[i64] = &[0, 1, 2, 3, 4, 5, 6, 7];
const EXEC: i32 = libc::PROT_EXEC;

#[rustfmt::skip]
const CALLS: &[(libc::c_long, Who, &[Check], &str)] = &[
    (libc::SYS_mmap,           Both,   &[Lacks(2, EXEC), Is(4, NO_FILE)], "memory, within RLIMIT_AS; of no file and never code"),
    (libc::SYS_mprotect,       Both,   &[Lacks(2, EXEC)],        "the heap grows so; never code"),
    (libc::SYS_munmap,         Both,   &[],                      "gives its own memory back"),
    (libc::SYS_mremap,         Both,   &[],                      "a large list grows so; within RLIMIT_AS"),
    (libc::SYS_brk,            Both,   &[],                      "the heap grows so; within RLIMIT_AS"),
    (libc::SYS_madvise,        Both,   &[Is(1, ADVICE)],         "the heap shrinks so; other advice can poison pages, as root"),
    (libc::SYS_futex,          Child,  &[Is(1, WAKE)],           "a lock is let go; it is alone, so waiting for one never ends"),
    (libc::SYS_futex,          Worker, &[],                      "its first thread waits for the one that works"),
    (libc::SYS_sched_yield,    Both,   &[],                      "a lock that is busy is tried again"),
    (libc::SYS_clock_gettime,  Both,   &[Is(0, CLOCKS)],         "time, where the kernel's page has none"),
    (libc::SYS_rt_sigreturn,   Both,   &[],                      "ends a signal's handler"),
    (libc::SYS_exit,           Both,   &[],                      "ends a thread"),
    (libc::SYS_exit_group,     Both,   &[],                      "ends the process"),
    (libc::SYS_write,          Child,  &[Is(0, &[1])],           "the answer, on a pipe of its own; no other file is open"),
    (libc::SYS_write,          Worker, &[Is(0, &[1, 2])],        "the answer; what C says last goes nowhere"),
    (libc::SYS_read,           Worker, &[Is(0, &[0])],           "the next program"),
    (libc::SYS_getrandom,      Worker, &[],                      "seeds of hash maps"),
    (libc::SYS_getpid,         Worker, &[],                      "abort() asks who it is"),
    (libc::SYS_gettid,         Worker, &[],                      "the same"),
    (libc::SYS_rt_sigprocmask, Worker, &[],                      "abort() lets its signal through; a thread ends"),
    (libc::SYS_rt_sigaction,   Worker, &[],                      "abort() makes its signal deadly"),
    (libc::SYS_tgkill,         Worker, &[Own(0), Is(2, ABORT)],  "abort() when memory is used up: SIGABRT to itself, nothing else"),
    (libc::SYS_sigaltstack,    Worker, &[],                      "a thread that ends"),
];

/// The filter of the first tier's worker, made in that worker: what is not allowed ends it.
pub(crate) fn worker() -> io::Result<BpfProgram> {
    compile(Worker, SeccompAction::KillProcess)
}

/// The filter of the second tier's children: what is not allowed fails with EPERM, which Python reports.
pub(crate) fn child() -> io::Result<BpfProgram> {
    compile(Child, SeccompAction::Errno(libc::EPERM as u32))
}

fn compile(who: Who, otherwise: SeccompAction) -> io::Result<BpfProgram> {
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = BTreeMap::new();
    for (call, by, checks, _) in CALLS {
        if *by == who || *by == Both {
            rules.insert(*call, rules_for(checks)?);
        }
    }
    let arch = TargetArch::try_from(std::env::consts::ARCH).map_err(io::Error::other)?;
    SeccompFilter::new(rules, otherwise, SeccompAction::Allow, arch)
        .and_then(BpfProgram::try_from)
        .map_err(io::Error::other)
}

/// The rules one of which must hold: every combination of the values that the arguments may have.
fn rules_for(checks: &[Check]) -> io::Result<Vec<SeccompRule>> {
    let mut combined: Vec<Vec<SeccompCondition>> = vec![Vec::new()];
    for check in checks {
        let (place, operator, values) = match check {
            Is(place, values) => (*place, SeccompCmpOp::Eq, values.to_vec()),
            Lacks(place, bits) => (*place, SeccompCmpOp::MaskedEq(*bits as u64), vec![0]),
            Own(place) => (*place, SeccompCmpOp::Eq, vec![std::process::id().into()]),
        };
        let mut next = Vec::new();
        for conditions in &combined {
            for value in &values {
                // the kernel reads 32 bits of these arguments
                let value = u64::from(*value as u32);
                let condition =
                    SeccompCondition::new(place, SeccompCmpArgLen::Dword, operator.clone(), value)
                        .map_err(io::Error::other)?;
                next.push([&conditions[..], &[condition]].concat());
            }
        }
        combined = next;
    }
    combined
        .into_iter()
        .filter(|conditions| !conditions.is_empty())
        .map(|conditions| SeccompRule::new(conditions).map_err(io::Error::other))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the system says to calls made under a filter that refuses with EPERM, in a thread of its own.
    fn under(who: Who, calls: Vec<[i64; 7]>) -> Vec<Option<i32>> {
        let filter = compile(who, SeccompAction::Errno(libc::EPERM as u32)).unwrap();
        let mut answers = Vec::with_capacity(calls.len());
        std::thread::spawn(move || {
            seccompiler::apply_filter(&filter).unwrap();
            for [n, a, b, c, d, e, f] in calls {
                // SAFETY: the calls of these tests have no pointers that the system follows, and change nothing.
                let result = unsafe { libc::syscall(n, a, b, c, d, e, f) };
                let error = io::Error::last_os_error().raw_os_error();
                answers.push(if result == -1 { error } else { None });
            }
            answers
        })
        .join()
        .unwrap()
    }

    const REFUSED: Option<i32> = Some(libc::EPERM);

    /// Every number that is not in the table is refused, those of later kernels and of other ABIs too.
    #[test]
    fn what_is_not_in_the_table_is_refused() {
        for who in [Worker, Child] {
            let listed = |n: i64| {
                CALLS
                    .iter()
                    .any(|(call, by, ..)| *call == n && (*by == who || *by == Both))
            };
            let x32 = 0x4000_0000;
            let numbers: Vec<i64> = (0..1000).chain(x32..x32 + 600).collect();
            let others: Vec<[i64; 7]> = numbers
                .into_iter()
                // two of x86-64 serve the kernel's own probes; elsewhere it ends the caller, whatever the filter says
                .filter(|n| !listed(*n) && ![335, 336].contains(n))
                .map(|n| [n, 0, 0, 0, 0, 0, 0])
                .collect();
            let count = others.len();
            assert_eq!(under(who, others), vec![REFUSED; count]);
        }
    }

    #[test]
    fn no_signal_no_wait_no_code_no_other_file() {
        // SAFETY: no pointers.
        let (own, parent) = unsafe { (i64::from(libc::getpid()), i64::from(libc::getppid())) };
        let clock = |pid: i64| (!pid << 3) | 2;
        let call = |n: i64, arguments: &[i64]| {
            let mut call = [0; 7];
            call[0] = n;
            call[1..=arguments.len()].copy_from_slice(arguments);
            call
        };
        let exec = i64::from(libc::PROT_EXEC | libc::PROT_READ);
        let private = i64::from(libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
        let wait = i64::from(libc::FUTEX_WAIT);
        let poison = 100; // MADV_HWPOISON
        for who in [Worker, Child] {
            let refused = vec![
                call(libc::SYS_kill, &[parent, 0]),
                call(libc::SYS_tkill, &[parent, 0]),
                call(libc::SYS_tgkill, &[parent, parent, 0]),
                call(libc::SYS_tgkill, &[own, own, 0]),
                call(libc::SYS_tgkill, &[parent, parent, libc::SIGABRT.into()]),
                call(libc::SYS_mmap, &[0, 4096, exec, private, -1, 0]),
                call(libc::SYS_mmap, &[0, 4096, 1, private, 0, 0]),
                call(libc::SYS_mprotect, &[0, 4096, exec]),
                call(libc::SYS_madvise, &[0, 0, poison]),
                call(libc::SYS_clock_gettime, &[clock(parent), 0]),
                call(libc::SYS_write, &[3, 0, 0]),
                call(libc::SYS_read, &[1, 0, 0]),
            ];
            let count = refused.len();
            assert_eq!(under(who, refused), vec![REFUSED; count]);
        }
        let alone = vec![
            call(libc::SYS_futex, &[0, wait, 0, 0]),
            call(libc::SYS_futex, &[0, wait | 128, 0, 0]),
            call(libc::SYS_write, &[2, 0, 0]),
        ];
        assert_eq!(under(Child, alone), vec![REFUSED; 3]);
        // and what is needed is there
        let needed = vec![
            call(libc::SYS_mmap, &[0, 4096, 3, private, -1, 0]),
            call(libc::SYS_mprotect, &[0, 0, 3]),
            call(libc::SYS_sched_yield, &[]),
        ];
        assert_eq!(under(Child, needed), vec![None; 3]);
    }
}
