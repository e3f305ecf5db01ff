//! The second tier: CPython in a cage.

use std::ffi::OsStr;
use std::time::Duration;

use crate::{Config, Error, Failure, Value};

pub(crate) struct Zygote;

impl Zygote {
    pub(crate) fn new(_config: &Config) -> Zygote {
        Zygote
    }

    pub(crate) fn ensure(&mut self) -> Result<(), Error> {
        Ok(())
    }

    pub(crate) fn run(&mut self, _source: &str) -> (Result<Value, Failure>, Duration) {
        (
            Err(Failure::NoPython {
                mend: "this build has no second tier yet".into(),
            }),
            Duration::ZERO,
        )
    }
}

pub(crate) fn become_zygote(_python: &OsStr) -> ! {
    std::process::exit(2)
}
