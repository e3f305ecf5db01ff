// What is fuzzed, included by the fuzz target and by an ordinary test (tests/bytes.rs).

/// Reads a text and a change from bytes and applies it: nothing may panic, and what applies must round trip.
pub fn apply(data: &[u8]) {
    let data = String::from_utf8_lossy(data);
    // The first NUL parts the text from the change of it.
    let (text, change) = data.split_once('\0').unwrap_or(("", &data));
    if let Ok(diff) = edit::diff::Diff::parse(change) {
        let shown = diff.to_string();
        let again = edit::diff::Diff::parse(&shown);
        assert!(again.is_ok(), "{shown:?} of {change:?}: {again:?}");
        if let Ok(new) = diff.apply(text) {
            let clean = edit::diff::Diff::between(text, &new, 3);
            assert_eq!(clean.apply(text).as_ref(), Ok(&new));
            if !clean.is_empty() {
                assert_eq!(edit::diff::Diff::parse(&clean.to_string()), Ok(clean));
            }
        }
    }
    for counts in [edit::diff::Counts::Doubted, edit::diff::Counts::Trusted] {
        if let Ok(diffs) = edit::diff::Diffs::parse(change, counts) {
            let _ = diffs.with_ends().apply(text);
        }
    }
    let _ = edit::source::decode(change.as_bytes());
    if let Ok(blocks) = edit::replace::Blocks::parse(change) {
        let _ = blocks.apply(text);
    }
}
