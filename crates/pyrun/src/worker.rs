//! The worker process: reads its setup, closes the cage around itself, and serves programs until its pipe closes.

use std::io::{self, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::exit;

use crate::first_tier::Interpreter;
use crate::wire::{Setup, encode_failure, read_frame, write_frame};
use crate::{Failure, cage, meter, second_tier};

/// The argument that asks for the first tier.
pub(crate) const FIRST: &str = "first";
/// The argument that asks for the second; what is known of CPython follows.
pub(crate) const SECOND: &str = "second";
/// Exit status of a worker whose stack is used up.
pub(crate) const STACK_EXIT: i32 = 71;

/// Programs and their stack live on one thread whose stack has a known size: an expression nested to any depth the
/// limits on memory allow ends there or in [`STACK_EXIT`].
const STACK: usize = 64 << 20;

/// Largest program text.
const MAX_SOURCE: usize = 16 << 20;

/// The whole life of a worker process. The binary calls it first of all, when [`crate::WORKER_ARG`] is its first
/// argument; it never returns.
pub fn worker_main() -> ! {
    let mut args = std::env::args_os()
        .skip_while(|a| a != crate::WORKER_ARG)
        .skip(1);
    cage::die_with_parent();
    cage::close_files();
    match args.next() {
        Some(tier) if tier == FIRST => serve(),
        Some(tier) if tier == SECOND => second_tier::become_zygote(args),
        _ => {
            eprintln!(
                "this is a worker process of the program; it is started by the program itself"
            );
            exit(2)
        }
    }
}

fn serve() -> ! {
    if !meter::is_installed() {
        eprintln!(
            "a worker's binary declares pyrun::Metered as its global allocator; this one does not"
        );
        exit(70)
    }
    std::panic::set_hook(Box::new(|_| {}));
    cage::one_heap();
    let thread = std::thread::Builder::new()
        .stack_size(STACK)
        .spawn(serve_programs);
    match thread.map(|t| t.join()) {
        Ok(Ok(Ok(()))) => exit(0),
        Ok(Ok(Err(error))) | Err(error) => eprintln!("the worker cannot go on: {error}"),
        Ok(Err(_)) => eprintln!("the worker has panicked"),
    }
    exit(70)
}

fn serve_programs() -> io::Result<()> {
    let mut from = io::stdin().lock();
    let mut to = RawOut;
    let setup: Setup = serde_json::from_slice(&read_frame(&mut from, MAX_SOURCE)?)?;
    let (memory, must) = (setup.limits.memory_bytes, setup.cage);
    let interpreter = match Interpreter::new(setup) {
        Ok(interpreter) => interpreter,
        Err(failure) => return write_frame(&mut to, &encode_failure(&failure)),
    };
    if let Err(error) = cage::close(memory, STACK_EXIT, must) {
        let failure = Failure::crashed(format!("the cage cannot be closed: {error}"));
        return write_frame(&mut to, &encode_failure(&failure));
    }
    write_frame(&mut to, &[])?;
    loop {
        let source = match read_frame(&mut from, MAX_SOURCE) {
            Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
            other => other?,
        };
        let answer = answer(&interpreter, source);
        write_frame(&mut to, &answer)?;
    }
}

/// Runs a program. Everything of it is dropped before the answer goes out, so what dropping does counts as its own.
fn answer(interpreter: &Interpreter, source: Vec<u8>) -> Vec<u8> {
    let run = || {
        let source = String::from_utf8(source).map_err(|_| Failure::Syntax {
            line: 0,
            message: "the program is not UTF-8".into(),
        })?;
        interpreter.run(&source)
    };
    match catch_unwind(AssertUnwindSafe(run)) {
        Ok(Ok(answer)) => answer,
        Ok(Err(failure)) => encode_failure(&failure),
        Err(panic) => encode_failure(&panicked(panic.as_ref())),
    }
}

fn panicked(panic: &(dyn std::any::Any + Send)) -> Failure {
    let text = panic
        .downcast_ref::<&str>()
        .copied()
        .or(panic.downcast_ref::<String>().map(String::as_str));
    match text {
        Some("capacity overflow") => Failure::Memory,
        // a fault of the interpreter's own says nothing of the program
        text => Failure::unsupported(crate::failure::shorten(text.unwrap_or("panic"))),
    }
}

/// Standard output without a buffer of its own.
struct RawOut;

impl Write for RawOut {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(rustix::io::write(rustix::stdio::stdout(), bytes)?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
