//! Runs that older versions of the store's format hold: they can be read as they are, and gone on with. And runs that hold
//! more than this version knows.

use std::path::Path;

use evolve::Error;
use evolve::settings::Settings;
use evolve::store::{Child, DATABASE, Provenance, SETTINGS, SqlValue, Status, Store};
use mutate::{Cost, Reason};
use qd::Axis;
use rusqlite::{Connection, params};
use serde_json::{Map, Value};

/// Version 1, as samara 0.1 wrote it.
const SCHEMA: &str = r#"
PRAGMA application_id = 0x736d7261;
PRAGMA user_version = 1;
PRAGMA journal_mode = WAL;
CREATE TABLE run (settings TEXT NOT NULL, terrain TEXT NOT NULL, samara TEXT NOT NULL);
CREATE TABLE child (
  id INTEGER PRIMARY KEY, iteration INTEGER NOT NULL, replica INTEGER NOT NULL, operator TEXT NOT NULL,
  parent INTEGER, status TEXT NOT NULL, reason TEXT, fitness REAL, niche INTEGER, accepted INTEGER NOT NULL,
  length INTEGER NOT NULL, seconds REAL NOT NULL, at REAL NOT NULL,
  "height" REAL,
  "width" REAL,
  "mass" REAL);
CREATE TABLE source (
  id INTEGER PRIMARY KEY, program TEXT NOT NULL, diff TEXT NOT NULL, message TEXT, artifact BLOB);
CREATE TABLE iteration (
  iteration INTEGER PRIMARY KEY, evaluations INTEGER NOT NULL, proposed INTEGER NOT NULL, valid INTEGER NOT NULL,
  runnable INTEGER NOT NULL, accepted INTEGER NOT NULL, niches INTEGER NOT NULL, qd_score REAL NOT NULL,
  max_fitness REAL NOT NULL);
CREATE TABLE stretch (
  began REAL PRIMARY KEY, children INTEGER NOT NULL, seconds REAL NOT NULL, threads INTEGER NOT NULL,
  busy REAL NOT NULL);
CREATE INDEX accepted_by_niche ON child (niche, id) WHERE accepted;
CREATE VIEW children AS SELECT * FROM child JOIN source USING (id);
CREATE VIEW map AS SELECT * FROM children WHERE id IN
  (SELECT max(id) FROM child WHERE accepted GROUP BY niche);
INSERT INTO child VALUES
  (0, 0, 0, 'seed', NULL, 'scored', NULL, 2.5, 5, 1, 7, 0.5, 10.0, 1.0, 2.0, 3.0),
  (1, 1, 0, 'gp', 0, 'scored', NULL, 4.5, 6, 1, 7, 0.25, 11.0, 1.5, 2.5, 3.5),
  (2, 1, 0, 'gp', 0, 'unrunnable', 'exception', NULL, NULL, 0, 7, 0.25, 12.0, NULL, NULL, NULL);
INSERT INTO source VALUES
  (0, 'x = 0' || char(10), '', NULL, NULL), (1, 'x = 1' || char(10), '-x', NULL, NULL),
  (2, 'x = 2' || char(10), '-y', 'it broke', NULL);
INSERT INTO iteration VALUES (0, 0, 1, 1, 1, 1, 1, 2.5, 2.5);
INSERT INTO stretch VALUES (9.0, 2, 4.0, 2, 0.75);
"#;

/// Version 2, as samara 0.1 wrote it: `samara evolve --rng 8 --evaluations 14` with two replicas of four, dumped; and its
/// `samara export`.
const VERSION_2: &str = include_str!("old_store/format2.sql");
const EXPORT_2: &str = include_str!("old_store/format2.jsonl");

fn run_of_version_2(folder: &Path) {
    std::fs::create_dir(folder).unwrap();
    let db = Connection::open(folder.join(DATABASE)).unwrap();
    db.execute_batch("PRAGMA application_id = 0x736d7261; PRAGMA user_version = 2;")
        .unwrap();
    db.execute_batch(VERSION_2).unwrap();
}

/// What is exported of a run, a child each.
fn exported(store: &Store) -> Vec<Map<String, Value>> {
    let out = tempfile::tempdir().unwrap();
    let [_, lines] = evolve::export::export(store, out.path(), &mut |_| {}).unwrap();
    parsed(&std::fs::read_to_string(lines).unwrap())
}

fn parsed(lines: &str) -> Vec<Map<String, Value>> {
    let parse = |line| serde_json::from_str(line).unwrap();
    lines.lines().map(parse).collect()
}

/// With the section that older files take their axes from.
fn settings() -> Settings {
    let mut settings = Settings::default();
    let map = toml::toml! {
        height = { low = 0.0, high = 20.0, bins = 12 }
        width = { low = 0.0, high = 20.0, bins = 12 }
        mass = { low = 0.0, high = 240.0, bins = 12 }
    };
    settings.sections.insert("map".to_owned(), map.into());
    settings
}

fn axes() -> Vec<Axis> {
    [("height", 20.0), ("width", 20.0), ("mass", 240.0)]
        .map(|(name, high)| Axis {
            name: name.to_owned(),
            low: 0.0,
            high,
            bins: 12,
        })
        .into()
}

fn old_run(folder: &Path) {
    std::fs::create_dir(folder).unwrap();
    let settings = settings().to_toml();
    std::fs::write(folder.join(SETTINGS), &settings).unwrap();
    let db = Connection::open(folder.join(DATABASE)).unwrap();
    db.execute_batch(SCHEMA).unwrap();
    db.execute(
        "INSERT INTO run VALUES (?, ?, '0.1.0')",
        params![settings, "{}"],
    )
    .unwrap();
}

fn version(folder: &Path) -> i32 {
    let db = Connection::open(folder.join(DATABASE)).unwrap();
    db.pragma_query_value(None, "user_version", |row| row.get(0))
        .unwrap()
}

/// Name, type, whether it may be null, default: of every column of every table and view.
fn columns(folder: &Path) -> Vec<String> {
    let db = Connection::open(folder.join(DATABASE)).unwrap();
    let mut statement = db
        .prepare(
            "SELECT m.type, m.name, c.name, c.type, c.\"notnull\", coalesce(c.dflt_value, '')
             FROM sqlite_schema m JOIN pragma_table_info(m.name) c ORDER BY m.name, c.cid",
        )
        .unwrap();
    let rows = statement.query_map([], |row| {
        Ok(format!(
            "{} {} {} {} {} {}",
            row.get::<_, String>(0)?,
            row.get::<_, String>(1)?,
            row.get::<_, String>(2)?,
            row.get::<_, String>(3)?,
            row.get::<_, i32>(4)?,
            row.get::<_, String>(5)?
        ))
    });
    rows.unwrap().map(Result::unwrap).collect()
}

fn read(store: &Store) {
    let broken = store.child(2).unwrap().unwrap();
    assert_eq!(broken.program, "x = 2\n");
    assert_eq!(
        broken.reason,
        Some(Reason {
            code: "exception".to_owned(),
            message: "it broke".to_owned(),
        })
    );
    let made_with = Provenance([("samara".to_owned(), "0.1.0".to_owned())].into());
    assert_eq!(store.provenances().unwrap(), [(0, made_with)]);
    assert_eq!(store.kept().unwrap(), []);
    let child = store.child(1).unwrap().unwrap();
    assert_eq!((child.partner, child.cost), (None, Cost::default()));
    assert_eq!((child.fitness, child.seconds), (Some(4.5), 0.25));
    assert_eq!(child.measures, [1.5, 2.5, 3.5]);
    let champions = store.champions(3).unwrap();
    assert_eq!(champions.iter().map(|c| c.id).collect::<Vec<_>>(), [0, 1]);
    assert_eq!(store.map().unwrap()[..2], [(5, 2.5), (6, 4.5)]);
    let tallies = store.tallies().unwrap();
    let tallies: Vec<_> = tallies.iter().filter(|t| t.operator == "gp").collect();
    assert_eq!(tallies.iter().map(|t| t.count).sum::<u64>(), 2);
    assert!(tallies.iter().all(|t| t.spent == Default::default()));
    let stretch = &store.stretches().unwrap()[0];
    assert_eq!((stretch.busy, stretch.proposing), (0.75, 0.0));
}

#[test]
fn it_is_read_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    old_run(&run);
    let store = Store::open(&run).unwrap();
    read(&store);
    assert_eq!(store.len().unwrap(), 3);
    let out = folder.path().join("out");
    let [_, lines] = evolve::export::export(&store, &out, &mut |_| {}).unwrap();
    let lines = std::fs::read_to_string(lines).unwrap();
    assert!(lines.lines().all(|line| line.contains("\"tokens\":0")));
    assert_eq!(version(&run), 1, "looking at a run does not change it");
}

#[test]
fn it_is_brought_up_to_date_when_it_is_resumed() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    old_run(&run);
    let mut store = Store::resume(&run).unwrap();
    read(&store);
    assert_eq!(store.len().unwrap(), 3);
    let child = Child {
        id: 3,
        iteration: 1,
        replica: 0,
        operator: "line".to_owned(),
        parent: Some(1),
        partner: Some(0),
        status: Status::Scored,
        reason: None,
        measures: vec![0.5, 1.0, 2.0],
        fitness: Some(1.0),
        niche: Some(7),
        accepted: true,
        seconds: 0.5,
        at: 13.0,
        cost: Cost {
            prompt_tokens: 600,
            tokens: 12,
            seconds: 0.125,
            dollars: 0.5,
        },
        told: Some("Make it three".to_owned()),
        weights: Some(1),
        program: "x = 3\n".to_owned(),
        artifact: None,
    };
    store.append(std::slice::from_ref(&child), &[]).unwrap();
    drop(store);
    assert_eq!(version(&run), 3);
    let store = Store::open(&run).unwrap();
    read(&store);
    assert_eq!(store.child(3).unwrap(), Some(child));

    let fresh = folder.path().join("fresh");
    drop(Store::create(&fresh, &settings(), &axes(), "{}").unwrap());
    assert_eq!(columns(&run), columns(&fresh));
}

#[test]
fn version_2_says_the_same_before_and_after() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    run_of_version_2(&run);
    let mut expected = parsed(EXPORT_2);
    assert_eq!(expected.len(), 15);
    for child in &mut expected {
        child.insert("told".to_owned(), Value::Null);
        child.insert("weights".to_owned(), Value::Null);
    }
    let texts = |store: &Store| {
        let mut texts = Vec::new();
        let sql = "SELECT program, diff, message, told, artifact FROM children
                   UNION ALL SELECT program, diff, message, told, artifact FROM map";
        let names = store.query(sql, |_, row| {
            texts.push(row);
            Ok::<_, Error>(())
        });
        assert_eq!(
            names.unwrap(),
            ["program", "diff", "message", "told", "artifact"]
        );
        texts
    };
    let store = Store::open(&run).unwrap();
    assert_eq!(exported(&store), expected);
    let before = texts(&store);
    assert_eq!(
        before[3][0],
        SqlValue::Text(expected[3]["program"].as_str().unwrap().to_owned())
    );
    assert_eq!(
        before[3][1],
        SqlValue::Text(expected[3]["diff"].as_str().unwrap().to_owned())
    );
    drop(store);
    assert_eq!(version(&run), 2);

    let store = Store::resume(&run).unwrap();
    assert_eq!(exported(&store), expected);
    drop(store);
    assert_eq!(version(&run), 3);
    let store = Store::open(&run).unwrap();
    assert_eq!(exported(&store), expected);
    assert_eq!(texts(&store), before);
}

#[test]
fn a_migration_that_fails_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    run_of_version_2(&run);
    let sql = |text: &str| {
        let db = Connection::open(run.join(DATABASE)).unwrap();
        db.execute_batch(text).unwrap();
    };
    sql("UPDATE source SET artifact = x'28b52ffd' WHERE id = 12");
    let before = columns(&run);
    let error = Store::resume(&run).map(drop).unwrap_err().to_string();
    assert!(error.contains("damaged"), "{error}");
    assert_eq!((version(&run), columns(&run)), (2, before.clone()));
    sql("DELETE FROM source WHERE id = 12");
    let error = Store::resume(&run).map(drop).unwrap_err().to_string();
    assert!(error.contains("child 12 is missing"), "{error}");
    assert_eq!((version(&run), columns(&run)), (2, before));
}

#[test]
fn what_this_version_does_not_know_is_kept_and_passed_over() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    run_of_version_2(&run);
    drop(Store::resume(&run).unwrap());
    let db = Connection::open(run.join(DATABASE)).unwrap();
    db.execute_batch(
        "ALTER TABLE child ADD COLUMN novelty REAL;
         ALTER TABLE stretch ADD COLUMN watts REAL;
         CREATE TABLE lesson (id INTEGER PRIMARY KEY);
         UPDATE run SET settings = 'novel = 1' || char(10) || settings || char(10) || '[lessons]' || char(10) || 'rate = 0.5';",
    )
    .unwrap();
    let mut store = Store::resume(&run).unwrap();
    let mut child = store.child(14).unwrap().unwrap();
    child.id = 15;
    store.append(std::slice::from_ref(&child), &[]).unwrap();
    let mut settings = store.settings().clone();
    settings.evaluations = 77;
    store.set_settings(settings).unwrap();
    assert_eq!(store.axes(), axes());
    store
        .note_stretch(1.0, &store.stretches().unwrap()[0].clone())
        .unwrap();
    drop(store);
    let store = Store::open(&run).unwrap();
    assert_eq!(store.child(15).unwrap(), Some(child));
    assert_eq!(store.settings().evaluations, 77);
    let kept: String = db
        .query_row("SELECT settings FROM run", [], |row| row.get(0))
        .unwrap();
    assert_eq!(std::fs::read_to_string(run.join(SETTINGS)).unwrap(), kept);
    let kept: toml::Table = kept.parse().unwrap();
    assert_eq!(kept["novel"].as_integer(), Some(1));
    assert_eq!(kept["lessons"]["rate"].as_float(), Some(0.5));
    assert_eq!(kept["search"]["batch"].as_integer(), Some(4));
}

#[test]
fn a_format_from_the_future_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    old_run(&run);
    Connection::open(run.join(DATABASE))
        .unwrap()
        .pragma_update(None, "user_version", 99)
        .unwrap();
    let error = Store::resume(&run).map(drop).unwrap_err().to_string();
    assert!(
        error.contains("format 99") && error.contains("newer"),
        "{error}"
    );
}
