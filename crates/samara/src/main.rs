//! See [`samara::main`].

use std::process::ExitCode;

fn main() -> ExitCode {
    samara::main()
}
