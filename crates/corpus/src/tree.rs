//! Which file of a commit differs from its parent's.

use gix::objs::tree::{EntryKind, EntryRef};
use gix::{ObjectId, Repository};

use crate::why::Why;

/// A file that differs: its path, and the ids of its contents before and after.
pub struct Differs {
    pub path: String,
    pub before: ObjectId,
    pub after: ObjectId,
}

/// The one file that differs between two trees. It reads no more of them than it takes to see a second one.
pub fn only(repository: &Repository, before: ObjectId, after: ObjectId) -> Result<Differs, Why> {
    let mut path = String::new();
    let (mut before, mut after) = (before, after);
    loop {
        let trees = [before, after].map(|id| repository.find_tree(id));
        let [Ok(old), Ok(new)] = trees else {
            return Err(Why::Missing);
        };
        let (old, new) = (old.decode(), new.decode());
        let (Ok(old), Ok(new)) = (old, new) else {
            return Err(Why::Missing);
        };
        let (one, other) = pair(&old.entries, &new.entries)?;
        path += std::str::from_utf8(one.filename).map_err(|_| Why::Python)?;
        let kinds = [one.mode.kind(), other.mode.kind()];
        let ids = (one.oid.to_owned(), other.oid.to_owned());
        match kinds {
            [EntryKind::Tree, EntryKind::Tree] => {
                path.push('/');
                (before, after) = ids;
            }
            [
                EntryKind::Blob | EntryKind::BlobExecutable,
                EntryKind::Blob | EntryKind::BlobExecutable,
            ] => {
                return Ok(Differs {
                    path,
                    before: ids.0,
                    after: ids.1,
                });
            }
            _ => return Err(Why::Files),
        }
    }
}

/// The one entry that both have under the same name and that differs.
fn pair<'a>(
    old: &'a [EntryRef<'a>],
    new: &'a [EntryRef<'a>],
) -> Result<(&'a EntryRef<'a>, &'a EntryRef<'a>), Why> {
    // One that came or went, or was renamed, leaves names that do not pair.
    if old.len() != new.len() {
        return Err(Why::Files);
    }
    let mut differs = None;
    for (one, other) in old.iter().zip(new) {
        if one.filename != other.filename {
            return Err(Why::Files);
        }
        if one.oid != other.oid {
            if differs.is_some() {
                return Err(Why::Files);
            }
            differs = Some((one, other));
        }
    }
    differs.ok_or(Why::Files)
}
