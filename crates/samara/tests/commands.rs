//! What each command prints and writes, through the real binary.

mod common;

use std::fs;
use std::path::Path;

use common::{fails, ok};
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::RowAccessor;
use serde_json::Value;

fn json(text: &str) -> Value {
    serde_json::from_str(text.trim()).unwrap_or_else(|e| panic!("{e}: {text}"))
}

#[test]
fn every_command_explains_itself() {
    let folder = tempfile::tempdir().unwrap();
    for command in [
        "evolve", "resume", "config", "walker", "simulate", "render", "stats", "plot", "report",
        "export", "sql",
    ] {
        let said = ok(folder.path(), &[command, "--help"]);
        assert!(said.contains("Usage: samara"), "{command}: {said}");
    }
}

#[test]
fn the_printed_configuration_is_one() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    fs::write(f.join("all.toml"), ok(f, &["config"])).unwrap();
    ok(
        f,
        &[
            "evolve",
            "--config",
            "all.toml",
            "--evaluations",
            "1",
            "--out",
            "run",
        ],
    );
}

/// Where there is a cage, `--no-cage` takes nothing away from it.
#[test]
fn no_cage_is_a_setting_of_every_command_that_runs_programs() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    assert!(ok(f, &["config"]).contains("\ncage = true\n"));
    let caged = ok(f, &["walker", "square", "--json"]);
    assert_eq!(ok(f, &["walker", "square", "--json", "--no-cage"]), caged);
    fs::write(
        f.join("reads.py"),
        "def make_walker():\n    return open('/etc/passwd').read()\n",
    )
    .unwrap();
    fails(f, &["walker", "reads.py", "--no-cage"], 1, &["forbidden"]);
    ok(
        f,
        &["evolve", "--no-cage", "--evaluations", "2", "--out", "run"],
    );
    ok(f, &["resume", "run", "--evaluations", "3", "--no-cage"]);
    ok(f, &["simulate", "square", "--seconds", "1", "--no-cage"]);
}

#[test]
fn a_program_becomes_a_walker_in_either_python() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    // As the paper prints its programs, but with a class that inherits: the first tier does not know it.
    let program = "\
class Box(walker_creator):
    def side(self, a, b):
        self.add_muscle(a, b)

def walker():
    wc = Box()
    a, b, c = [wc.add_joint(x, y) for x, y in ((0, 0), (4, 0), (2, 3))]
    wc.side(a, b)
    wc.side(b, c)
    wc.add_muscle(a, c, False, amplitude=7, phase=0.5)
    wc.add_muscle(c, a)
    return wc.get_walker()
";
    fs::write(f.join("box.py"), program).unwrap();
    fails(
        f,
        &["walker", "box.py", "--python", "monty"],
        1,
        &["unsupported"],
    );
    let made = json(&ok(f, &["walker", "box.py", "--json"]));
    assert_eq!(made["ok"], true);
    assert_eq!(
        made["walker"]["joints"],
        json("[[0.0, 0.0], [4.0, 0.0], [2.0, 3.0]]")
    );
    let active = json(r#"[0, 2, {"type": "muscle", "amplitude": 1.0, "phase": 0.5}]"#);
    assert_eq!(made["walker"]["muscles"][2], active);
    assert_eq!(made["ignored"]["muscles_duplicate"], 1);
    assert_eq!(made["ignored"]["amplitudes_clamped"], 1);
    assert_eq!(made["behaviour"]["height"], 3.0);
    assert_eq!(made["behaviour"]["width"], 4.0);
    let mass = made["behaviour"]["mass"].as_f64().unwrap();
    assert!(
        (mass - (3.0 + 0.5 * (4.0 + 2.0 * 13f64.sqrt()))).abs() < 1e-9,
        "{mass}"
    );

    for seed in ["square", "radial", "cppn-fixed", "cppn-mutable"] {
        let [monty, cpython] =
            ["monty", "cpython"].map(|tier| ok(f, &["walker", seed, "--json", "--python", tier]));
        assert_eq!(monty, cpython, "{seed}");
    }
}

#[test]
fn a_walker_walks_as_its_program_does() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    let made = json(&ok(f, &["walker", "cppn-fixed", "--json"]));
    fs::write(f.join("w.json"), made["walker"].to_string()).unwrap();
    let walk = json(&ok(
        f,
        &[
            "simulate",
            "cppn-fixed",
            "--terrain",
            "bumpy",
            "--seconds",
            "4",
            "--json",
        ],
    ));
    let same = json(&ok(
        f,
        &[
            "simulate",
            "w.json",
            "--terrain",
            "bumpy",
            "--seconds",
            "4",
            "--json",
        ],
    ));
    assert_eq!(walk, same);
    let com = walk["com"].as_array().unwrap();
    assert_eq!(com.len(), 4 * 60 + 1);
    let x = |i: usize| com[i][0].as_f64().unwrap();
    let distance = walk["distance"].as_f64().unwrap();
    assert!(
        (distance - (x(240) - x(0)).abs()).abs() < 1e-3,
        "{distance}"
    );
    assert!(distance > 0.1);

    fs::write(
        f.join("steps.toml"),
        "name = \"steps\"\nground = [[-4000, 0], [60, 0], [60, 10], [160, 10], [160, 0], [4000, 0]]\n",
    )
    .unwrap();
    let walk = json(&ok(
        f,
        &["simulate", "square", "--terrain", "steps.toml", "--json"],
    ));
    assert_eq!(walk["terrain"], "steps");
}

#[test]
fn pictures_are_what_their_names_say() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    let begins = |name: &str, args: &[&str], magic: &[u8]| {
        ok(
            f,
            &[&["render", "radial", "--seconds", "1", "-o", name], args].concat(),
        );
        let bytes = fs::read(f.join(name)).unwrap();
        assert!(bytes.starts_with(magic), "{name}");
    };
    begins("a.gif", &[], b"GIF89a");
    begins("a.svg", &["--terrain", "tunnel:60"], b"<svg");
    begins("a.png", &[], b"\x89PNG");
    begins("b.png", &["--moments", "4"], b"\x89PNG");
}

#[test]
fn a_run_can_be_studied() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    fs::write(f.join("c.toml"), "[sodarace]\nseconds = 1\n").unwrap();
    let printed = ok(
        f,
        &[
            "evolve",
            "--config",
            "c.toml",
            "--evaluations",
            "600",
            "--seed",
            "radial",
            "--out",
            "run",
        ],
    );
    let last = json(printed.lines().last().unwrap());
    assert_eq!(last["event"], "done");
    for file in last["files"].as_array().unwrap() {
        let path = f.join(file.as_str().unwrap());
        assert!(
            fs::metadata(&path).unwrap().len() > 100,
            "{}",
            path.display()
        );
    }

    let stats = json(&ok(f, &["stats", "run", "--json"]));
    assert_eq!(stats["evaluations"], 600);
    assert_eq!(stats["proposed"], 600);
    let count = |name: &str| stats[name].as_u64().unwrap();
    assert!(count("valid") >= count("runnable") && count("runnable") > count("accepted"));
    assert!(count("accepted") + 1 >= count("niches") && count("niches") > 10);
    let percent = stats["niches_percent"].as_f64().unwrap();
    assert!((percent - 100.0 * count("niches") as f64 / 1728.0).abs() < 1e-9);
    for name in ["qd_score", "max_fitness", "evaluations_per_second", "busy"] {
        assert!(stats[name].as_f64().unwrap() > 0.0, "{name}");
    }
    let gp = &stats["operators"]["gp"];
    assert_eq!(gp["proposed"], 600);
    assert_eq!(gp["tokens"], 0);
    let each = gp["seconds_per_child"].as_f64().unwrap();
    let all = gp["propose_seconds"].as_f64().unwrap();
    assert!(each > 0.0 && (600.0 * each - all).abs() < 1e-9 * all);
    assert!(gp["seconds_per_accepted"].as_f64().unwrap() > each);
    let failures: u64 = stats["failures"]
        .as_object()
        .unwrap()
        .values()
        .map(|n| n.as_u64().unwrap())
        .sum();
    assert_eq!(failures, 600 - count("runnable"));
    assert_eq!(last["niches"], stats["niches"]);
    assert_eq!(last["qd_score"], stats["qd_score"]);
    assert!(ok(f, &["stats", "run"]).contains("QD score"));

    ok(f, &["render", "run:best", "-o", "best.png"]);
    ok(f, &["render", "run:0", "-o", "seed.svg"]);
    fails(f, &["render", "run:999999", "-o", "x.svg"], 2, &["999999"]);
    ok(f, &["walker", "run:0"]);
    ok(f, &["plot", "run", "-o", "plots"]);
    assert!(f.join("plots/niches.svg").exists() && f.join("plots/map.png").exists());

    ok(f, &["report", "run", "-o", "page.html"]);
    let page = fs::read_to_string(f.join("page.html")).unwrap();
    for needed in ["make_walker", "<svg", "gp", "runnable", "QD score"] {
        assert!(page.contains(needed), "{needed}");
    }
    // Nothing is fetched from anywhere.
    for elsewhere in ["src=\"http", "href=\"http", "@import", "url(http"] {
        assert!(!page.contains(elsewhere), "{elsewhere}");
    }

    exported(f, &stats);
}

/// Both exports say the same, and what the store says.
fn exported(f: &Path, stats: &Value) {
    ok(f, &["export", "run", "-o", "out"]);
    let lines: Vec<Value> = fs::read_to_string(f.join("out/children.jsonl"))
        .unwrap()
        .lines()
        .map(json)
        .collect();
    assert_eq!(lines.len(), 601);
    assert_eq!(lines[0]["operator"], "seed");
    let accepted = lines[1..]
        .iter()
        .filter(|line| line["accepted"] == true)
        .count();
    assert_eq!(accepted as u64, stats["accepted"].as_u64().unwrap());

    let table =
        SerializedFileReader::new(fs::File::open(f.join("out/children.parquet")).unwrap()).unwrap();
    let names: Vec<_> = table
        .metadata()
        .file_metadata()
        .schema_descr()
        .columns()
        .iter()
        .map(|column| column.name().to_owned())
        .collect();
    let documented = "id iteration replica operator parent partner status reason message fitness niche accepted seconds \
                      at prompt_tokens tokens propose_seconds dollars told weights program diff artifact \
                      height width mass";
    assert_eq!(names, documented.split_whitespace().collect::<Vec<_>>());
    let mut rows = 0;
    for (row, line) in table.get_row_iter(None).unwrap().zip(&lines) {
        let row = row.unwrap();
        assert_eq!(row.get_long(0).unwrap(), line["id"].as_i64().unwrap());
        assert_eq!(row.get_double(9).ok(), line["fitness"].as_f64());
        assert_eq!(
            row.get_string(20).unwrap(),
            line["program"].as_str().unwrap()
        );
        assert_eq!(row.get_double(16).ok(), line["propose_seconds"].as_f64());
        assert_eq!(row.get_double(23).ok(), line["height"].as_f64());
        rows += 1;
    }
    assert_eq!(rows, 601);

    // The diffs are those between parents and children.
    let child = lines[1..]
        .iter()
        .find(|line| line["accepted"] == true)
        .unwrap();
    let parent = &lines[child["parent"].as_u64().unwrap() as usize];
    let has = |text: &str, line: &str| text.lines().any(|own| own == line);
    for line in child["diff"].as_str().unwrap().lines() {
        let (mark, rest) = line.split_at(1);
        match mark {
            "+" => assert!(has(child["program"].as_str().unwrap(), rest)),
            "-" => assert!(has(parent["program"].as_str().unwrap(), rest)),
            _ => {}
        }
    }
}

#[test]
fn a_run_answers_in_sql() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    fs::write(f.join("c.toml"), "pictures = false\n").unwrap();
    ok(
        f,
        &[
            "evolve",
            "--config",
            "c.toml",
            "--evaluations",
            "40",
            "--out",
            "run",
        ],
    );
    let before = fs::read(f.join("run/run.sqlite")).unwrap();
    let said = ok(
        f,
        &[
            "sql",
            "run",
            "SELECT operator, count(*) AS n FROM child GROUP BY operator ORDER BY n",
        ],
    );
    assert_eq!(
        said,
        "operator  n\n--------  --\nseed       1\ngp        40\n"
    );
    let all = "SELECT id, program, diff, artifact FROM children";
    ok(f, &["export", "run", "-o", "out"]);
    let lines = fs::read_to_string(f.join("out/children.jsonl")).unwrap();
    let rows = ok(f, &["sql", "run", all, "--json"]);
    assert_eq!(rows.lines().count(), 41);
    for (row, line) in rows.lines().map(json).zip(lines.lines().map(json)) {
        for name in ["id", "program", "diff", "artifact"] {
            assert_eq!(row[name], line[name]);
        }
    }
    let said = ok(f, &["sql", "run", "SELECT 1 AS a, 'b,c' AS d", "--csv"]);
    assert_eq!(said, "a,d\n1,\"b,c\"\n");
    assert_eq!(
        ok(f, &["sql", "run", "SELECT 1 AS a WHERE 0", "--csv"]),
        "a\n"
    );
    for (query, word) in [
        ("SELEC", "syntax error"),
        ("SELECT nothing FROM child", "nothing"),
        ("DELETE FROM child", "would change the run"),
    ] {
        fails(f, &["sql", "run", query], 2, &[word, "docs/store.md"]);
    }
    assert_eq!(fs::read(f.join("run/run.sqlite")).unwrap(), before);
}
