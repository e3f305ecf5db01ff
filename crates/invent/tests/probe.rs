//! A toy domain, texts of zeros and ones: a model that read comments on them writes to a wish and tells what a text has.

mod common;

use std::sync::atomic::AtomicBool;

use common::{Toy, model};
use evolve::domain::{Domain, Outcome};
use invent::author;
use invent::dataset::Entry;
use invent::domain::{Settings as DomainSettings, course};
use invent::probe::{Probe, Settings, about, examine};
use lm::Checkpoint;

fn ones(text: &str) -> f64 {
    text.matches('1').count() as f64
}

fn zeros(text: &str) -> f64 {
    text.matches("0\n").count() as f64
}

/// Its one axis: how many ones. Fitness: as many zeros.
const ONES: Toy = Toy {
    axis: "ones",
    judge: |case| {
        // A comment is no part of the program.
        let lines = case.program.split_inclusive('\n');
        let program: String = lines.filter(|line| !line.starts_with('#')).collect();
        Outcome::Scored {
            measures: vec![ones(&program)],
            fitness: zeros(&program),
        }
    },
};

fn entries() -> Vec<Entry> {
    let entry = |at: u64| {
        let bits = edit::hash::mix(at);
        let lines = 3 + bits % 6;
        let program: String = (0..lines)
            .map(|bit| {
                if bits >> (8 + bit) & 1 == 1 {
                    "1\n"
                } else {
                    "0\n"
                }
            })
            .collect();
        Entry {
            measures: vec![ones(&program)],
            fitness: zeros(&program),
            held_out: at.is_multiple_of(8),
            program,
            ..Entry::default()
        }
    };
    (0..1024).map(entry).collect()
}

#[test]
fn a_model_that_read_comments_writes_to_a_wish_and_tells() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model");
    let axes: Vec<String> = ONES.axes().into_iter().map(|axis| axis.name).collect();
    let entries = entries();
    let probe = Probe::of(&axes, &entries);
    let settings = DomainSettings {
        preset: "0.1m".to_owned(),
        vocabulary: 258,
        from_scratch: false,
        rank: 0,
        epochs: 40,
        tokens: 250_000,
        rate: 3e-3,
        seed: 1,
    };
    let mut course = course(None, &probe.read(&entries), &settings).unwrap();
    course.training.batch_tokens = 640;
    let mut trainer = course.trainer().unwrap();
    let stop = AtomicBool::new(false);
    course
        .train(&mut trainer, None, &stop, &mut |_| {})
        .unwrap();
    course.save(&trainer, &path, "").unwrap();
    let unread = Checkpoint::open(&path).unwrap();
    assert_eq!(about(&unread), None);
    lm::write_card(
        &path,
        "",
        &serde_json::json!({ "probe": probe }).to_string(),
    )
    .unwrap();
    assert_eq!(
        about(&Checkpoint::open(&path).unwrap()),
        Some(probe.clone())
    );

    let settings = Settings {
        count: 24,
        writing: author::Settings {
            temperature: 1.0,
            min_p: 0.0,
            max_tokens: 64,
            constrained: false,
            seed: 0,
        },
        model: model(),
        threads: 1,
    };
    let mut seen = Vec::new();
    let mut ask = || {
        let domain: (&dyn Domain, &str) = (&ONES, "");
        let observe = &mut |done, of| seen.push((done, of));
        examine(&path, &probe, &entries, domain, &settings, &stop, observe).unwrap()
    };
    let rows = ask();
    let kinds: Vec<(&str, bool)> = rows.iter().map(|r| (&*r.property, r.within)).collect();
    assert_eq!(
        kinds,
        [
            ("ones", true),
            ("fitness", true),
            ("ones", false),
            ("fitness", false)
        ]
    );
    for row in &rows[..2] {
        assert!(
            row.wished.unwrap() > 0.5 && row.known.unwrap() > 0.5,
            "{row:?}"
        );
        assert!(
            row.asked == 24 && row.scored == 24 && row.foretold > 20,
            "{row:?}"
        );
    }
    assert_eq!(rows, ask());
    let of = seen[0].1;
    assert_eq!(seen.last(), Some(&(of, of)));
}
