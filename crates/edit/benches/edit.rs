//! What edits cost: `cargo bench -p edit`. Prints the best of several rounds, in microseconds.

use std::hint::black_box;
use std::time::Instant;

use edit::diff::Diff;
use edit::guide::{DiffGuide, DiffOptions, Guide, LineGuide, LineOptions};

/// The least time of one call, of 20 rounds of `calls`.
fn time<T>(what: &str, calls: u32, mut call: impl FnMut() -> T) {
    let round = |call: &mut dyn FnMut() -> T| {
        let start = Instant::now();
        for _ in 0..calls {
            black_box(call());
        }
        start.elapsed().as_secs_f64() * 1e6 / f64::from(calls)
    };
    let best = (0..20)
        .map(|_| round(&mut call))
        .fold(f64::INFINITY, f64::min);
    println!("{best:10.2} us  {what}");
}

fn main() {
    let source = include_str!("../../../seeds/square.py");
    let lines: Vec<&str> = source.split_inclusive('\n').collect();
    println!("a program of {} lines, {} bytes", lines.len(), source.len());
    let at = lines
        .iter()
        .position(|l| l.contains("middle = "))
        .expect("the seed has a middle joint");
    let indent: String = lines[at].chars().take_while(|c| *c == ' ').collect();
    let new_line = format!("{indent}middle = wc.add_joint(5, 6 if corners else 7)\n");
    let new = [&lines[..at], &[new_line.as_str()], &lines[at + 1..]]
        .concat()
        .concat();

    let diff = Diff::between(source, &new, 3);
    let text = diff.to_string();
    time("Diff::between", 200, || Diff::between(source, &new, 3));
    time("Diff::parse", 200, || Diff::parse(&text));
    time("Diff::apply", 200, || diff.apply(source));

    time("DiffGuide::new", 20, || {
        DiffGuide::new("walker.py", source, DiffOptions::default())
    });
    let mut guide = DiffGuide::new("walker.py", source, DiffOptions::default());
    guide.advance(&guide.forced());
    time("DiffGuide::admits, a hunk's first line", 200, || {
        guide.admits(b"     wc")
    });
    time(
        "DiffGuide::admits, a hunk's first line, removed",
        200,
        || guide.admits(b"-    wc"),
    );
    guide.advance(format!(" {}-{}+{indent}", lines[at - 1], lines[at]).as_bytes());
    time("DiffGuide::admits, in an added line", 200, || {
        guide.admits(b"middle")
    });
    guide.advance(new_line.trim().as_bytes());
    time("DiffGuide::admits, a line feed", 200, || {
        guide.admits(b"\n")
    });
    time("DiffGuide::admits, a line feed and a new hunk", 50, || {
        guide.admits(b"\n@@\n")
    });
    guide.advance(b"\n");
    assert!(guide.may_end(), "the change is Python");
    time("DiffGuide::forced, where the text may end", 200, || {
        guide.forced()
    });

    let mut guide =
        LineGuide::new(source, at, 1, LineOptions::default()).expect("the line is there");
    guide.advance(&guide.forced());
    time("LineGuide::admits, in the line", 200, || {
        guide.admits(b"middle")
    });
    guide.advance(new_line.trim().as_bytes());
    time("LineGuide::admits, the line feed", 50, || {
        guide.admits(b"\n")
    });
}
