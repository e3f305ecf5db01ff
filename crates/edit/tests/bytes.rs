//! The fuzz target's body over random bytes and over random pieces of diffs.

#[path = "../fuzz/body.rs"]
mod body;

use proptest::prelude::*;

fn piece() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "@@",
        "@@ -1,3 +1,2 @@",
        "@@ -2 +2 @@ f",
        "@@ -0,0 +1 @@",
        "@@ -9,1 +9,1 @@",
        "\n",
        "\n",
        "\n",
        "\n",
        " ",
        "-",
        "+",
        "-a\n",
        "+a\n",
        " a\n",
        " b\n",
        "+b\n",
        "a\n",
        "b\n",
        "a",
        "é",
        "\r\n",
        "\\ No newline",
        "--- a/x\n+++ b/x\n",
        "diff --git\n",
        "```\n",
        "<<<<<<< SEARCH\n",
        "=======\n",
        ">>>>>>> REPLACE\n",
    ])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, failure_persistence: None, ..Default::default() })]

    #[test]
    fn bytes(data in prop::collection::vec(any::<u8>(), 0..200)) {
        body::apply(&data);
    }

    #[test]
    fn pieces(text in prop::collection::vec(prop::sample::select(vec!["a\n", "b\n", "\n", "a", "é\r\n"]), 0..8),
              change in prop::collection::vec(piece(), 0..24)) {
        body::apply(format!("{}\0{}", text.concat(), change.concat()).as_bytes());
    }
}

/// Many hunks on a long text of equal lines: the worst there is, and still read in a moment.
#[test]
fn a_large_repetitive_input_ends() {
    let text = "a\n".repeat(3000);
    let hunks = "@@ -1,4 +1,4 @@\n a\n-a\n+b\n a\n a\n@@\n-a\n-b\n".repeat(300);
    body::apply(format!("{text}\0{hunks}").as_bytes());
    let hunks = "@@ -1,4 +1,4 @@\n a\n-a\n+b\n a\n a\n".repeat(700);
    body::apply(format!("{text}\0{hunks}").as_bytes());
}
