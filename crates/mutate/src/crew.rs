//! Threads that serve one queue of jobs, such as the programs that operators propose.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use crossbeam_channel::Receiver;

/// Does work that is not one's own; a panic becomes words, since a thread that dies in silence would leave others waiting
/// for it.
///
/// # Errors
/// What the panic said.
pub fn guarded<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|panic| {
        let said = match (panic.downcast_ref::<&str>(), panic.downcast_ref::<String>()) {
            (Some(said), _) => said,
            (_, Some(said)) => said.as_str(),
            _ => "for no reason given",
        };
        format!("it panicked: {said}")
    })
}

/// Serves as one thread of a crew: takes a job and those that wait behind it, `most(waiting)` at once, does `work`, and
/// hands on what came of it, or why nothing did. It ends with the queue, after the first failure, when what it hands on
/// is not taken (`hand` is `false`), or once `halt` is set.
pub fn serve<J, R>(
    todo: &Receiver<J>,
    halt: &AtomicBool,
    most: impl Fn(usize) -> usize,
    mut work: impl FnMut(Vec<J>) -> Result<R, String>,
    mut hand: impl FnMut(Result<R, String>) -> bool,
) {
    while let Ok(first) = todo.recv() {
        if halt.load(Relaxed) {
            return;
        }
        let more = most(todo.len()).saturating_sub(1);
        let mut jobs = vec![first];
        jobs.extend(todo.try_iter().take(more));
        let done = guarded(|| work(jobs)).and_then(|done| done);
        let failed = done.is_err();
        if !hand(done) || failed {
            return;
        }
    }
}
