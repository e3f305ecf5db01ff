//! Learning through the real binary: an operator trained on runs, and one that learns in the run it works in.

mod common;

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use common::{SAMARA, content, fails, ok, samara, same};
use serde_json::Value;

/// Walks are short, and walkers many.
const CONFIG: &str =
    "pictures = false\n[search]\nreplicas = 4\nbatch = 16\n[sodarace]\nseconds = 0.5\n";

/// Runs gp on a small map.
fn teacher(folder: &Path) {
    fs::write(folder.join("small.toml"), CONFIG).unwrap();
    ok(
        folder,
        &[
            "evolve",
            "--config",
            "small.toml",
            "--evaluations",
            "600",
            "--out",
            "gp",
        ],
    );
}

/// What a training of the smallest size takes, but for its name.
const SMALL: [&str; 10] = [
    "--preset",
    "0.1m",
    "--vocabulary",
    "400",
    "--tokens",
    "30000",
    "--epochs",
    "1",
    "--trial",
    "8",
];

fn train<'a>(sources: &[&'a str], output: &'a str) -> Vec<&'a str> {
    let mut args = vec!["train", "operator"];
    args.extend(sources);
    args.extend(["-o", output]);
    args.extend(SMALL);
    args
}

fn lines(text: &str) -> Vec<Value> {
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn an_operator_is_trained_on_runs_and_files_and_works() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    teacher(f);
    let said = lines(&ok(f, &train(&["gp"], "op")));
    let (begin, done) = (&said[0], &said[said.len() - 1]);
    assert_eq!(begin["event"], "begin");
    assert!(begin["lessons"].as_u64().unwrap() > 20, "{begin}");
    assert!(begin["minutes"].as_f64().unwrap() > 0.0);
    assert_eq!(done["event"], "done");
    let loss = |when| done["held_out_loss"][when].as_f64().unwrap();
    assert!(loss("after") < loss("before"), "{done}");
    assert_eq!(done["trial"]["held"]["children"], 8);

    // The folder is a model with a card, and nothing else is left.
    let card: Value =
        serde_json::from_str(&fs::read_to_string(f.join("op/card.json")).unwrap()).unwrap();
    assert_eq!(card["task"], "diff");
    assert_eq!(card["sources"][0]["path"], "gp");
    let text = fs::read_to_string(f.join("op/README.md")).unwrap();
    assert!(text.contains("--operator diff --model op"), "{text}");
    assert!(!f.join("op.training").exists());
    ok(f, &["model", "info", "op"]);

    // It works, asked once a child as its card says.
    ok(
        f,
        &[
            "evolve",
            "--config",
            "small.toml",
            "--operator",
            "diff",
            "--model",
            "op",
            "--evaluations",
            "64",
            "--out",
            "run",
        ],
    );
    let stats: Value = serde_json::from_str(&ok(f, &["stats", "run", "--json"])).unwrap();
    assert!(
        stats["operators"]["diff"]["valid"].as_u64().unwrap() > 0,
        "{stats}"
    );

    // The same lessons from files, and again: the same weights.
    ok(
        f,
        &["export", "gp", "--lessons", "--rejected", "-o", "lessons"],
    );
    let weights = |model: &str| fs::read(f.join(model).join("model.safetensors")).unwrap();
    ok(f, &train(&["lessons/lessons.parquet"], "from-parquet"));
    ok(f, &train(&["lessons/lessons.jsonl"], "from-jsonl"));
    ok(f, &train(&["gp"], "again"));
    assert!(weights("op") == weights("again"));
    assert!(weights("from-parquet") == weights("from-jsonl"));
    // As an editor of another system leaves it.
    let text = fs::read_to_string(f.join("lessons/lessons.jsonl")).unwrap();
    let edited = format!("\u{feff}{}", text.replace('\n', "\r\n"));
    fs::write(f.join("edited.jsonl"), edited).unwrap();
    ok(f, &train(&["edited.jsonl"], "from-edited"));
    assert!(weights("from-edited") == weights("from-jsonl"));
    let weighted = lines(&ok(
        f,
        &train(&["gp=2", "lessons/lessons.jsonl=0.5"], "both"),
    ));
    let lessons = |said: &[Value]| said[0]["lessons"].as_u64().unwrap();
    assert_eq!(
        lessons(&weighted),
        lessons(&said),
        "the same changes count once"
    );

    // A model that is there is replaced; a base may be one that was trained here.
    ok(f, &train(&["gp"], "both"));
    let based = [
        "train", "operator", "gp", "-o", "based", "--base", "op", "--tokens", "20000", "--trial",
        "0",
    ];
    let said = lines(&ok(f, &based));
    assert_eq!(said[said.len() - 1]["base"]["name"], "op");
    assert!(weights("based") != weights("op"));
}

#[test]
fn what_cannot_be_learned_is_said_before_hours_are_spent() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    teacher(f);
    let fails = |sources: &[&str], more: &[&str], words: &[&str]| {
        let mut args = train(sources, "op");
        args.extend(more);
        fails(f, &args, 2, words);
        assert!(!f.join("op").exists(), "{args:?}");
    };
    fails(&["nowhere"], &[], &["nowhere", "does not exist"]);
    fails(&["gp=-1"], &[], &["gp=-1", "weight", "above 0"]);
    fails(&["gp", "gp"], &[], &["gp", "twice"]);
    fails(&["small.toml"], &[], &["small.toml", ".parquet"]);
    fails(&["gp"], &["--rejected", "7"], &["--rejected 7", "0 to 1"]);
    fails(&["gp"], &["--rate", "9"], &["rate", "at most 1"]);
    fs::create_dir(f.join("empty")).unwrap();
    fails(&["empty"], &[], &["run.sqlite"]);
    fs::write(f.join("bad.jsonl"), "{\"parent\": \"x = 1\\n\"}\n").unwrap();
    fails(&["bad.jsonl"], &[], &["bad.jsonl", "line 1", "child"]);

    fs::write(f.join("cut.jsonl"), "{\"parent\": \"x = 1\\n\", \"chi").unwrap();
    fails(&["cut.jsonl"], &[], &["cut.jsonl", "line 1", "is not JSON"]);
    let said = samara(f, &train(&["cut.jsonl"], "op"));
    let said = String::from_utf8_lossy(&said.stderr);
    assert_eq!(said.matches("cut.jsonl").count(), 1, "told once: {said}");

    // A run whose map took nothing but the seed.
    ok(
        f,
        &[
            "evolve",
            "--config",
            "small.toml",
            "--evaluations",
            "0",
            "--out",
            "barren",
        ],
    );
    fails(&["barren"], &[], &["no lessons", "--operator gp"]);
    // Lessons that are longer than the model reads.
    let long = "x = 1\n".repeat(3000);
    let lesson = serde_json::json!({"parent": long, "child": format!("y = 2\n{long}")});
    fs::write(f.join("long.jsonl"), format!("{lesson}\n{lesson}\n")).unwrap();
    fails(
        &["long.jsonl"],
        &[],
        &["no lessons", "longer than the model reads"],
    );

    // What is not a model's is not lost.
    fs::create_dir(f.join("mine")).unwrap();
    fs::write(f.join("mine/notes.txt"), "mine").unwrap();
    common::fails(
        f,
        &train(&["gp"], "mine"),
        2,
        &["mine", "notes.txt", "would be lost"],
    );
    // Nor is another training's state.
    fs::create_dir(f.join("other.training")).unwrap();
    fs::write(f.join("other.training/training.json"), "{").unwrap();
    common::fails(
        f,
        &train(&["gp"], "other"),
        2,
        &["training.json", "remove the folder"],
    );
    // A base that is none.
    let base = ["train", "operator", "gp", "-o", "op", "--base", "nowhere"];
    common::fails(f, &base, 2, &["nowhere"]);
    let lora = [
        "train", "operator", "gp", "-o", "op", "--lora", "--preset", "0.1m",
    ];
    common::fails(f, &lora, 2, &["--lora", "--preset"]);
}

/// Waits until the time has come, or the child has ended; whether it still runs.
fn runs_on(child: &mut Child, long: Duration) -> bool {
    let began = Instant::now();
    while began.elapsed() < long {
        if child.try_wait().unwrap().is_some() {
            return false;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    true
}

#[cfg(unix)]
#[test]
fn a_training_that_was_interrupted_goes_on_to_the_same_weights() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    teacher(f);
    let began = Instant::now();
    ok(f, &train(&["gp"], "whole"));
    let length = began.elapsed();
    let (mut share, mut interrupts) = (0.3, 0);
    loop {
        let mut child = Command::new(SAMARA)
            .args(train(&["gp"], "cut"))
            .current_dir(f)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        if interrupts < 3 && runs_on(&mut child, length.mul_f64(share)) {
            let id = child.id().to_string();
            Command::new("kill").args(["-INT", &id]).status().unwrap();
            interrupts += 1;
        }
        share = (share + 0.15).min(0.8);
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        match output.status.code() {
            Some(0) => break,
            Some(130) => assert!(said.contains("interrupted"), "{said}"),
            _ => panic!("{said}"),
        }
    }
    let weights = |model: &str| fs::read(f.join(model).join("model.safetensors")).unwrap();
    assert!(
        weights("whole") == weights("cut"),
        "after {interrupts} interrupts"
    );
}

/// A run whose operator learns, and how it is started.
fn improving<'a>(out: &'a str, threads: &'a str) -> Vec<&'a str> {
    vec![
        "evolve",
        "--config",
        "learn.toml",
        "--evaluations",
        "700",
        "--threads",
        threads,
        "--out",
        out,
        "--operator",
        "gp",
        "--self-improve",
        "every=256,preset=0.1m,vocabulary=400,tokens=20000,epochs=1,trial=16",
    ]
}

#[test]
fn a_run_that_teaches_its_operator_is_repeatable_whatever_kills_it() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    fs::write(f.join("learn.toml"), CONFIG).unwrap();
    let began = Instant::now();
    ok(f, &improving("whole", "1"));
    let length = began.elapsed();
    let whole = content(&f.join("whole"));
    let stats: Value = serde_json::from_str(&ok(f, &["stats", "whole", "--json"])).unwrap();
    assert!(stats["rounds"].as_array().unwrap().len() >= 2, "{stats}");
    assert!(ok(f, &["stats", "whole"]).contains("learning"));
    ok(f, &["report", "whole"]);
    let page = fs::read_to_string(f.join("whole/report.html")).unwrap();
    assert!(page.contains("<h2>Learning</h2>"));

    ok(f, &improving("two", "2"));
    same(&whole, &content(&f.join("two")), "threads");

    // Killed thrice, wherever it is then.
    let mut share = 0.25;
    for deaths in 0.. {
        let mut child = Command::new(SAMARA)
            .args(match f.join("cut/run.sqlite").exists() {
                true => vec!["resume", "cut"],
                false => improving("cut", "2"),
            })
            .current_dir(f)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        if deaths < 3 && runs_on(&mut child, length.mul_f64(share)) {
            child.kill().unwrap();
        }
        share += 0.13;
        let output = child.wait_with_output().unwrap();
        if output.status.success() {
            break;
        }
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.is_empty(), "{said}");
    }
    same(&whole, &content(&f.join("cut")), "kill -9");
}

#[test]
fn a_run_that_cannot_learn_says_so_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    fs::write(f.join("learn.toml"), CONFIG).unwrap();
    let fails = |learn: &str, more: &[&str], words: &[&str]| {
        let args = [
            "evolve",
            "--config",
            "learn.toml",
            "--evaluations",
            "300",
            "--out",
            "run",
            "--self-improve",
            learn,
        ];
        fails(f, &[&args[..], more].concat(), 2, words);
    };
    fails("every=0", &[], &["every=0"]);
    fails("tokens=5", &[], &["every=N is missing"]);
    fails("every=100,presets=6m", &[], &["presets", "preset"]);
    fails("every=100,preset=7m", &[], &["7m", "6m"]);
    fails("every=100,trial=x", &[], &["trial", "whole number"]);

    // Another run's weights where this one's would be.
    ok(f, &improving("one", "2"));
    let round = f.join("one/weights/1.json");
    let text = fs::read_to_string(&round).unwrap();
    fs::create_dir_all(f.join("two/weights")).unwrap();
    let used = samara(f, &improving("two", "2"));
    assert_eq!(used.status.code(), Some(1), "a folder that is not empty");
    ok(
        f,
        &[
            "evolve",
            "--config",
            "learn.toml",
            "--evaluations",
            "200",
            "--out",
            "three",
            "--operator",
            "gp",
            "--self-improve",
            "every=256,preset=0.1m,vocabulary=400,tokens=20000,epochs=1,trial=16",
            "--rng",
            "9",
        ],
    );
    fs::create_dir_all(f.join("three/weights")).unwrap();
    fs::write(f.join("three/weights/1.json"), &text).unwrap();
    common::fails(
        f,
        &["resume", "three", "--evaluations", "400"],
        1,
        &["1.json", "another run", "samara resume"],
    );
    fs::write(f.join("three/weights/1.json"), &text[..20]).unwrap();
    common::fails(
        f,
        &["resume", "three", "--evaluations", "400"],
        1,
        &["1.json", "damaged"],
    );
    // Moved away, the round is learned again.
    fs::remove_file(f.join("three/weights/1.json")).unwrap();
    ok(f, &["resume", "three", "--evaluations", "400"]);
}
