//! Whether memory and disk will do, before hours are spent.

use std::path::Path;

use anyhow::bail;
use learn::course::Course;

use crate::meter::size;

/// Checks both for a course.
///
/// # Errors
/// Says how much is missing, and what to do.
pub fn check(course: &Course<'_>, output: &Path) -> anyhow::Result<()> {
    memory(
        course.bytes(),
        match course.options.learns {
            lm::train::Learns::All => "choose a smaller model or --lora",
            lm::train::Learns::Lora(_) => "choose a smaller model",
        },
    )?;
    disk(course.disk(), output)
}

/// Checks that so many bytes of memory can be had.
///
/// # Errors
/// Says how much is missing, and what to do.
pub fn memory(needed: u64, mend: &str) -> anyhow::Result<()> {
    match available().filter(|there| *there < needed) {
        None => Ok(()),
        Some(there) => bail!(
            "the training needs {} of memory and {} are free; free some, or {mend}",
            size(needed),
            size(there),
        ),
    }
}

/// Checks that so many bytes can be written.
///
/// # Errors
/// As [`memory`].
pub fn disk(needed: u64, output: &Path) -> anyhow::Result<()> {
    let folder = existing(output);
    match free(folder).filter(|there| *there < needed) {
        None => Ok(()),
        Some(there) => bail!(
            "{}: the training needs {} of disk and {} are free; free some, or choose another place with -o",
            folder.display(),
            size(needed),
            size(there)
        ),
    }
}

/// The folder that is there already.
fn existing(path: &Path) -> &Path {
    let mut folders = path.ancestors();
    let there = folders.find(|folder| folder.is_dir());
    there.unwrap_or(Path::new("."))
}

/// Bytes of memory that programs may still take, where the system says so; a container's own bound counts.
fn available() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|l| l.strip_prefix("MemAvailable:"))?;
    let kilobytes: u64 = line.split_whitespace().next()?.parse().ok()?;
    let machine = 1024 * kilobytes;
    let number = |name: &str| {
        let text = std::fs::read_to_string(format!("/sys/fs/cgroup/{name}")).ok()?;
        text.trim().parse::<u64>().ok()
    };
    let own = number("memory.max").zip(number("memory.current"));
    let own = own.map(|(most, used)| most.saturating_sub(used));
    Some(own.map_or(machine, |own| own.min(machine)))
}

/// Bytes that may still be written in a folder, where the system says so.
#[cfg(not(unix))]
fn free(_: &Path) -> Option<u64> {
    None
}

/// Bytes that may still be written in a folder.
#[cfg(unix)]
fn free(folder: &Path) -> Option<u64> {
    let stat = rustix::fs::statvfs(folder).ok()?;
    Some(stat.f_bavail * stat.f_frsize)
}
