//! The models that samara carries within, so that a machine without a network has one.

use std::path::Path;

/// A model in the binary.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Builtin {
    /// What the user types.
    pub name: &'static str,
    /// What it is, in a line.
    pub about: &'static str,
    /// Its GGUF file.
    pub bytes: &'static [u8],
}

impl std::fmt::Debug for Builtin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Builtin {} of {} bytes", self.name, self.bytes.len())
    }
}

/// All of them; `models/NAME/README.md` says what each has seen.
pub const BUILTIN: [Builtin; 1] = [Builtin {
    name: "compact",
    about: "writes diffs of walker programs, 1 million parameters, 1.1 MB",
    bytes: include_bytes!("../../../models/compact/compact.gguf"),
}];

/// The model of this name.
pub fn of(name: &str) -> Option<&'static Builtin> {
    BUILTIN.iter().find(|builtin| builtin.name == name)
}

/// The model of this name, given as a path; a file of the same name is opened by another, such as `./compact`.
pub(crate) fn at(path: &Path) -> Option<&'static Builtin> {
    path.to_str().and_then(of)
}
