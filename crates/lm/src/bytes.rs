//! A file's bytes, mapped or in memory.

use std::borrow::Cow;
use std::fs::File;
use std::ops::Deref;
use std::path::Path;

use memmap2::Mmap;

use crate::error::Error;

/// A file's bytes.
pub(crate) enum Bytes {
    Mapped(Mmap),
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
        // SAFETY: nothing writes through the mapping. It is a shared one: what another process writes to the file shows, and
        // a file cut short ends this process; like every reader of mapped weights we rely on nobody doing either.
        unsafe { Mmap::map(&file) }
            .map(Self::Mapped)
            .map_err(|e| Error::io(path, "mapped into memory", e))
    }
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Mapped(bytes) => bytes,
            Self::Memory(bytes) => bytes,
        }
    }
}
