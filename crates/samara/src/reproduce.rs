//! `samara reproduce`: the paper's results, made again by one command each.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, anyhow};

use crate::cli::Reproduce;
use crate::{Done, Failure};

mod stage1;

/// Does what a `samara reproduce` command says.
pub fn reproduce(what: &Reproduce) -> Done {
    match what {
        Reproduce::Stage1(args) => stage1::stage1(args),
    }
}

/// Runs a command of this samara to its end; what it prints goes to a file, what it complains about to standard error.
///
/// # Errors
/// It failed, or was interrupted.
fn samara(args: &[&str], log: &Path) -> Done {
    let own = std::env::current_exe().context("samara does not find itself")?;
    let cannot = || format!("{}: cannot be written", log.display());
    let log = std::fs::File::options()
        .create(true)
        .append(true)
        .open(log)
        .with_context(cannot)?;
    let mut command = Command::new(own);
    with_us(&mut command);
    let running = command.args(args).stdin(Stdio::null()).stdout(log).spawn();
    let ended = running
        .and_then(|mut child| child.wait())
        .context("samara cannot be started")?;
    match ended.code() {
        Some(0) => Ok(()),
        code => Err(Failure {
            code: if code == Some(130) { 130 } else { 1 },
            error: anyhow!(
                "`samara {}` did not come to its end; the same command goes on there",
                args.join(" ")
            ),
        }),
    }
}

/// Has a process end when this one does, even by a kill, where the system can: else it would hold the run that the next one is to go on with.
#[cfg(target_os = "linux")]
fn with_us(command: &mut Command) {
    use std::os::unix::process::CommandExt;
    let end = || {
        Ok(rustix::process::set_parent_process_death_signal(Some(
            rustix::process::Signal::KILL,
        ))?)
    };
    // SAFETY: between fork and exec it makes one system call.
    unsafe { command.pre_exec(end) };
}

#[cfg(not(target_os = "linux"))]
fn with_us(_: &mut Command) {}
