//! The chart of the bug-fixing comparison: success against the number of bugs, on a logarithmic scale.

use std::fmt::Write;

use sodarace::render::palette::{FAINT, GRID, INK, PAPER};
use sodarace::render::xml::{Num, escape};

use super::scale::Scale;
use super::ticks;

/// One task's part of the chart; the parts stand side by side and share the y axis.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Panel {
    /// Above it.
    pub title: String,
    /// How many bugs there are at most, 1 to 20.
    pub bugs: usize,
    /// Its lines. Those drawn first lie below.
    pub lines: Vec<Line>,
}

/// The shares of one operator.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Line {
    /// Written beside its end; texts longer than 26 characters are cut.
    pub name: String,
    /// Which operators belong together: they get the same hue.
    pub family: Family,
    /// Whether the numbers are quoted, not measured: these stand back, dashed.
    pub quoted: bool,
    /// For 1, 2, 3 ... bugs.
    pub points: Vec<Point>,
}

/// A share in per cent with its interval (quoted numbers have none: both ends are the share).
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct Point {
    /// The share.
    pub share: f64,
    /// Lower end of the interval.
    pub low: f64,
    /// Upper end of the interval.
    pub high: f64,
}

/// What kind of operator a line is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Family {
    /// Genetic programming as in the paper.
    NodeReplacement,
    /// Our genetic programming.
    Gp,
    /// Models that write diffs.
    Diff,
    /// Models that are prompted.
    Prompt,
    /// Models that are told what to do ("edit mode").
    Edit,
    /// Anything else, told apart by a number.
    #[default]
    Other,
}

impl Family {
    /// The colour of what is measured, and of what is quoted.
    fn colours(self) -> [&'static str; 2] {
        match self {
            Self::NodeReplacement => ["#a8390b", "#c98a5c"],
            Self::Gp => ["#e58a12", "#c98a5c"],
            Self::Diff => ["#2f6fde", "#7fa3e3"],
            Self::Prompt => ["#0f9d8a", "#62b5a9"],
            Self::Edit => ["#6d4fd8", "#a093dd"],
            Self::Other => ["#c2358f", "#d28abb"],
        }
    }
}

const HEIGHT: f64 = 440.0;
const LEFT: f64 = 58.0;
const TOP: f64 = 92.0;
/// Of the logarithmic part.
const BOTTOM: f64 = HEIGHT - 104.0;
/// Where 0 is, which no logarithm reaches.
const ZERO: f64 = BOTTOM + 34.0;
const STEP: f64 = 84.0;
const MARGIN: f64 = 26.0;
const NAMES: f64 = 178.0;
/// Between measured points of the same number of bugs, so that their intervals do not hide each other.
const DODGE: f64 = 6.0;

/// Draws the panels side by side, in one SVG.
pub fn bugs(panels: &[Panel]) -> String {
    let points = || panels.iter().flat_map(|p| &p.lines).flat_map(|l| &l.points);
    let least = points()
        .map(|p| p.share)
        .filter(|s| *s > 0.0 && s.is_finite())
        .fold(1.0, f64::min);
    let floor = 10f64.powf((least.log10() - 0.05).floor());
    let scale = Shares::new(floor);
    let widths: Vec<f64> = panels.iter().map(|p| width(p) + NAMES).collect();
    let total = (LEFT + widths.iter().sum::<f64>() + 10.0).max(560.0);
    let mut svg = format!(
        "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {0} {HEIGHT}' width='{0}' height='{HEIGHT}' \
         font-family='Roboto,system-ui,sans-serif' font-size='11.5' role='img'>\
         <path class='paper' fill='{PAPER}' d='M0 0H{0}V{HEIGHT}H0Z'/>\
         <text class='ink' x='14' y='26' font-size='15' font-weight='500' fill='{INK}'>Bugs fixed by one mutation</text>\
         <text class='faint' x='14' y='45' fill='{FAINT}'>mutants that pass all unit tests, %, on a logarithmic scale</text>",
        Num(total)
    );
    let mut left = LEFT;
    for (panel, width) in panels.iter().zip(widths) {
        draw(&mut svg, panel, &scale, left);
        left += width;
    }
    key(&mut svg);
    svg + "</svg>"
}

fn width(panel: &Panel) -> f64 {
    STEP * panel.bugs.clamp(1, 20).saturating_sub(1) as f64 + 2.0 * MARGIN
}

/// From per cent to pixels; 0 stands below a gap.
struct Shares {
    floor: f64,
    above: Scale,
}

impl Shares {
    fn new(floor: f64) -> Self {
        let above = Scale::logarithmic(floor, 100.0, [BOTTOM, TOP]);
        Self { floor, above }
    }

    fn at(&self, percent: f64) -> f64 {
        if percent.is_nan() || percent <= 0.0 {
            return ZERO;
        }
        self.above.at(percent.clamp(self.floor, 100.0))
    }
}

fn draw(svg: &mut String, panel: &Panel, scale: &Shares, left: f64) {
    let right = left + width(panel);
    let x = |i: usize| left + MARGIN + STEP * i as f64;
    let _ = write!(
        svg,
        "<text class='ink' x='{}' y='{}' font-weight='500' fill='{INK}'>{}</text>",
        Num(left),
        TOP - 14.0,
        escape(&panel.title)
    );
    axes(svg, scale, [left, right]);
    for i in 0..panel.bugs.clamp(1, 20) {
        let _ = write!(
            svg,
            "<text class='faint' x='{}' y='{}' text-anchor='middle' fill='{FAINT}'>{}</text>",
            Num(x(i)),
            ZERO + 24.0,
            i + 1
        );
    }
    let _ = write!(
        svg,
        "<text class='faint' x='{}' y='{}' text-anchor='middle' fill='{FAINT}'>bugs</text>",
        Num((left + right) / 2.0),
        ZERO + 40.0
    );
    let measured = panel.lines.iter().filter(|line| !line.quoted).count();
    let mut before = 0;
    let mut ends = Vec::new();
    for line in &panel.lines {
        let colour = line.family.colours()[usize::from(line.quoted)];
        let mut shift = 0.0;
        if !line.quoted {
            shift = DODGE * (before as f64 - (measured as f64 - 1.0) / 2.0);
            before += 1;
        }
        let places: Vec<[f64; 2]> = (line.points.iter().enumerate())
            .map(|(i, point)| [x(i) + shift, scale.at(point.share)])
            .collect();
        let Some(end) = places.last() else { continue };
        stroke(svg, &places, colour, line.quoted);
        if !line.quoted {
            intervals(svg, scale, line, &places, colour);
        }
        dots(svg, &places, colour, line.quoted);
        ends.push((end[1], end[0], colour, line));
    }
    names(svg, ends, right);
}

/// The common grid: decades, and the line of 0 below a break in the axis.
fn axes(svg: &mut String, scale: &Shares, [left, right]: [f64; 2]) {
    let (mut lines, mut texts) = (String::new(), String::new());
    for value in scale.above.ticks(6) {
        let y = scale.at(value);
        let _ = write!(lines, "M{} {}H{}", Num(left), Num(y), Num(right));
        let _ = write!(
            texts,
            "<text x='{}' y='{}' text-anchor='end'>{}</text>",
            Num(left - 8.0),
            Num(y + 4.0),
            ticks::text(value)
        );
    }
    let _ = write!(
        texts,
        "<text x='{}' y='{}' text-anchor='end'>0</text>",
        Num(left - 8.0),
        ZERO + 4.0
    );
    let middle = (BOTTOM + ZERO) / 2.0;
    let _ = write!(
        svg,
        "<path class='grid' stroke='{GRID}' d='{lines}'/>\
         <path class='axis' stroke='{FAINT}' fill='none' d='M{0} {ZERO}H{1}M{2} {3}l8 -5M{2} {4}l8 -5'/>\
         <g class='faint' fill='{FAINT}' font-size='11'>{texts}</g>",
        Num(left),
        Num(right),
        Num(left - 4.0),
        Num(middle + 5.0),
        Num(middle),
    );
}

fn stroke(svg: &mut String, places: &[[f64; 2]], colour: &str, quoted: bool) {
    let mut d = String::new();
    for (i, [x, y]) in places.iter().enumerate() {
        let _ = write!(
            d,
            "{}{} {}",
            if i == 0 { 'M' } else { 'L' },
            Num(*x),
            Num(*y)
        );
    }
    let style = if quoted {
        "stroke-width='1.3' stroke-dasharray='5 4'"
    } else {
        "stroke-width='2.2'"
    };
    let _ = write!(
        svg,
        "<path class='{}' fill='none' stroke='{colour}' {style} stroke-linejoin='round' stroke-linecap='round' d='{d}'/>",
        if quoted { "quoted" } else { "measured" }
    );
}

fn intervals(svg: &mut String, scale: &Shares, line: &Line, places: &[[f64; 2]], colour: &str) {
    let mut d = String::new();
    for (point, [x, y]) in line.points.iter().zip(places) {
        let [high, low] = [scale.at(point.high), scale.at(point.low)];
        // Where the interval begins at 0 its lower end is the point itself or the line of 0.
        let low = low.max(*y);
        if low - high > 5.0 {
            let _ = write!(
                d,
                "M{0} {1}h6M{2} {1}V{3}M{0} {3}h6",
                Num(x - 3.0),
                Num(high),
                Num(*x),
                Num(low)
            );
        }
    }
    if !d.is_empty() {
        let _ = write!(
            svg,
            "<path class='interval' fill='none' stroke='{colour}' stroke-width='1.2' opacity='.75' d='{d}'/>"
        );
    }
}

fn dots(svg: &mut String, places: &[[f64; 2]], colour: &str, quoted: bool) {
    for [x, y] in places {
        // Nothing at all is a hollow mark.
        let hollow = quoted || *y >= ZERO;
        let (fill, radius) = (
            if hollow { PAPER } else { colour },
            if quoted { 2.4 } else { 3.4 },
        );
        let class = if hollow { " class='hollow'" } else { "" };
        let _ = write!(
            svg,
            "<circle{class} cx='{}' cy='{}' r='{radius}' fill='{fill}' stroke='{colour}' stroke-width='1.3'/>",
            Num(*x),
            Num(*y)
        );
    }
}

/// Names at the lines' ends, pushed apart where lines end close together, each with a thread to its line.
fn names(svg: &mut String, mut ends: Vec<(f64, f64, &str, &Line)>, right: f64) {
    const APART: f64 = 15.0;
    // Where two end alike, the measured one comes first.
    ends.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.3.quoted.cmp(&b.3.quoted)));
    let mut places: Vec<f64> = ends.iter().map(|end| end.0).collect();
    for i in 1..places.len() {
        places[i] = places[i].max(places[i - 1] + APART);
    }
    let mut lowest = ZERO;
    for place in places.iter_mut().rev() {
        *place = place.min(lowest);
        lowest = *place - APART;
    }
    for ((y, x, colour, line), place) in ends.iter().zip(&places) {
        let from = x + 6.0;
        let _ = write!(
            svg,
            "<path fill='none' stroke='{colour}' stroke-width='.8' opacity='.6' d='M{} {}C{} {1} {2} {} {} {3}'/>\
             <text x='{}' y='{}' fill='{colour}' font-weight='{}'>{}</text>",
            Num(from),
            Num(*y),
            Num((from + right + 8.0) / 2.0),
            Num(*place),
            Num(right + 8.0),
            Num(right + 12.0),
            Num(place + 4.0),
            if line.quoted { 400 } else { 600 },
            escape(&shorten(&line.name))
        );
    }
}

fn shorten(name: &str) -> String {
    if name.chars().count() <= 26 {
        return name.to_owned();
    }
    name.chars().take(25).chain(['\u{2026}']).collect()
}

/// What the two kinds of line mean.
fn key(svg: &mut String) {
    let y = HEIGHT - 12.0;
    let _ = write!(
        svg,
        "<path stroke='{INK}' stroke-width='2.2' d='M16 {0}h22'/><circle cx='27' cy='{0}' r='3.4' fill='{INK}'/>\
         <text class='faint' x='46' y='{1}' fill='{FAINT}'>measured, 95 % interval</text>\
         <path stroke='{FAINT}' stroke-width='1.3' stroke-dasharray='5 4' d='M196 {0}h22'/>\
         <text class='faint' x='226' y='{1}' fill='{FAINT}'>reported by Lehman et al. 2022</text>\
         <circle cx='424' cy='{0}' r='3.4' fill='none' stroke='{FAINT}' stroke-width='1.3'/>\
         <text class='faint' x='434' y='{1}' fill='{FAINT}'>none at all</text>",
        Num(y - 4.0),
        Num(y),
    );
}
