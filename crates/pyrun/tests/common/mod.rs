//! What the tests share: the host module of the walkers, and a runner whose worker is the crate's example.
#![allow(dead_code)]

use std::path::PathBuf;

use pyrun::{Config, EntryRule, Failure, HostModule, Limits, Runner, Tier, Value, WORKER_ARG};

/// The host module that walker programs get.
pub fn host() -> HostModule {
    HostModule {
        prelude: include_str!("../../../domains/src/walkers/prelude.py").into(),
        modules: vec![
            ("walk_creator".into(), "_walk_creator".into()),
            ("numpy".into(), "_numpy".into()),
        ],
        entry: EntryRule {
            exact: "make_walker".into(),
            prefixes: vec!["make".into(), "walk".into()],
        },
    }
}

/// `cargo test` builds the example beside the tests.
pub fn worker() -> PathBuf {
    let mut path = std::env::current_exe().unwrap();
    path.pop();
    if path.ends_with("deps") {
        path.pop();
    }
    if !path.ends_with("examples") {
        path.push("examples");
    }
    path.push("pyrun-worker");
    assert!(
        path.exists(),
        "{} is missing: cargo build -p pyrun --examples",
        path.display()
    );
    path
}

pub fn config(tier: Tier) -> Config {
    let mut config = Config::new(host());
    config.tier = tier;
    config.worker = vec![worker().into(), WORKER_ARG.into()];
    config
}

pub fn runner(tier: Tier) -> Runner {
    Runner::new(config(tier)).unwrap()
}

pub fn limited(tier: Tier, limits: Limits) -> Runner {
    let mut config = config(tier);
    config.limits = limits;
    Runner::new(config).unwrap()
}

pub fn reason(result: &Result<Value, Failure>) -> &'static str {
    match result {
        Ok(_) => "ok",
        Err(failure) => failure.reason(),
    }
}

/// A program of the repository's seeds.
pub fn seed(name: &str) -> String {
    let path = format!("{}/../../seeds/{name}.py", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path}: {e}"))
}

/// All living processes that descend from `root`.
pub fn below(root: u32) -> Vec<u32> {
    let mut parents = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let Ok(pid) = entry.file_name().to_string_lossy().parse::<u32>() else {
            continue;
        };
        let Ok(stat) = std::fs::read_to_string(format!("/proc/{pid}/stat")) else {
            continue;
        };
        let mut fields = stat.rsplit_once(") ").unwrap().1.split(' ');
        let state = fields.next().unwrap();
        let parent: u32 = fields.next().unwrap().parse().unwrap();
        if state != "Z" {
            parents.push((pid, parent));
        }
    }
    let mut found = vec![root];
    let mut at = 0;
    while at < found.len() {
        let parent = found[at];
        found.extend(
            parents
                .iter()
                .filter(|(_, p)| *p == parent)
                .map(|(pid, _)| *pid),
        );
        at += 1;
    }
    found.remove(0);
    found
}
