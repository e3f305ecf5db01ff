//! Processes that something outside stops or ends: they are noticed and replaced, and the program has its answer.
#![cfg(target_os = "linux")]

mod common;

use common::*;
use pyrun::{Tier, Value};

/// A program that only the second tier runs.
const SECOND: &str = "import random\ndef make_walker(): return [1, random.random() < 2]";

fn right() -> Result<Value, pyrun::Failure> {
    Ok(Value::List(vec![Value::Int(1), Value::Bool(true)]))
}

/// One after the other: each signals all the processes below this one.
#[test]
fn what_is_stopped_or_killed_is_replaced() {
    what_is_stopped_is_replaced();
    a_killed_zygote_is_replaced_in_the_middle_of_a_program();
    a_stopped_child_is_a_failure();
}

/// A worker or a zygote that somebody has stopped is noticed and replaced, a child that is stopped is a failure, and the
/// runner goes on.
fn what_is_stopped_is_replaced() {
    let mut runner = runner(Tier::Auto);
    assert_eq!(runner.run(SECOND), right());
    let workers = below(std::process::id());
    for pid in &workers {
        let pid = rustix::process::Pid::from_raw(*pid as i32).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::STOP).unwrap();
    }
    assert!(workers.len() >= 2, "{workers:?}");
    // larger than a pipe: a stopped process does not read it either
    let long = format!("{SECOND}\n#{}", "x".repeat(1 << 20));
    assert_eq!(runner.run(&long), right());
    let now = below(std::process::id());
    assert!(
        workers.iter().all(|pid| !now.contains(pid)),
        "{workers:?} {now:?}"
    );
    assert_eq!(runner.run(SECOND), right());
}

fn a_killed_zygote_is_replaced_in_the_middle_of_a_program() {
    let mut runner = runner(Tier::CPython);
    assert_eq!(runner.run(SECOND), right());
    let zygote = below(std::process::id());
    let killer = std::thread::spawn(move || {
        std::thread::sleep(std::time::Duration::from_millis(100));
        for pid in zygote {
            let pid = rustix::process::Pid::from_raw(pid as i32).unwrap();
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        }
    });
    let slow = "def make_walker():\n  for i in range(4000000): pass\n  return 1";
    assert_eq!(runner.run(slow), Ok(Value::Int(1)));
    killer.join().unwrap();
}

/// The program that somebody stops runs out of time long before the backstop, and the next one runs.
fn a_stopped_child_is_a_failure() {
    let mut runner = runner(Tier::CPython);
    assert_eq!(runner.run(SECOND), right());
    let zygote = below(std::process::id())[0];
    let (send, receive) = std::sync::mpsc::channel();
    let stopper = std::thread::spawn(move || {
        while receive.try_recv().is_err() {
            for pid in below(zygote) {
                let pid = rustix::process::Pid::from_raw(pid as i32).unwrap();
                let _ = rustix::process::kill_process(pid, rustix::process::Signal::STOP);
            }
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
    });
    let slow = "def make_walker():\n  while True: pass";
    assert_eq!(runner.run(slow), Err(pyrun::Failure::Time));
    send.send(()).unwrap();
    stopper.join().unwrap();
    assert_eq!(runner.run(SECOND), right());
}
