//! Lines over a common axis: how a run went, and how runs compare.

use std::fmt::Write;

use sodarace::render::palette::{FAINT, GRID, INK, PAPER};
use sodarace::render::xml::{Num, escape};

use super::scale::{Near, Scale};
use super::ticks;

/// One line of a chart.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Series {
    /// Written beside the line's end; texts longer than 28 characters are cut.
    pub name: String,
    /// Points (x, y) in the order in which they are joined. Points that are
    /// not finite are left out, and so are those not above 0 on a
    /// logarithmic axis; the line goes on at the next point.
    pub points: Vec<(f64, f64)>,
}

/// What is written on a chart, and how its y axis runs.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Labels {
    /// Above the chart.
    pub title: String,
    /// Below the x axis.
    pub x: String,
    /// What y is and its unit, below the title.
    pub y: String,
    /// Whether y is logarithmic.
    pub log_y: bool,
}

/// Colours for up to eight series, told apart by the colour-blind too (hue and
/// lightness both differ); then they repeat, dashed.
const COLOURS: [&str; 8] = [
    "#2f6fde", "#e2711d", "#0f9d8a", "#c2358f", "#8a6d00", "#6d4fd8", "#5f7d1f", "#b3372f",
];

const WIDTH: f64 = 560.0;
const HEIGHT: f64 = 300.0;
const LEFT: f64 = 50.0;
const TOP: f64 = 56.0;
const BOTTOM: f64 = HEIGHT - 42.0;

/// Draws series as lines in one SVG of 560 x 300, each named at its end.
///
/// A linear y axis includes 0. Without any point the chart says so.
pub fn curves(series: &[Series], labels: &Labels) -> String {
    let usable = |y: f64| y.is_finite() && (!labels.log_y || y > 0.0);
    let lines: Vec<Vec<(f64, f64)>> = series
        .iter()
        .map(|s| {
            s.points
                .iter()
                .copied()
                .filter(|p| p.0.is_finite() && usable(p.1))
                .collect()
        })
        .collect();
    let names: Vec<String> = series.iter().map(|s| shorten(&s.name)).collect();
    let longest = names.iter().map(|n| n.chars().count()).max().unwrap_or(0);
    let right = WIDTH - 20.0 - 6.6 * longest as f64;

    let mut svg = format!(
        "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {WIDTH} {HEIGHT}' width='{WIDTH}' height='{HEIGHT}' \
         font-family='Roboto,system-ui,sans-serif' font-size='11.5' role='img'>\
         <path class='paper' fill='{PAPER}' d='M0 0H{WIDTH}V{HEIGHT}H0Z'/>\
         <text class='ink' x='14' y='24' font-size='14' font-weight='500' fill='{INK}'>{}</text>\
         <text class='faint' x='14' y='42' fill='{FAINT}'>{}</text>\
         <text class='faint' x='{}' y='{}' text-anchor='middle' fill='{FAINT}'>{}</text>",
        escape(&labels.title),
        escape(&labels.y),
        Num((LEFT + right) / 2.0),
        HEIGHT - 8.0,
        escape(&labels.x),
    );
    let points = || lines.iter().flatten();
    if points().next().is_none() {
        let _ = write!(
            svg,
            "<text class='faint' x='{}' y='{}' text-anchor='middle' fill='{FAINT}'>no data yet</text></svg>",
            WIDTH / 2.0,
            HEIGHT / 2.0
        );
        return svg;
    }

    let x = Scale::new(points().map(|p| p.0), false, [LEFT, right], Near::Tight);
    let near = if labels.log_y {
        Near::Tight
    } else {
        Near::Zero
    };
    let y = Scale::new(points().map(|p| p.1), labels.log_y, [BOTTOM, TOP], near);
    grid(&mut svg, &x, &y, right);

    let mut ends = Vec::new();
    for (i, line) in lines
        .iter()
        .enumerate()
        .filter(|(_, line)| !line.is_empty())
    {
        let colour = COLOURS[i % COLOURS.len()];
        let dash = if i >= COLOURS.len() {
            " stroke-dasharray='5 3'"
        } else {
            ""
        };
        let at = |p: &(f64, f64)| [x.at(p.0), y.at(p.1)];
        let _ = write!(
            svg,
            "<path fill='none' stroke='{colour}' stroke-width='1.8' stroke-linejoin='round' stroke-linecap='round'{dash} d='{}'/>",
            path(line.iter().map(at))
        );
        // Few points are measurements to be seen; of many, the last is marked.
        let marked = if line.len() <= 16 {
            &line[..]
        } else {
            &line[line.len() - 1..]
        };
        for [x, y] in marked.iter().map(at) {
            let _ = write!(
                svg,
                "<circle cx='{}' cy='{}' r='2.6' fill='{colour}'/>",
                Num(x),
                Num(y)
            );
        }
        ends.push((y.at(line[line.len() - 1].1), colour, &names[i]));
    }
    legend(&mut svg, ends, right);
    svg + "</svg>"
}

fn shorten(name: &str) -> String {
    if name.chars().count() <= 28 {
        return name.to_string();
    }
    name.chars().take(27).chain(['\u{2026}']).collect()
}

fn grid(svg: &mut String, x: &Scale, y: &Scale, right: f64) {
    let mut lines = String::new();
    let mut texts = String::new();
    for value in y.ticks(5) {
        let at = y.at(value);
        let _ = write!(lines, "M{LEFT} {}H{}", Num(at), Num(right));
        let _ = write!(
            texts,
            "<text x='{}' y='{}' text-anchor='end'>{}</text>",
            LEFT - 7.0,
            Num(at + 4.0),
            ticks::text(value)
        );
    }
    let mut marks = format!("M{LEFT} {BOTTOM}H{}", Num(right));
    for value in x.ticks(6) {
        let at = Num(x.at(value));
        let _ = write!(marks, "M{at} {BOTTOM}v4");
        let _ = write!(
            texts,
            "<text x='{at}' y='{}' text-anchor='middle'>{}</text>",
            BOTTOM + 17.0,
            ticks::text(value)
        );
    }
    let _ = write!(
        svg,
        "<path class='grid' stroke='{GRID}' d='{lines}'/><path class='axis' stroke='{FAINT}' fill='none' d='{marks}'/>\
         <g class='faint' fill='{FAINT}' font-size='11'>{texts}</g>"
    );
}

/// A path that leaves out points nearer than a pixel to the one before, but
/// neither the last nor a jump.
fn path(points: impl Iterator<Item = [f64; 2]>) -> String {
    let mut d = String::new();
    let mut points = points.peekable();
    let mut drawn = [f64::NAN; 2];
    while let Some(p) = points.next() {
        let far = !((p[0] - drawn[0]).abs() < 1.0 && (p[1] - drawn[1]).abs() < 1.0);
        if far || points.peek().is_none() {
            let command = if d.is_empty() { 'M' } else { 'L' };
            let _ = write!(d, "{command}{} {}", Num(p[0]), Num(p[1]));
            drawn = p;
        }
    }
    d
}

/// Names at the lines' ends, pushed apart where lines end close together.
fn legend(svg: &mut String, mut ends: Vec<(f64, &str, &String)>, right: f64) {
    const APART: f64 = 14.0;
    ends.sort_by(|a, b| a.0.total_cmp(&b.0));
    let room = ((BOTTOM - TOP) / APART) as usize + 1;
    let hidden = ends.len().saturating_sub(room);
    ends.truncate(room);
    let mut places: Vec<f64> = ends.iter().map(|e| e.0).collect();
    for i in 1..places.len() {
        places[i] = places[i].max(places[i - 1] + APART);
    }
    let mut lowest = BOTTOM;
    for place in places.iter_mut().rev() {
        *place = place.min(lowest);
        lowest = *place - APART;
    }
    for ((_, colour, name), y) in ends.iter().zip(&places) {
        let _ = write!(
            svg,
            "<text x='{}' y='{}' fill='{colour}' font-weight='500'>{}</text>",
            Num(right + 9.0),
            Num(y + 4.0),
            escape(name)
        );
    }
    if hidden > 0 {
        let _ = write!(
            svg,
            "<text class='faint' x='{}' y='{}' fill='{FAINT}'>and {hidden} more</text>",
            Num(right + 9.0),
            Num(BOTTOM + 17.0)
        );
    }
}
