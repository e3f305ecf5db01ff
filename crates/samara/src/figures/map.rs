//! A grid archive as slices, each niche coloured by its champion's fitness.

use std::collections::BTreeMap;
use std::fmt::Write;

use sodarace::render::palette::{FAINT, GRID, INK, PAPER, sequential};
use sodarace::render::xml::{Num, escape};

use super::ticks;

/// One axis of the map.
#[derive(Clone, Debug, PartialEq)]
pub struct Axis {
    /// What it measures.
    pub name: String,
    /// Its least and greatest value.
    pub range: (f64, f64),
    /// Into how many bins it is cut; at least 1, at most 64 are drawn.
    pub bins: u32,
}

/// An inhabited niche.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cell {
    /// Its bin on each axis, counted from 0; cells outside the grid are left out.
    pub niche: [u32; 3],
    /// Its champion's fitness; if it is not finite, the cell is left out.
    pub fitness: f64,
}

const MARGIN: f64 = 14.0;
const HEAD: f64 = 58.0;
const GAP: f64 = 16.0;
const SCALE_HEIGHT: f64 = 44.0;
/// Steps of the colour scale.
const SHADES: usize = 48;

/// Draws a map of three axes as small multiples: one slice for every bin of the
/// third axis, in it the first axis upwards and the second to the right.
///
/// Empty niches stay pale; colours run from 0 (or the least fitness, if that is
/// below 0) to the greatest. For a map of fewer axes give the rest one bin.
pub fn map_slices(axes: &[Axis; 3], cells: &[Cell], title: &str) -> String {
    let bins = [0, 1, 2].map(|i| axes[i].bins.clamp(1, 64) as usize);
    let mut fitness: BTreeMap<[usize; 3], f64> = BTreeMap::new();
    for cell in cells {
        let niche = cell.niche.map(|i| i as usize);
        if cell.fitness.is_finite() && (0..3).all(|i| niche[i] < bins[i]) {
            fitness.insert(niche, cell.fitness);
        }
    }
    let least = fitness.values().copied().fold(0.0, f64::min);
    let most = fitness.values().copied().fold(0.0, f64::max);
    let share = |f: f64| {
        if most > least {
            (f - least) / (most - least)
        } else {
            1.0
        }
    };

    let columns = columns(bins);
    let rows = bins[2].div_ceil(columns);
    let label = if bins[2] > 1 { 18.0 } else { 0.0 };
    let cell = ((720.0 - GAP * (columns - 1) as f64) / (columns * bins[1]) as f64).clamp(2.0, 20.0);
    let slice = [cell * bins[1] as f64, cell * bins[0] as f64];
    let left = MARGIN + 40.0;
    let width = (left + columns as f64 * (slice[0] + GAP)).max(560.0);
    let foot = HEAD + rows as f64 * (slice[1] + label + GAP) + 22.0;
    let height = foot + SCALE_HEIGHT;

    let total: usize = bins.iter().product();
    let score: f64 = fitness.values().sum();
    let mut svg = format!(
        "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {w} {h}' width='{w}' height='{h}' \
         font-family='Roboto,system-ui,sans-serif' font-size='11' role='img'>\
         <path class='paper' fill='{PAPER}' d='M0 0H{w}V{h}H0Z'/>\
         <text class='ink' x='{MARGIN}' y='24' font-size='14' font-weight='500' fill='{INK}'>{}</text>\
         <text class='faint' x='{MARGIN}' y='42' font-size='11.5' fill='{FAINT}'>{} of {total} niches filled ({:.1} %), QD score {}</text>",
        escape(title),
        fitness.len(),
        100.0 * fitness.len() as f64 / total as f64,
        ticks::text(score),
        w = Num(width),
        h = Num(height),
    );
    for k in 0..bins[2] {
        let x = left + (k % columns) as f64 * (slice[0] + GAP);
        let y = HEAD + (k / columns) as f64 * (slice[1] + label + GAP) + label;
        let inside = fitness.iter().filter(|(niche, _)| niche[2] == k);
        let mut shades: BTreeMap<usize, String> = BTreeMap::new();
        let mut filled = 0;
        for (niche, f) in inside {
            filled += 1;
            let shade = (share(*f) * (SHADES - 1) as f64).round() as usize;
            let _ = write!(
                shades.entry(shade).or_default(),
                "M{} {}h{c}v{c}h-{c}z",
                Num(x + niche[1] as f64 * cell),
                Num(y + (bins[0] - 1 - niche[0]) as f64 * cell),
                c = Num(cell)
            );
        }
        if bins[2] > 1 {
            let step = (axes[2].range.1 - axes[2].range.0) / bins[2] as f64;
            let edge = |i: usize| ticks::text(axes[2].range.0 + i as f64 * step);
            let _ = write!(
                svg,
                "<text class='ink' x='{}' y='{}' fill='{INK}'>{} {}\u{2013}{}</text>\
                 <text class='faint' x='{}' y='{}' text-anchor='end' fill='{FAINT}'>{filled}</text>",
                Num(x),
                Num(y - 5.0),
                escape(&axes[2].name),
                edge(k),
                edge(k + 1),
                Num(x + slice[0]),
                Num(y - 5.0),
            );
        }
        let frame = format!(
            "M{} {}h{}v{}h-{}z",
            Num(x),
            Num(y),
            Num(slice[0]),
            Num(slice[1]),
            Num(slice[0])
        );
        let _ = write!(svg, "<path class='empty' fill='{EMPTY}' d='{frame}'/>");
        for (shade, d) in shades {
            let colour = sequential(shade as f64 / (SHADES - 1) as f64);
            let _ = write!(svg, "<path fill='{colour}' d='{d}'/>");
        }
        lines(&mut svg, [x, y], bins, cell, &frame);
        if k % columns == 0 {
            upright(&mut svg, &axes[0], [x, y], slice[1]);
        }
        if k + columns >= bins[2] {
            level(&mut svg, &axes[1], [x, y + slice[1]], slice[0]);
        }
    }
    colour_scale(&mut svg, [left, foot + 12.0], least, most);
    svg + "</svg>"
}

/// An empty niche.
const EMPTY: &str = "#f1f4f8";

/// How many slices stand side by side: an even split, wide rather than high.
fn columns(bins: [usize; 3]) -> usize {
    let most = (bins[2] as f64).sqrt() * 1.5 * (bins[0] as f64 / bins[1] as f64).sqrt();
    let most = (most.round() as usize).clamp(1, bins[2].clamp(1, 8));
    (1..=most)
        .rev()
        .find(|c| bins[2].is_multiple_of(*c) && c * 2 > most)
        .unwrap_or(most)
}

/// Thin lines between niches, and the slice's frame.
fn lines(svg: &mut String, [x, y]: [f64; 2], bins: [usize; 3], cell: f64, frame: &str) {
    let mut d = String::new();
    for i in 1..bins[1] {
        let _ = write!(
            d,
            "M{} {}v{}",
            Num(x + i as f64 * cell),
            Num(y),
            Num(bins[0] as f64 * cell)
        );
    }
    for i in 1..bins[0] {
        let _ = write!(
            d,
            "M{} {}h{}",
            Num(x),
            Num(y + i as f64 * cell),
            Num(bins[1] as f64 * cell)
        );
    }
    let _ = write!(
        svg,
        "<path class='seam' stroke='{PAPER}' stroke-width='.75' d='{d}'/><path class='grid' fill='none' stroke='{GRID}' d='{frame}'/>"
    );
}

fn upright(svg: &mut String, axis: &Axis, [x, y]: [f64; 2], height: f64) {
    let _ = write!(
        svg,
        "<g class='faint' fill='{FAINT}' font-size='10' text-anchor='end'><text x='{r}' y='{}'>{}</text><text x='{r}' y='{}'>{}</text></g>\
         <text class='faint' fill='{FAINT}' text-anchor='middle' transform='translate({} {}) rotate(-90)'>{}</text>",
        Num(y + 8.0),
        ticks::text(axis.range.1),
        Num(y + height),
        ticks::text(axis.range.0),
        Num(x - 26.0),
        Num(y + height / 2.0),
        escape(&axis.name),
        r = Num(x - 5.0),
    );
}

fn level(svg: &mut String, axis: &Axis, [x, y]: [f64; 2], width: f64) {
    let _ = write!(
        svg,
        "<g class='faint' fill='{FAINT}' font-size='10'><text x='{}' y='{b}'>{}</text>\
         <text x='{}' y='{b}' text-anchor='end'>{}</text><text x='{}' y='{b}' text-anchor='middle' font-size='11'>{}</text></g>",
        Num(x),
        ticks::text(axis.range.0),
        Num(x + width),
        ticks::text(axis.range.1),
        Num(x + width / 2.0),
        escape(&axis.name),
        b = Num(y + 13.0),
    );
}

fn colour_scale(svg: &mut String, [x, y]: [f64; 2], least: f64, most: f64) {
    const WIDTH: f64 = 192.0;
    let step = WIDTH / SHADES as f64;
    for i in 0..SHADES {
        let colour = sequential(i as f64 / (SHADES - 1) as f64);
        // A little wider than its share, so that no seams show.
        let _ = write!(
            svg,
            "<path fill='{colour}' d='M{} {}h{}v9H{0}z'/>",
            Num(x + i as f64 * step),
            Num(y),
            Num(if i + 1 < SHADES { step + 0.5 } else { step })
        );
    }
    let _ = write!(
        svg,
        "<g class='faint' fill='{FAINT}' font-size='10' text-anchor='middle'>"
    );
    if most > least {
        for value in ticks::linear(least, most, 4) {
            let at = x + WIDTH * (value - least) / (most - least);
            let _ = write!(
                svg,
                "<text x='{}' y='{}'>{}</text>",
                Num(at),
                Num(y + 21.0),
                ticks::text(value)
            );
        }
    }
    let _ = write!(
        svg,
        "<text x='{}' y='{b}' text-anchor='start' font-size='11'>fitness</text>\
         <path class='empty' fill='{EMPTY}' stroke='{GRID}' d='M{} {y}h16v9h-16z'/><text x='{}' y='{b}' text-anchor='start' font-size='11'>empty</text></g>",
        Num(x + WIDTH + 10.0),
        Num(x + WIDTH + 66.0),
        Num(x + WIDTH + 88.0),
        b = Num(y + 9.0),
        y = Num(y),
    );
}
