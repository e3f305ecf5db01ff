//! A repository, and whether it can serve.

use std::path::{Path, PathBuf};

use gix::revision::walk::Sorting;
use gix::{ObjectId, ThreadSafeRepository};

use crate::licence;

/// Why a repository cannot serve; each says what to do.
#[derive(Debug, thiserror::Error)]
pub enum Unfit {
    /// No repository.
    #[error("{}: is no git repository ({why}); give the folder of one, with its history", path.display())]
    Open {
        /// Where.
        path: PathBuf,
        /// What git's reader says.
        why: String,
    },
    /// No commits.
    #[error("{}: has no commits; choose another, or check out a branch that has some", .0.display())]
    Empty(PathBuf),
    /// A history that was cut.
    #[error("{}: is a shallow clone, whose history is cut; fetch it whole: git fetch --unshallow", .0.display())]
    Shallow(PathBuf),
    /// Objects that are not here.
    #[error("{}: its last commit cannot be read ({why}); check it with git fsck, and clone it again", path.display())]
    Broken {
        /// Where.
        path: PathBuf,
        /// What git's reader says.
        why: String,
    },
    /// No licence.
    #[error(
        "{}: has no licence file in its first folder; leave it out, or name the licence under which you may use it: --licence {}=MIT", path.display(), path.display()
    )]
    NoLicence {
        /// Where.
        path: PathBuf,
    },
    /// A licence that asks for more.
    #[error(
        "{}: {file} is {}, not a permissive licence; leave it out, or take the licence's duties on you: --any-licence", path.display(), licence.unwrap_or("a licence that is not known")
    )]
    Licence {
        /// Where.
        path: PathBuf,
        /// The file.
        file: String,
        /// What it is.
        licence: Option<&'static str>,
    },
}

/// A repository that can serve.
pub struct Repository {
    path: PathBuf,
    name: String,
    licence: String,
    tip: ObjectId,
    pub(crate) store: ThreadSafeRepository,
}

impl Repository {
    /// Opens the repository in a folder (a work tree or a bare one) and looks at what its head holds. The head is pinned here: commits that
    /// come later are not read.
    ///
    /// `licence` is the name of the one under which it may be used, where the caller knows; else the licence's file must hold a permissive
    /// one, or with `any` one at all.
    ///
    /// # Errors
    /// Why it cannot serve.
    pub fn open(path: &Path, licence: Option<&str>, any: bool) -> Result<Self, Unfit> {
        let at = || path.to_owned();
        let opened = gix::open::Options::isolated().open(path);
        let store = opened.map_err(|e| Unfit::Open {
            path: at(),
            why: told(&e),
        })?;
        let repository = store.to_thread_local();
        if repository.is_shallow().unwrap_or(false) {
            return Err(Unfit::Shallow(at()));
        }
        let Ok(tip) = repository.head_id() else {
            return Err(Unfit::Empty(at()));
        };
        let tip = tip.detach();
        let broken = |e: String| Unfit::Broken { path: at(), why: e };
        let commit = repository.find_commit(tip).map_err(|e| broken(told(&e)))?;
        let tree = commit.tree().map_err(|e| broken(told(&e)))?;
        let licence = match licence {
            Some(licence) => licence.to_owned(),
            None => {
                let mut files: Vec<(String, ObjectId)> = Vec::new();
                for entry in tree.iter().flatten() {
                    let name = entry.filename().to_string();
                    if entry.mode().is_blob() && licence::is_name(&name) {
                        files.push((name, entry.object_id()));
                    }
                }
                // Several files are a choice between licences, or parts of one.
                let known = files.iter().filter_map(|(_, id)| {
                    licence::of(&String::from_utf8_lossy(
                        &repository.find_blob(*id).ok()?.data,
                    ))
                });
                let known: Vec<(&str, bool)> = known.collect();
                let permissive = known.iter().find(|(_, permissive)| *permissive);
                match (permissive.or(known.first()), files.first()) {
                    (_, None) => return Err(Unfit::NoLicence { path: at() }),
                    (Some((name, permissive)), _) if *permissive || any => (*name).to_owned(),
                    (None, Some(_)) if any => "unknown".to_owned(),
                    (found, Some((file, _))) => {
                        return Err(Unfit::Licence {
                            path: at(),
                            file: file.clone(),
                            licence: found.map(|(name, _)| *name),
                        });
                    }
                }
            }
        };
        Ok(Self {
            path: at(),
            name: name(path),
            licence,
            tip,
            store,
        })
    }

    /// Its folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its name: the folder's and, as hubs have it, the one above.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its licence's SPDX name.
    pub fn licence(&self) -> &str {
        &self.licence
    }

    /// The hash of the commit at which it was opened.
    pub fn tip(&self) -> String {
        self.tip.to_string()
    }

    /// All commits from the tip on, the newest first, with their times; those whose ancestors cannot be read end there.
    pub(crate) fn commits(&self) -> Vec<(ObjectId, i64)> {
        let mut repository = self.store.to_thread_local();
        repository.object_cache_size(16 << 20);
        let newest = Sorting::ByCommitTime(Default::default());
        let walk = repository.rev_walk([self.tip]).sorting(newest).all();
        let infos = walk.into_iter().flatten().map_while(Result::ok);
        infos
            .map(|info| (info.id, info.commit_time.unwrap_or_default()))
            .collect()
    }
}

/// An error with all its causes in one line.
fn told(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text += &format!(": {error}");
        cause = error.source();
    }
    text.replace('\n', " ")
}

fn name(path: &Path) -> String {
    let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let parts = path
        .components()
        .rev()
        .map(|part| part.as_os_str().to_string_lossy().into_owned());
    let mut parts = parts.filter(|part| part != ".git" && part != "/");
    let last = parts.next().unwrap_or_default();
    let last = last.strip_suffix(".git").unwrap_or(&last).to_owned();
    match parts.next() {
        Some(owner) => format!("{owner}/{last}"),
        None => last,
    }
}
