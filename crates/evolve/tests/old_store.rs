//! A run that the first version of the store's format holds: it can be read as it is, and gone on with.

use std::path::Path;

use evolve::operator::Cost;
use evolve::settings::Settings;
use evolve::store::{Child, DATABASE, SETTINGS, Status, Store};
use rusqlite::{Connection, params};
use sodarace::Terrain;

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

fn old_run(folder: &Path) {
    std::fs::create_dir(folder).unwrap();
    let settings = Settings::default().to_toml();
    std::fs::write(folder.join(SETTINGS), &settings).unwrap();
    let db = Connection::open(folder.join(DATABASE)).unwrap();
    db.execute_batch(SCHEMA).unwrap();
    let terrain = serde_json::to_string(&Terrain::by_name("flat").unwrap()).unwrap();
    db.execute(
        "INSERT INTO run VALUES (?, ?, '0.1.0')",
        params![settings, terrain],
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
    assert_eq!(store.len().unwrap(), 3);
    let child = store.child(1).unwrap().unwrap();
    assert_eq!((child.partner, child.cost), (None, Cost::default()));
    assert_eq!((child.fitness, child.seconds), (Some(4.5), 0.25));
    assert_eq!(child.measures, [1.5, 2.5, 3.5]);
    let champions = store.champions(u64::MAX).unwrap();
    assert_eq!(champions.iter().map(|c| c.id).collect::<Vec<_>>(), [0, 1]);
    assert_eq!(store.map().unwrap(), [(5, 2.5), (6, 4.5)]);
    let tallies = store.tallies().unwrap();
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
        program: "x = 3\n".to_owned(),
        diff: String::new(),
        artifact: None,
    };
    store.append(std::slice::from_ref(&child), &[]).unwrap();
    drop(store);
    assert_eq!(version(&run), 2);
    let store = Store::open(&run).unwrap();
    assert_eq!(store.child(3).unwrap(), Some(child));

    let fresh = folder.path().join("fresh");
    drop(
        Store::create(
            &fresh,
            &Settings::default(),
            &Terrain::by_name("flat").unwrap(),
        )
        .unwrap(),
    );
    assert_eq!(columns(&run), columns(&fresh));
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
