//! A file's bytes, mapped or in memory.

use std::borrow::Cow;
use std::fs::File;
use std::ops::Deref;
use std::path::Path;

use memmap2::Mmap;

use crate::error::Error;

/// A file's bytes.
pub(crate) enum Bytes {
    /// The mapping, and the file.
    Mapped(Mmap, File),
    Memory(Cow<'static, [u8]>),
}

impl Bytes {
    /// Maps a file; an empty one is refused here, since it cannot be mapped.
    pub(crate) fn map(path: &Path) -> Result<Self, Error> {
        let file = File::open(path).map_err(|e| Error::io(path, "opened", e))?;
        let size = file
            .metadata()
            .map_err(|e| Error::io(path, "read", e))?
            .len();
        if size == 0 {
            return Err(Error::damaged(path, "the file", "is empty"));
        }
        // SAFETY: nothing writes through the mapping, but it is a shared one: what another process writes to the file
        // shows. Like every reader of mapped weights we rely on nobody writing while a tensor is read; whoever replaces a
        // model by renaming another into its place does no harm. See `whole` for a file that is cut short.
        unsafe { Mmap::map(&file) }
            .map(|map| Self::Mapped(map, file))
            .map_err(|e| Error::io(path, "mapped into memory", e))
    }

    /// The bytes, if the file is still as long as it was: reading what is no more there would end this process. (It still
    /// does where the file is cut short during the read itself.)
    ///
    /// # Errors
    /// `Error::Damaged` for a file cut short since it was opened.
    pub(crate) fn whole(&self, path: &Path) -> Result<&[u8], Error> {
        if let Self::Mapped(map, file) = self {
            let size = file
                .metadata()
                .map_err(|e| Error::io(path, "read", e))?
                .len();
            if size < map.len() as u64 {
                let problem = format!(
                    "was cut short from {} to {size} bytes while in use",
                    map.len()
                );
                return Err(Error::damaged(path, "the file", problem));
            }
        }
        Ok(self)
    }
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Mapped(bytes, _) => bytes,
            Self::Memory(bytes) => bytes,
        }
    }
}
