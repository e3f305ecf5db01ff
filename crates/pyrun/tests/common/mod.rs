//! What the tests share: the host module of the walkers, and a runner whose worker is the crate's example.
#![allow(dead_code)]

use std::path::PathBuf;
use std::process::Command;

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

/// Every python3 that can be found: on the PATH, where distributions and pyenv put them; each once, with its version.
pub fn pythons() -> Vec<(PathBuf, (u32, u32))> {
    let home = std::env::var_os("HOME")
        .map(PathBuf::from)
        .unwrap_or_default();
    let mut folders: Vec<PathBuf> = ["/usr/bin", "/usr/local/bin", "/opt/python/bin"]
        .map(PathBuf::from)
        .into();
    folders.extend(std::env::split_paths(
        &std::env::var_os("PATH").unwrap_or_default(),
    ));
    for versions in [
        home.join(".pyenv/versions"),
        home.join(".local/share/uv/python"),
        "/opt/python".into(),
    ] {
        let found = std::fs::read_dir(versions).into_iter().flatten().flatten();
        folders.extend(found.map(|version| version.path().join("bin")));
    }
    let mut found: Vec<(PathBuf, (u32, u32))> = Vec::new();
    for folder in folders {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let rest = name.strip_prefix("python3");
            if !rest.is_some_and(|r| {
                r.chars()
                    .all(|c| c == '.' || c == 't' || c.is_ascii_digit())
            }) {
                continue;
            }
            let what = "import sys; print(sys.executable, *sys.version_info[:2])";
            let output = Command::new(entry.path()).args(["-S", "-c", what]).output();
            let text = output
                .map(|o| String::from_utf8_lossy(&o.stdout).into_owned())
                .unwrap_or_default();
            let mut words = text.split_whitespace();
            let (Some(executable), Some(major), Some(minor)) =
                (words.next(), words.next(), words.next())
            else {
                continue;
            };
            let Ok(real) = std::fs::canonicalize(executable) else {
                continue;
            };
            if found.iter().all(|(known, _)| *known != real) {
                found.push((real, (major.parse().unwrap(), minor.parse().unwrap())));
            }
        }
    }
    found.sort_by_key(|(_, version)| *version);
    found
}
