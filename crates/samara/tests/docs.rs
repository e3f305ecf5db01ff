//! The documentation says what the program does.

use std::collections::BTreeSet;

fn page(name: &str) -> String {
    let path = format!("{}/../../docs/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(path).unwrap()
}

/// The rows of the table under a heading whose first column is a code, as (code, the other cells).
fn rows(page: &str, heading: &str) -> Vec<(String, Vec<String>)> {
    let (_, section) = page.split_once(heading).unwrap();
    section
        .lines()
        .skip_while(|line| !line.starts_with('|'))
        .take_while(|line| line.starts_with('|'))
        .skip(2)
        .map(|line| {
            let mut cells = line
                .trim_matches('|')
                .split(" | ")
                .map(|c| c.trim().to_owned());
            (
                cells.next().unwrap().trim_matches('`').to_owned(),
                cells.collect(),
            )
        })
        .collect()
}

#[test]
fn store_md_lists_every_reason_with_its_status_and_sentence() {
    let table = samara::reasons::table();
    let expected: Vec<_> = table
        .iter()
        .map(|code| {
            let cells = vec![code.status.to_owned(), code.sentence.to_owned()];
            (code.name.to_owned(), cells)
        })
        .collect();
    assert_eq!(rows(&page("store.md"), "## Reasons"), expected);
    let distinct: BTreeSet<_> = table.iter().map(|code| (code.name, code.status)).collect();
    assert_eq!(distinct.len(), table.len());
}

#[test]
fn endpoints_md_lists_every_reason_of_an_endpoint() {
    let listed = rows(&page("endpoints.md"), "## When it fails");
    for (code, cells) in &listed {
        assert_eq!(
            samara::reasons::sentence(code),
            Some(cells[0].as_str()),
            "{code}"
        );
    }
    for code in samara::reasons::table() {
        if code.name.starts_with("endpoint-") || code.name.starts_with("answer-") {
            assert!(
                listed.iter().any(|(name, _)| name == code.name),
                "{}",
                code.name
            );
        }
    }
}

#[test]
fn every_failure_of_the_rooms_is_in_the_table() {
    let known: BTreeSet<_> = samara::reasons::table()
        .iter()
        .map(|code| code.name)
        .collect();
    for name in pyrun::Failure::REASONS
        .iter()
        .chain(sodarace::Rejected::REASONS)
    {
        assert!(known.contains(name), "{name}");
    }
}
