//! What a store holds is what was written into it.

use super::*;
use mutate::{Cost, Reason};

pub(super) fn child(id: u64) -> Child {
    Child {
        id,
        iteration: id.div_ceil(10),
        replica: 0,
        operator: if id == 0 { "seed" } else { "gp" }.to_owned(),
        parent: id.checked_sub(1),
        partner: (id % 5 == 4).then_some(0),
        status: Status::Scored,
        reason: None,
        measures: vec![1.5, 0.1 + 0.2, 3.0],
        fitness: Some(1.0 / 3.0 + id as f64),
        niche: Some((id % 7) as u32),
        accepted: id.is_multiple_of(3),
        seconds: 0.5,
        at: 12.25,
        cost: Cost {
            prompt_tokens: 900 + id as u32,
            tokens: id as u32,
            seconds: 0.25,
            dollars: 0.001,
        },
        told: (id % 3 == 1).then(|| format!("Add {id} to x")),
        weights: (id % 4 > 1).then_some(id as u32),
        program: format!("x = {id}\n").repeat(50),
        artifact: Some("{\"joints\": []}".to_owned()),
    }
}

pub(super) fn store(folder: &Path) -> Store {
    let axes = ["height", "width", "mass"].map(|name| Axis {
        name: name.to_owned(),
        low: 0.0,
        high: 20.0,
        bins: 12,
    });
    Store::create(folder, &Settings::default(), &axes, "{}").unwrap()
}

#[test]
fn what_was_written_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run");
    let mut written: Vec<Child> = (0..30).map(child).collect();
    written[4].status = Status::Unrunnable;
    written[4].reason = Some(Reason {
        code: "exception".to_owned(),
        message: "line 3: it broke".to_owned(),
    });
    written[4].measures.clear();
    written[4].fitness = None;
    written[4].niche = None;
    written[4].artifact = None;
    store(&path).append(&written, &[]).unwrap();

    let store = Store::open(&path).unwrap();
    let mut read = Vec::new();
    store
        .each_child(0, u64::MAX, |child| {
            read.push(child);
            Ok(())
        })
        .unwrap();
    assert_eq!(read, written);
    assert_eq!(store.len().unwrap(), 30);
    assert_eq!(store.settings(), &Settings::default());
    let ids = |children: Vec<Child>| children.iter().map(|c| c.id).collect::<Vec<_>>();
    // Of each niche the last accepted: ids 21, 15, 9, 24, 18, 12, 27 for niches 0, 1, 2, 3, 4, 5, 6.
    assert_eq!(
        ids(store.champions(u64::MAX).unwrap()),
        [21, 15, 9, 24, 18, 12, 27]
    );
    assert_eq!(ids(store.champions(10).unwrap()), [0, 9, 3, 6]);
    assert_eq!(ids(store.lineage(3, 9).unwrap()), [3, 2, 1, 0]);
    assert_eq!(ids(store.fittest(2).unwrap()), [27, 24]);
}

#[test]
fn diffs_are_made_on_reading() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = store(&folder.path().join("run"));
    let mut family: Vec<Child> = (0..3).map(child).collect();
    family[0].program = "a\nb\n".to_owned();
    family[1].program = "a\nc".to_owned();
    family[2].program = String::new();
    family[2].status = Status::Invalid;
    store.append(&family, &[]).unwrap();
    let diff = "@@ -1,2 +1,2 @@\n a\n-b\n+c\n\\ No newline at end of file\n";
    let diffs = family.iter().map(|child| store.diff(child).unwrap());
    assert_eq!(diffs.collect::<Vec<_>>(), ["", diff, ""]);
    let mut orphan = child(9);
    orphan.parent = Some(5);
    let error = store.diff(&orphan).unwrap_err().to_string();
    assert!(error.contains("texts of child 5 are missing"), "{error}");
}

/// The blocks of texts, as bytes.
fn blocks(store: &Store) -> Vec<Vec<SqlValue>> {
    let mut blocks = Vec::new();
    let each = |_: &[String], row| {
        blocks.push(row);
        Ok::<_, Error>(())
    };
    store.query("SELECT * FROM texts", each).unwrap();
    blocks
}

#[test]
fn blocks_of_texts_do_not_depend_on_how_children_came() {
    let folder = tempfile::tempdir().unwrap();
    let mut family: Vec<Child> = (0..200).map(child).collect();
    for (long, text) in [(70, "x"), (130, "ä")] {
        family[long].artifact = Some(text.repeat(3 << 19));
    }
    let mut expected = None;
    for (name, batch) in [("one", 1), ("some", 37), ("all", 200)] {
        let path = folder.path().join(name);
        let mut store = store(&path);
        for (i, some) in family.chunks(batch).enumerate() {
            if i % 3 == 2 {
                drop(store);
                store = Store::resume(&path).unwrap();
            }
            store.append(some, &[]).unwrap();
        }
        let blocks = blocks(&store);
        let firsts: Vec<_> = blocks.iter().map(|block| block[0].clone()).collect();
        assert_eq!(firsts, [0, 64, 71, 131, 195].map(SqlValue::Integer));
        assert_eq!(expected.get_or_insert(blocks.clone()), &blocks, "{name}");
        let mut read = Vec::new();
        let each = |child| {
            read.push(child);
            Ok(())
        };
        store.each_child(0, u64::MAX, each).unwrap();
        assert_eq!(read, family);
    }
}

#[test]
fn a_child_out_of_turn_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = store(&folder.path().join("run"));
    store.append(&[child(0)], &[]).unwrap();
    for wrong in [0, 1, 3] {
        let error = store.append(&[child(1), child(wrong)], &[]).unwrap_err();
        assert!(error.to_string().contains("damaged"), "{error}");
        assert_eq!(store.len().unwrap(), 1);
    }
    store.append(&[child(1)], &[]).unwrap();
    assert_eq!(store.child(1).unwrap(), Some(child(1)));
}

#[test]
fn damaged_texts_are_reported() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run");
    let mut whole = store(&path);
    whole.append(&[child(0), child(1)], &[]).unwrap();
    whole
        .db
        .execute_batch("UPDATE texts SET program = x'28b52ffde00000000000000040' || program")
        .unwrap();
    drop(whole);
    let store = Store::open(&path).unwrap();
    let none = |_: &[String], _| Ok::<_, Error>(());
    for error in [
        store.child(1).unwrap_err(),
        store.champions(9).unwrap_err(),
        store.each_child(0, 9, |_| Ok(())).unwrap_err(),
        store.query("SELECT diff FROM children", none).unwrap_err(),
        Store::resume(&path)
            .unwrap()
            .append(&[child(2)], &[])
            .unwrap_err(),
    ] {
        assert!(matches!(error, Error::Database { .. }), "{error}");
        assert!(error.to_string().contains("damaged"), "{error}");
    }
    // What is told of the others can be read.
    store
        .query("SELECT told, artifact FROM children", none)
        .unwrap();
}

#[test]
fn a_query_only_reads() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run");
    let mut store = store(&path);
    store
        .append(&(0..9).map(child).collect::<Vec<_>>(), &[])
        .unwrap();
    let ask = |sql: &str| {
        let mut rows = Vec::new();
        let names = store.query(sql, |_, row| {
            rows.push(row);
            Ok::<_, Error>(())
        });
        names.map(|names| (names, rows))
    };
    let (names, rows) = ask("SELECT id, told AS t FROM children WHERE told NOT NULL;").unwrap();
    assert_eq!(names, ["id", "t"]);
    let texts: Vec<_> = [1, 4, 7]
        .map(|id| SqlValue::Text(format!("Add {id} to x")))
        .into();
    assert_eq!(
        rows.iter().map(|row| row[1].clone()).collect::<Vec<_>>(),
        texts
    );
    let (_, rows) = ask("SELECT program, diff, artifact FROM map ORDER BY id").unwrap();
    assert_eq!(rows.len(), 3);
    assert_eq!(rows[1][0], SqlValue::Text(child(3).program));
    assert_eq!(rows[1][1], SqlValue::Text(store.diff(&child(3)).unwrap()));
    for wrong in [
        "SELEC 1",
        "",
        "SELECT nothing FROM child",
        "DELETE FROM child",
        "SELECT 1; DELETE FROM child",
        "SELECT ?",
    ] {
        let error = ask(wrong).unwrap_err();
        assert!(matches!(error, Error::Mutate(_)), "{wrong}: {error}");
    }
    assert_eq!(store.len().unwrap(), 9);
}

#[test]
fn a_full_disk_loses_nothing_that_was_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run");
    let mut full = store(&path);
    let pages: i64 = full
        .db
        .pragma_query_value(None, "page_count", |r| r.get(0))
        .unwrap();
    full.db
        .pragma_update(None, "max_page_count", pages + 40)
        .unwrap();
    let mut written = 0;
    let error = loop {
        let some: Vec<Child> = (written..written + 16).map(child).collect();
        match full.append(&some, &[]) {
            Ok(()) => written += 16,
            Err(error) => break error.to_string(),
        }
    };
    assert!(written > 0);
    assert!(
        error.contains("full") && error.contains("samara resume"),
        "{error}"
    );
    drop(full);

    let mut roomy = Store::resume(&path).unwrap();
    assert_eq!(roomy.len().unwrap(), written);
    roomy.append(&[child(written)], &[]).unwrap();
    assert_eq!(roomy.child(written - 1).unwrap(), Some(child(written - 1)));
    assert_eq!(roomy.len().unwrap(), written + 1);
}

#[test]
fn an_export_holds_few_large_children_at_a_time() {
    use parquet::file::reader::{FileReader, SerializedFileReader};

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run");
    let children: Vec<Child> = (0..40)
        .map(|id| Child {
            program: format!("x = '{}'\n", id.to_string().repeat(1 << 20)),
            parent: None,
            ..child(id)
        })
        .collect();
    let bytes: usize = children.iter().map(|child| child.program.len()).sum();
    let mut store = store(&path);
    store.append(&children, &[]).unwrap();
    let mut told = Vec::new();
    let files = crate::export::export(&store, &folder.path().join("out"), &mut |n| told.push(n));
    let [table, lines] = files.unwrap();
    let table = SerializedFileReader::new(File::open(table).unwrap()).unwrap();
    let groups: Vec<i64> = table
        .metadata()
        .row_groups()
        .iter()
        .map(|g| g.num_rows())
        .collect();
    assert!(groups.len() > bytes / (40 << 20), "{groups:?}");
    assert!(told.windows(2).all(|pair| pair[0] < pair[1]));
    assert_eq!((groups.iter().sum::<i64>(), told.last()), (40, Some(&40)));
    assert_eq!(std::fs::read_to_string(lines).unwrap().lines().count(), 40);
}

#[test]
fn lessons_are_changes_with_their_parents() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run");
    let mut written: Vec<Child> = (0..300).map(child).collect();
    for (at, child) in written.iter_mut().enumerate().skip(1) {
        child.parent = Some((at * at % (at.min(90))) as u64);
    }
    written[6].status = Status::Invalid;
    written[6].accepted = false;
    written[6].program.clear();
    store(&path).append(&written, &[]).unwrap();
    let store = Store::open(&path).unwrap();
    for (bound, accepted_only) in [(u64::MAX, false), (200, true), (200, false), (1, false)] {
        let mut lessons = Vec::new();
        store
            .each_lesson(bound, accepted_only, |lesson| {
                lessons.push(lesson);
                Ok(())
            })
            .unwrap();
        let of = |child: &Child| {
            let parent = &written[child.parent.unwrap() as usize];
            mutate::Lesson {
                source: path.display().to_string(),
                id: child.id,
                operator: child.operator.clone(),
                told: child.told.clone(),
                file: None,
                parent: parent.program.clone(),
                child: child.program.clone(),
                accepted: child.accepted,
                niche: child.niche,
                fitness: child.fitness,
                parent_fitness: parent.fitness,
            }
        };
        let expected: Vec<_> = written
            .iter()
            .skip(1)
            .filter(|child| child.id < bound && child.status != Status::Invalid)
            .filter(|child| child.accepted || !accepted_only)
            .map(of)
            .collect();
        assert_eq!(lessons, expected);
    }
}
