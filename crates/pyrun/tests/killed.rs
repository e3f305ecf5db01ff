//! Nothing outlives a runner's process.

mod common;

use std::time::Duration;

use common::*;
use pyrun::{Limits, Tier};

/// A process killed without warning takes its workers with it, busy ones included.
#[test]
fn workers_die_with_a_killed_parent() {
    if let Ok(tier) = std::env::var("PYRUN_TEST_TIER") {
        // the child's part: keep a program running until killed
        let tier: Tier = tier.parse().unwrap();
        let mut runner = limited(
            tier,
            Limits {
                cpu: Duration::from_secs(100),
                ..Limits::default()
            },
        );
        let _ = runner.run("def make_walker():\n  while True: pass");
        return;
    }
    for tier in ["monty", "cpython"] {
        let mut child = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "workers_die_with_a_killed_parent"])
            .env("PYRUN_TEST_TIER", tier)
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap();
        // the first tier is one process, the second a zygote and its child
        let wanted = if tier == "monty" { 1 } else { 2 };
        // what looks for python3 comes and goes first: wait until the count stays
        let (mut workers, mut steady) = (Vec::new(), 0);
        for _ in 0..1000 {
            let now = below(child.id());
            steady = if now == workers { steady + 1 } else { 0 };
            workers = now;
            if workers.len() == wanted && steady >= 10 {
                break;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        assert_eq!(workers.len(), wanted, "{tier}");
        child.kill().unwrap();
        child.wait().unwrap();
        let alive = |pid: &u32| {
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            stat.rsplit_once(") ")
                .is_some_and(|(_, after)| !after.starts_with('Z'))
        };
        for _ in 0..500 {
            workers.retain(alive);
            if workers.is_empty() {
                break;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        assert!(
            workers.is_empty(),
            "{tier}: {workers:?} outlive their parent"
        );
    }
}
