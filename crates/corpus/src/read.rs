//! Going through histories.

use gix::ObjectId;
use mutate::Lesson;
use rayon::prelude::*;

use crate::Commit;
use crate::change::{Change, change};
use crate::near::Near;
use crate::repository::Repository;
use crate::why::{Tally, Why};

/// What is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Lines removed, and lines added, at most.
    pub max_lines: usize,
    /// Lines of the file before that a change comes with, at most.
    pub window: usize,
    /// Changes of one repository at most, the newest.
    pub per_repository: usize,
    /// Threads that read, 0 for one a core; the result is the same.
    pub threads: usize,
}

/// How far it is.
#[derive(Clone, Copy, Debug)]
pub struct Progress<'a> {
    /// The repository that is read.
    pub repository: &'a str,
    /// Which one it is, from 0.
    pub number: usize,
    /// Commits of it that are read.
    pub done: u64,
    /// Commits that it has.
    pub commits: u64,
    /// Changes handed over, of all repositories.
    pub kept: u64,
}

/// Commits that a thread reads before all wait for each other.
const SHARE: usize = 128;

/// Goes through the histories in their order and hands over what is kept; returns the counts of each repository. Memory grows by 64 bytes a change, and by
/// 28 a commit of the repository that is being read.
///
/// # Errors
/// What `take` says.
///
/// # Panics
/// Where no threads can be made.
pub fn read<E>(
    repositories: &[Repository],
    settings: &Settings,
    observe: &mut dyn FnMut(Progress<'_>),
    take: &mut dyn FnMut(Commit) -> Result<(), E>,
) -> Result<Vec<Tally>, E> {
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(settings.threads)
        .build();
    let pool = pool.expect("threads can be made");
    let mut near = Near::default();
    let mut tallies = Vec::new();
    let mut id = 0;
    for (number, repository) in repositories.iter().enumerate() {
        let commits = repository.commits();
        let mut tally = Tally::default();
        for share in commits.chunks(SHARE * pool.current_num_threads()) {
            let is_full = |tally: &Tally| tally.kept >= settings.per_repository as u64;
            let changes = match is_full(&tally) {
                true => share.iter().map(|_| Err(Why::Crowded)).collect(),
                false => pool.install(|| changes(repository, share, settings)),
            };
            for ((commit, time), change) in share.iter().zip(changes) {
                tally.read += 1;
                match change {
                    // Whatever it is: how many of a share were looked at in vain depends on the threads.
                    _ if is_full(&tally) => tally.left(Why::Crowded),
                    Err(why) => tally.left(why),
                    Ok(change) if !near.is_new(&change.signature) => tally.left(Why::Duplicate),
                    Ok(change) => {
                        tally.kept += 1;
                        id += 1;
                        take(row(repository, *commit, *time, id, change))?;
                    }
                }
            }
            observe(Progress {
                repository: repository.name(),
                number,
                done: tally.read,
                commits: commits.len() as u64,
                kept: id,
            });
        }
        tallies.push(tally);
    }
    Ok(tallies)
}

fn changes(
    repository: &Repository,
    share: &[(ObjectId, i64)],
    settings: &Settings,
) -> Vec<Result<Change, Why>> {
    let local = || {
        let mut local = repository.store.to_thread_local();
        local.object_cache_size(8 << 20);
        local
    };
    let parts = share.par_chunks(SHARE / 4).map_init(local, |local, part| {
        let each = part
            .iter()
            .map(|(commit, _)| change(local, *commit, settings));
        mutate::roomy(|| each.collect::<Vec<_>>())
    });
    parts.collect::<Vec<_>>().into_iter().flatten().collect()
}

fn row(repository: &Repository, commit: ObjectId, time: i64, id: u64, change: Change) -> Commit {
    Commit {
        lesson: Lesson {
            source: repository.name().to_owned(),
            id,
            operator: "commit".to_owned(),
            told: Some(change.subject),
            file: Some(change.path),
            parent: change.window.before,
            child: change.window.after,
            accepted: true,
            niche: None,
            fitness: None,
            parent_fitness: None,
        },
        commit: commit.to_string(),
        licence: repository.licence().to_owned(),
        time,
        lines: change.lines,
    }
}
