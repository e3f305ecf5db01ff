//! Figures are well-formed, survive odd data, and never let a program's text through unescaped.

use roxmltree::{Document, Node};
use samara::figures::bugs::{Family, Line, Panel, Point, bugs};
use samara::figures::report::{
    Ancestor, Card, FailureRow, GenerationRow, Individual, OperatorRow, RoundRow,
};
use samara::figures::{Axis, Cell, Labels, Report, Series, curves, map_slices, report};

fn labels(log_y: bool) -> Labels {
    Labels {
        title: "Niches".into(),
        x: "iteration".into(),
        y: "%".into(),
        log_y,
    }
}

fn series(name: &str, points: &[(f64, f64)]) -> Series {
    Series {
        name: name.into(),
        points: points.to_vec(),
    }
}

/// Lines of a chart: their numbers of points.
fn lines(svg: &str) -> Vec<usize> {
    let xml = Document::parse(svg).unwrap();
    let is_line = |n: &Node| n.attribute("stroke-width") == Some("1.8");
    let points = |n: Node| n.attribute("d").unwrap().matches(['M', 'L']).count();
    xml.descendants().filter(is_line).map(points).collect()
}

fn texts(svg: &str) -> Vec<String> {
    let xml = Document::parse(svg).unwrap();
    xml.descendants()
        .filter(|n| n.is_text())
        .map(|n| n.text().unwrap().to_string())
        .collect()
}

#[test]
fn a_chart_draws_every_series_and_names_it() {
    let svg = curves(
        &[
            series("diff", &[(0.0, 0.0), (10.0, 40.0), (20.0, 55.0)]),
            series("gp", &[(0.0, 0.0), (20.0, 12.0)]),
        ],
        &labels(false),
    );
    assert_eq!(lines(&svg), [3, 2]);
    let texts = texts(&svg);
    for text in ["Niches", "iteration", "%", "diff", "gp", "0", "20", "40"] {
        assert!(texts.iter().any(|t| t == text), "{text} in {texts:?}");
    }
    sodarace::render::png(&svg, 1.0).unwrap();
}

#[test]
fn a_logarithmic_axis_leaves_out_what_has_no_logarithm() {
    let points = [(1.0, 9.0), (2.0, 0.0), (3.0, -4.0), (4.0, 0.01)];
    let svg = curves(&[series("gp", &points)], &labels(true));
    assert_eq!(lines(&svg), [2]);
    assert!(texts(&svg).iter().any(|t| t == "0.1"));
    assert_eq!(
        lines(&curves(&[series("gp", &points)], &labels(false))),
        [4]
    );
}

#[test]
fn odd_series_are_drawn() {
    let nan = f64::NAN;
    let none: [&[(f64, f64)]; 4] = [&[], &[(nan, 1.0)], &[(1.0, nan)], &[(1.0, f64::INFINITY)]];
    for points in none {
        for log in [false, true] {
            let svg = curves(&[series("a", points)], &labels(log));
            assert!(texts(&svg).iter().any(|t| t == "no data yet"));
        }
    }
    assert!(lines(&curves(&[], &labels(false))).is_empty());
    for points in [
        vec![(5.0, 5.0)],
        vec![(5.0, 0.0)],
        vec![(0.0, 1e300), (1.0, -1e300)],
        vec![(1e-300, 1e-300)],
    ] {
        for log in [false, true] {
            let svg = curves(
                &[series("a", &points), series("b", &[(1.0, 1.0)])],
                &labels(log),
            );
            assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
            assert_eq!(lines(&svg).last(), Some(&1));
        }
    }
    assert_eq!(
        lines(&curves(
            &[series("a", &[(0.0, 1.0), (1.0, nan), (2.0, 3.0)])],
            &labels(false)
        )),
        [2]
    );
}

#[test]
fn a_long_series_is_thinned_but_keeps_its_end() {
    let points: Vec<_> = (0..=100_000)
        .map(|i| (f64::from(i), f64::from(i).sqrt()))
        .collect();
    let svg = curves(&[series("a", &points)], &labels(false));
    assert!(svg.len() < 20_000, "{} bytes", svg.len());
    let many: Vec<_> = (0..40)
        .map(|i| series(&format!("run {i}"), &[(0.0, 0.0), (1.0, 1.0)]))
        .collect();
    assert!(
        texts(&curves(&many, &labels(false)))
            .iter()
            .any(|t| t.contains("more"))
    );
}

fn axes(bins: [u32; 3]) -> [Axis; 3] {
    let axis = |name: &str, bins| Axis {
        name: name.into(),
        range: (0.0, 24.0),
        bins,
    };
    [
        axis("height", bins[0]),
        axis("width", bins[1]),
        axis("mass", bins[2]),
    ]
}

#[test]
fn a_map_has_a_slice_for_every_bin_and_a_square_for_every_cell() {
    let cell = |niche, fitness| Cell { niche, fitness };
    let cells = [
        cell([0, 0, 0], 1.0),
        cell([11, 11, 11], 8.0),
        cell([3, 4, 5], f64::NAN),
        cell([12, 0, 0], 3.0),
    ];
    let svg = map_slices(&axes([12, 12, 12]), &cells, "Map");
    let xml = Document::parse(&svg).unwrap();
    let empty = xml
        .descendants()
        .filter(|n| n.attribute("class") == Some("empty"))
        .count();
    assert_eq!(empty, 12 + 1, "slices, and the legend");
    assert!(svg.contains("2 of 1728 niches filled (0.1 %), QD score 9<"));
    assert!(svg.contains("mass 22\u{2013}24"));
    sodarace::render::png(&svg, 1.0).unwrap();
}

#[test]
fn maps_of_any_shape_are_drawn() {
    let cell = |fitness| Cell {
        niche: [0, 0, 0],
        fitness,
    };
    for bins in [
        [1, 1, 1],
        [0, 0, 0],
        [50, 40, 1],
        [3, 60, 7],
        [64, 2, 64],
        [u32::MAX; 3],
    ] {
        for cells in [vec![], vec![cell(0.0)], vec![cell(-5.0)], vec![cell(1e300)]] {
            let svg = map_slices(&axes(bins), &cells, "");
            Document::parse(&svg).unwrap();
            assert!(!svg.contains("NaN") && !svg.contains("inf"));
        }
    }
}

const EVIL: &str = "x = '</script><svg onload=alert(1)>' # ]]> </pre></code> &amp; \"quoted\"\n";

/// A report in which every text that a program or a setting can hold is hostile.
fn evil() -> Report {
    let evil = || EVIL.to_string();
    let map = map_slices(
        &axes([2, 2, 2]).map(|a| Axis { name: evil(), ..a }),
        &[],
        EVIL,
    );
    let chart = curves(
        &[series(EVIL, &[(0.0, 1.0)])],
        &Labels {
            title: evil(),
            x: evil(),
            y: evil(),
            log_y: false,
        },
    );
    let ancestor = |id, source: String| Ancestor {
        id,
        operator: evil(),
        partner: (id == 7).then_some(5),
        message: evil(),
        fitness: Some(1.0),
        source,
    };
    Report {
        title: evil(),
        subtitle: evil(),
        command: evil(),
        cards: vec![Card {
            label: evil(),
            value: evil(),
            note: evil(),
        }],
        settings: vec![(evil(), evil())],
        operators: vec![OperatorRow {
            name: evil(),
            proposed: 200,
            valid: 100,
            runnable: 50,
            accepted: 1,
            seconds_per_child: "1.50 s".into(),
            seconds_per_accepted: "300.00 s".into(),
            prompt_tokens: 40_000,
            tokens: 3_210,
            tokens_per_second: 10.7,
            dollars: 0.5,
        }],
        failures: vec![FailureRow {
            operator: evil(),
            reason: evil(),
            count: 3,
            proposed: 200,
        }],
        rounds: vec![RoundRow {
            round: 1,
            evaluations: 100,
            before: Some([9, 8, 7, 6, 5]),
            why: evil(),
            ..RoundRow::default()
        }],
        generations: vec![GenerationRow {
            operator: evil(),
            weights: 1,
            proposed: 200,
            ..GenerationRow::default()
        }],
        charts: vec![chart],
        map: Some(map),
        best: vec![Individual {
            id: 7,
            fitness: 12.5,
            measures: vec![(evil(), 2.0)],
            picture: String::new(),
            source: evil(),
            lineage: vec![ancestor(0, "y = 1\n".into()), ancestor(7, evil())],
        }],
    }
}

#[test]
fn hostile_texts_stay_texts() {
    let page = report(&evil());
    assert!(!page.contains("<script") && !page.contains("</script"));
    assert_eq!(page.matches("<svg").count(), 2, "the chart and the map");
    assert!(!page.contains("<svg onload"));
    assert!(page.contains("&lt;/script&gt;&lt;svg onload=alert(1)&gt;"));
    // The page is closed as it was opened, whatever the texts hold.
    for tag in [
        "pre", "code", "details", "table", "section", "article", "svg", "text",
    ] {
        let open =
            page.matches(&format!("<{tag}>")).count() + page.matches(&format!("<{tag} ")).count();
        assert_eq!(open, page.matches(&format!("</{tag}>")).count(), "{tag}");
    }
}

#[test]
fn a_report_needs_nothing_from_elsewhere() {
    let page = report(&evil());
    for outside in ["src=", "href=", "url(", "@import", "<link", "<iframe"] {
        assert!(!page.contains(outside), "{outside}");
    }
    let addresses = page.matches("http://").count() + page.matches("https://").count();
    assert_eq!(
        addresses,
        page.matches("xmlns='http://www.w3.org/2000/svg'").count()
    );
}

#[test]
fn a_report_tells_what_became_of_the_children() {
    let page = report(&evil());
    assert!(page.contains("50.0 %") && page.contains("25.0 %") && page.contains("0.5 %"));
    assert!(page.contains("1.5 %"), "the failures' share");
    for cost in ["1.50 s", "300.00 s", "40000", "3210", "10.7", "0.5000"] {
        assert!(page.contains(&format!("<td>{cost}</td>")), "{cost}");
    }
    assert_eq!(page.matches("crossed with #5").count(), 1);
    assert!(page.contains("Lineage (1 change)"));
    assert!(page.contains("<span class=\"removed\">-y = 1\n</span>"));
    assert!(page.contains("<span class=\"added\">+x = "));
}

#[test]
fn an_empty_report_is_a_page() {
    let page = report(&Report::default());
    assert!(page.starts_with("<!DOCTYPE html>") && page.ends_with("</html>"));
    assert!(!page.contains("<table"));
}

fn bug_line(name: &str, quoted: bool, shares: &[f64]) -> Line {
    let points = shares.iter().map(|share| Point {
        share: *share,
        low: share / 2.0,
        high: share * 2.0 + 0.004,
    });
    Line {
        name: name.into(),
        family: Family::Diff,
        quoted,
        points: points.collect(),
    }
}

#[test]
fn the_chart_of_bugs_shows_nothing_as_nothing() {
    let panel = Panel {
        title: "4-Parity <1>".into(),
        bugs: 3,
        lines: vec![
            bug_line("as reported & quoted", true, &[10.0, 0.1, 0.0]),
            bug_line("ours", false, &[9.0, 0.0, 0.0]),
        ],
    };
    let svg = bugs(&[
        panel.clone(),
        Panel {
            bugs: 2,
            lines: Vec::new(),
            ..panel
        },
    ]);
    let xml = Document::parse(&svg).unwrap();
    let paths = |class: &str| -> Vec<&str> {
        let of = |n: &Node| n.attribute("class") == Some(class);
        xml.descendants()
            .filter(of)
            .map(|n| n.attribute("d").unwrap())
            .collect()
    };
    let heights = |d: &str| -> Vec<f64> {
        d.split(['M', 'L'])
            .skip(1)
            .map(|p| p.split(' ').nth(1).unwrap().parse().unwrap())
            .collect()
    };
    let (quoted, measured) = (heights(paths("quoted")[0]), heights(paths("measured")[0]));
    // The three quoted points: two decades apart, then 0 below all decades, where ours are too.
    assert!(quoted[0] < quoted[1] && quoted[1] < quoted[2]);
    assert_eq!(quoted[2], measured[1]);
    assert_eq!(measured[1], measured[2]);
    assert!(measured[0] > quoted[0] && measured[0] < quoted[1]);
    assert_eq!(
        paths("interval").len(),
        1,
        "only what is measured has intervals"
    );
    let texts = texts(&svg);
    for text in [
        "4-Parity <1>",
        "ours",
        "as reported & quoted",
        "100",
        "0.1",
        "0",
        "3",
    ] {
        assert!(texts.iter().any(|t| t == text), "{text} in {texts:?}");
    }
    sodarace::render::png(&svg, 1.0).unwrap();
}

#[test]
fn odd_numbers_of_bugs_are_drawn() {
    let nan = f64::NAN;
    for shares in [
        vec![],
        vec![nan, nan],
        vec![f64::INFINITY],
        vec![1e-300, 100.0, 1e9],
    ] {
        let panel = Panel {
            bugs: 500,
            lines: vec![bug_line("x", false, &shares)],
            ..Panel::default()
        };
        let svg = bugs(&[panel]);
        Document::parse(&svg).unwrap();
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
    }
    Document::parse(&bugs(&[])).unwrap();
}
