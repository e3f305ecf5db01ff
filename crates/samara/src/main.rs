//! See [`samara::main`].

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: pyrun::Metered = pyrun::Metered;

fn main() -> ExitCode {
    samara::main()
}
