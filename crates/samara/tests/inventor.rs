//! `samara dataset`, `train domain`, `sample`, `train inventor` and `invent` through the real binary.

mod common;

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use common::{SAMARA, content, fails, ok, same};
use rusqlite::Connection;
use serde_json::Value;

fn json(text: &str) -> Value {
    serde_json::from_str(text.lines().last().unwrap()).unwrap()
}

fn lines(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// A run of gp; small, on a terrain.
fn run(folder: &Path, name: &str, seed: &str, terrain: &str, evaluations: &str) {
    fs::write(folder.join("c.toml"), "pictures = false\n").unwrap();
    let args = [
        "evolve",
        "--config",
        "c.toml",
        "--operator",
        "gp",
        "--seed",
        seed,
    ];
    let more = [
        "--terrain",
        terrain,
        "--evaluations",
        evaluations,
        "--out",
        name,
    ];
    ok(folder, &[&args[..], &more].concat());
}

/// By niche of a run: what its map ever took, (id, fitness).
fn admitted(run: &Path) -> BTreeMap<i64, Vec<(i64, f64)>> {
    let db = Connection::open(run.join("run.sqlite")).unwrap();
    let mut statement = db
        .prepare("SELECT niche, id, fitness FROM child WHERE accepted ORDER BY id")
        .unwrap();
    let rows = statement.query_map([], |row| Ok((row.get(0)?, (row.get(1)?, row.get(2)?))));
    let mut all: BTreeMap<i64, Vec<(i64, f64)>> = BTreeMap::new();
    for row in rows.unwrap() {
        let (niche, child) = row.unwrap();
        all.entry(niche).or_default().push(child);
    }
    all
}

#[test]
fn a_dataset_is_what_maps_took() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    run(f, "one", "square", "flat", "2000");
    run(f, "two", "radial", "flat", "2000");
    run(f, "wall", "square", "left-wall", "1000");
    ok(f, &["dataset", "one", "two", "wall", "-o", "data"]);
    let rows = lines(&f.join("data/programs.jsonl"));
    let text = |row: &Value, name: &str| row[name].as_str().unwrap().to_owned();
    // Counted anew from the runs' tables.
    let mut best: BTreeMap<(String, i64), f64> = BTreeMap::new();
    let runs = [("one", "flat"), ("two", "flat"), ("wall", "left-wall")];
    for (name, terrain) in runs {
        for (niche, children) in admitted(&f.join(name)) {
            for (_, fitness) in children {
                let best = best.entry((terrain.to_owned(), niche)).or_insert(0.0);
                *best = best.max(fitness);
            }
        }
    }
    let mut good: HashSet<(String, i64)> = HashSet::new();
    for (name, terrain) in runs {
        for (niche, children) in admitted(&f.join(name)) {
            let least = 0.8 * best[&(terrain.to_owned(), niche)];
            let children = children
                .into_iter()
                .filter(|(_, fitness)| *fitness >= least);
            good.extend(children.map(|(id, _)| (name.to_owned(), id)));
        }
    }
    let found: HashSet<(String, i64)> = rows
        .iter()
        .map(|row| (text(row, "run"), row["child"].as_i64().unwrap()))
        .collect();
    assert!(found.is_subset(&good) && found.len() == rows.len());
    let programs: HashSet<(String, String)> = rows
        .iter()
        .map(|row| (text(row, "terrain"), text(row, "program")))
        .collect();
    assert_eq!(programs.len(), rows.len(), "exact duplicates are out");
    let described: Value =
        serde_json::from_str(&fs::read_to_string(f.join("data/dataset.json")).unwrap()).unwrap();
    let number = |name: &str| described["programs"][name].as_u64().unwrap() as usize;
    assert_eq!(number("learned") + number("held_out"), rows.len());
    assert_eq!(number("duplicates") + rows.len(), good.len());
    let held = rows.iter().filter(|row| row["held_out"] == true).count();
    assert_eq!(held, number("held_out"));
    assert!(
        held * 40 > rows.len() && held * 10 < rows.len(),
        "{held} of {}",
        rows.len()
    );
    // The same in Parquet, again and again, and for the champions alone.
    ok(f, &["dataset", "one", "two", "wall", "-o", "again"]);
    for name in [
        "programs.jsonl",
        "programs.parquet",
        "dataset.json",
        "dataset.html",
    ] {
        let read = |folder: &str| fs::read(f.join(folder).join(name)).unwrap();
        assert!(read("data") == read("again"), "{name}");
    }
    ok(
        f,
        &[
            "dataset",
            "one",
            "-o",
            "final",
            "--final-map",
            "--quality",
            "0",
        ],
    );
    let stats = json(&ok(f, &["stats", "one", "--json"]));
    let champions = lines(&f.join("final/programs.jsonl"));
    assert_eq!(champions.len() as u64, stats["niches"].as_u64().unwrap());
    let page = fs::read_to_string(f.join("data/dataset.html")).unwrap();
    assert!(page.matches("<article>").count() == 12 && !page.contains("<script"));

    let refused = |args: &[&str], words: &[&str]| fails(f, args, 2, words);
    refused(
        &["dataset", "one", "-o", "data"],
        &["data", "is there already"],
    );
    refused(&["dataset", "one", "one", "-o", "x"], &["one", "twice"]);
    refused(&["dataset", "none", "-o", "x"], &["none"]);
    refused(
        &["dataset", "one", "-o", "x", "--quality", "101"],
        &["--quality", "0 to 100"],
    );
    fs::write(
        f.join("m.toml"),
        "pictures = false\n[map]\nheight = { low = 0.0, high = 30.0, bins = 6 }\n",
    )
    .unwrap();
    let other = [
        "evolve",
        "--config",
        "m.toml",
        "--operator",
        "gp",
        "--evaluations",
        "100",
        "--out",
        "other",
    ];
    ok(f, &other);
    refused(
        &["dataset", "one", "other", "-o", "x"],
        &["other", "map", "[map]"],
    );
    assert!(!f.join("x").exists());
}

/// A dataset, and the smallest model of it.
fn domain(f: &Path) {
    run(f, "one", "square", "flat", "1500");
    run(f, "wall", "square", "left-wall", "1500");
    ok(f, &["dataset", "one", "wall", "-o", "data"]);
    let args = [
        "train",
        "domain",
        "data",
        "-o",
        "model",
        "--preset",
        "0.1m",
        "--vocabulary",
        "512",
    ];
    let more = [
        "--tokens", "400000", "--epochs", "100", "--rate", "0.004", "--trial", "16",
    ];
    ok(f, &[&args[..], &more].concat());
}

#[test]
fn from_runs_to_a_walker_for_a_terrain() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    domain(f);
    let card: Value =
        serde_json::from_str(&fs::read_to_string(f.join("model/card.json")).unwrap()).unwrap();
    let loss = |when: &str| card["held_out_loss"][when].as_f64().unwrap();
    assert!(loss("after") < 0.5 * loss("before"), "{card}");
    assert_eq!(
        (&card["task"], &card["trial"]["held"]["children"]),
        (&"domain".into(), &16.into())
    );

    // Samples are a run like any other.
    let out = json(&ok(
        f,
        &[
            "sample", "model", "-n", "100", "-o", "samples", "--config", "c.toml",
        ],
    ));
    assert_eq!(
        (out["evaluations"].as_u64(), out["target"].as_u64()),
        (Some(100), Some(100))
    );
    let stats = json(&ok(f, &["stats", "samples", "--json"]));
    assert_eq!(stats["operators"]["sample"]["proposed"], 100);
    ok(f, &["plot", "samples"]);
    ok(f, &["report", "samples"]);
    ok(f, &["export", "samples"]);
    let page = fs::read_to_string(f.join("samples/report.html")).unwrap();
    assert!(
        page.contains("samara sample model"),
        "the command that makes it again"
    );
    let db = Connection::open(f.join("samples/run.sqlite")).unwrap();
    let broken: i64 = db
        .query_row(
            "SELECT count(*) FROM child WHERE reason = 'syntax'",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!(broken, 0, "they are held to Python");
    // The same in two parts, whatever the threads.
    ok(
        f,
        &[
            "sample",
            "model",
            "-n",
            "70",
            "-o",
            "parts",
            "--config",
            "c.toml",
            "--threads",
            "1",
        ],
    );
    ok(
        f,
        &[
            "sample",
            "model",
            "-n",
            "100",
            "-o",
            "parts",
            "--config",
            "c.toml",
            "--threads",
            "2",
        ],
    );
    same(
        &content(&f.join("samples")),
        &content(&f.join("parts")),
        "in two parts",
    );
    let with = |more: &[&'static str]| {
        let args = ["sample", "model", "-o", "samples", "--config", "c.toml"];
        [&args[..], more].concat()
    };
    fails(
        f,
        &with(&["-n", "100", "--temperature", "0.5"]),
        2,
        &["samples", "other settings"],
    );
    fails(f, &with(&["-n", "50"]), 2, &["samples", "100 programs"]);
    fails(f, &["sample", "model", "-o", "one"], 2, &["one", "bred"]);
    fails(
        f,
        &["resume", "samples", "--evaluations", "200"],
        2,
        &["samples", "samara sample"],
    );

    // A beginning is completed; the dataset itself is a source too.
    let begun =
        "from walk_creator import walker_creator\n\n\ndef make_square(wc, x0, y0, x1, y1):\n";
    fs::write(f.join("begun.py"), begun).unwrap();
    ok(
        f,
        &[
            "sample", "model", "-n", "8", "-o", "begun", "--prompt", "begun.py", "--config",
            "c.toml",
        ],
    );
    ok(f, &["export", "begun", "-o", "begun-x"]);
    let rows = lines(&f.join("begun-x/children.jsonl"));
    let whole = rows
        .iter()
        .filter(|row| !row["program"].as_str().unwrap_or("").is_empty());
    assert!(whole.clone().count() > 1);
    for row in whole {
        assert!(row["program"].as_str().unwrap().starts_with(begun), "{row}");
    }
    fs::write(f.join("wrong.py"), "def def\n").unwrap();
    fails(
        f,
        &["sample", "model", "-o", "w", "--prompt", "wrong.py"],
        2,
        &["no Python program"],
    );
    ok(
        f,
        &[
            "sample", "data", "-n", "64", "-o", "drawn", "--config", "c.toml",
        ],
    );
    let stats = json(&ok(f, &["stats", "drawn", "--json"]));
    assert_eq!(stats["operators"]["dataset"]["runnable"], 64);
    fails(
        f,
        &["sample", "data", "-n", "100000", "-o", "d"],
        2,
        &["different programs"],
    );

    // An inventor.
    let args = [
        "train",
        "inventor",
        "model",
        "-o",
        "inventor",
        "--terrains",
        "flat,left-wall",
    ];
    let more = [
        "--samples",
        "16",
        "--iterations",
        "2",
        "--warm-up",
        "1",
        "--max-tokens",
        "220",
        "--pairs",
        "data",
        "--pairs-per-terrain",
        "64",
    ];
    let done = json(&ok(f, &[&args[..], &more].concat()));
    assert_eq!(
        (&done["event"], done["iterations"].as_u64()),
        (&"done".into(), Some(2))
    );
    assert!(!f.join("inventor.training").exists());
    let metrics = lines(&f.join("inventor.metrics/metrics.jsonl"));
    assert_eq!(metrics.len(), 2);
    assert!(
        metrics[1]["first_ratio"].as_f64().unwrap() < 1e-3,
        "{}",
        metrics[1]
    );
    let asked = [
        "invent",
        "inventor",
        "--terrain",
        "left-wall",
        "-n",
        "128",
        "--json",
    ];
    let walker = json(&ok(f, &[&asked[..], &["-o", "walk.gif"]].concat()));
    assert!(
        walker["scored"].as_u64().unwrap() > 0 && f.join("walk.gif").exists(),
        "{walker}"
    );
    // What it writes fills a map as samples do, and is what `invent` saw.
    let more = [
        "-n",
        "128",
        "-o",
        "written",
        "--config",
        "c.toml",
        "--max-tokens",
        "512",
    ];
    ok(
        f,
        &[&["sample", "inventor", "--terrain", "left-wall"], &more[..]].concat(),
    );
    let stats = json(&ok(f, &["stats", "written", "--json"]));
    assert_eq!(
        stats["operators"]["invent"]["runnable"].as_u64(),
        walker["scored"].as_u64()
    );
    let unknown = ["sample", "inventor", "--terrain", "bumpy", "-o", "w"];
    fails(f, &unknown, 2, &["bumpy", "flat, left-wall"]);
    // Its distance is what the simulator says of its program.
    fs::write(f.join("walker.py"), walker["program"].as_str().unwrap()).unwrap();
    let walked = ok(
        f,
        &["simulate", "walker.py", "--terrain", "left-wall", "--json"],
    );
    let near = json(&walked)["distance"].as_f64().unwrap() - walker["distance"].as_f64().unwrap();
    assert!(near.abs() < 1e-6);
    assert_eq!(json(&ok(f, &asked)), {
        let mut same = walker.clone();
        same["picture"] = Value::Null;
        same
    });
    fails(
        f,
        &["invent", "inventor", "--terrain", "bumpy"],
        2,
        &["bumpy", "flat, left-wall"],
    );
    fails(
        f,
        &["invent", "model", "--terrain", "flat"],
        2,
        &["model", "train inventor"],
    );
    fails(
        f,
        &["invent", "inventor", "--terrain", "flat", "-o", "x.txt"],
        2,
        &["x.txt", ".gif"],
    );
}

#[test]
fn what_cannot_be_learned_is_told_before() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    fs::write(f.join("none.jsonl"), "").unwrap();
    fails(
        f,
        &["train", "domain", "none.jsonl", "-o", "m"],
        2,
        &["none.jsonl", "no program"],
    );
    fs::write(
        f.join("odd.jsonl"),
        "{\"program\": \"a = 1\\n\"}\n{\"text\": 3}\n",
    )
    .unwrap();
    fails(
        f,
        &["train", "domain", "odd.jsonl", "-o", "m"],
        2,
        &["odd.jsonl: row 2: program"],
    );
    // Comments need what they are to say.
    fs::write(f.join("bare.jsonl"), "{\"program\": \"a = 1\\n\"}\n").unwrap();
    fails(
        f,
        &["train", "domain", "bare.jsonl", "--probes", "-o", "m"],
        2,
        &["bare.jsonl: row 1: height"],
    );
    fails(
        f,
        &["bench", "probes", "compact", "bare.jsonl"],
        2,
        &["compact", "train domain --probes"],
    );
    fails(
        f,
        &["train", "domain", "bare.jsonl", "-o", "bare.jsonl"],
        2,
        &["-o bare.jsonl: is a file"],
    );
    fails(
        f,
        &["train", "domain", "there-is-none", "-o", "m"],
        2,
        &["there-is-none"],
    );
    fails(
        f,
        &[
            "train",
            "inventor",
            "compact",
            "-o",
            "i",
            "--terrains",
            "nowhere",
        ],
        2,
        &["nowhere", "left-wall"],
    );
    fails(
        f,
        &[
            "train",
            "inventor",
            "compact",
            "-o",
            "i",
            "--terrains",
            "flat,flat",
        ],
        2,
        &["flat", "twice"],
    );
    fails(
        f,
        &["train", "inventor", "compact", "-o", "i", "--kl=-1"],
        2,
        &["--kl"],
    );
    fails(
        f,
        &["invent", "nothing-there", "--terrain", "flat"],
        2,
        &["nothing-there"],
    );
    assert!(!f.join("m").exists() && !f.join("i").exists());
}

/// A training killed in the middle goes on, and comes to the same files.
#[test]
fn a_killed_training_of_an_inventor_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    domain(f);
    let args = |output: &'static str| {
        let own = [
            "train",
            "inventor",
            "model",
            "-o",
            output,
            "--terrains",
            "flat,left-wall",
        ];
        let more = [
            "--samples",
            "12",
            "--iterations",
            "4",
            "--warm-up",
            "1",
            "--max-tokens",
            "160",
        ];
        [&own[..], &more].concat()
    };
    ok(f, &args("whole"));
    let mut child = Command::new(SAMARA)
        .args(args("killed"))
        .current_dir(f)
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    for _ in 0..6000 {
        let text = fs::read_to_string(f.join("killed.training/about.json")).unwrap_or_default();
        if text.contains("\"iteration\": 2") {
            break;
        }
        sleep(Duration::from_millis(10));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(f.join("killed.training/about.json").exists());
    ok(f, &args("killed"));
    for file in ["model.safetensors", "ten.safetensors"] {
        let read = |name: &str| fs::read(f.join(name).join(file)).unwrap();
        assert!(read("whole") == read("killed"), "{file}");
    }
    let metrics = lines(&f.join("killed.metrics/metrics.jsonl"));
    let updates: Vec<_> = metrics
        .iter()
        .map(|line| line["update"].as_u64().unwrap())
        .collect();
    assert_eq!(updates, [1, 2, 3, 4]);
}
