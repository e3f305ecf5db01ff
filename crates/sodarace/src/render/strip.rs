//! Several moments of a walk in one picture.

use std::fmt::Write;

use super::film::{Camera, Film};
use super::palette::INK;
use super::scene::{self, Scene, open};
use super::xml::Num;

/// Width of a strip in SVG units.
pub(super) const WIDTH: u32 = 1280;
/// Height of the captions above the moments.
const HEAD: f64 = 52.0;

pub(super) fn strip(scene: &Scene, film: &Film, moments: usize) -> String {
    let (height, body) =
        stroboscope(scene, film, moments).unwrap_or_else(|| panels(scene, film, moments));
    format!(
        "{}{}{body}</svg>",
        open(f64::from(WIDTH), HEAD + height),
        scene.captions(),
    )
}

/// Puts a picture (without its `</svg>`) into another one.
fn place(x: f64, y: f64, picture: &str) -> String {
    let rest = picture.strip_prefix("<svg").unwrap_or(picture);
    format!("<svg x='{}' y='{}'{rest}</svg>", Num(x), Num(y))
}

/// All on one ground, early moments paler; none if the walker does not come
/// far enough to keep its moments apart, or so far that it would be tiny.
fn stroboscope(scene: &Scene, film: &Film, moments: usize) -> Option<(f64, String)> {
    let [left, bottom, right, top] = film.extent(scene.terrain, &film.path());
    let centres: Vec<f64> = (0..film.frames.len()).map(|i| film.centre(i)).collect();
    let away = |x: f64| (x - centres[0]).abs();
    let farthest = centres
        .iter()
        .copied()
        .max_by(|a, b| away(*a).total_cmp(&away(*b)))?;
    let (way, walker) = (away(farthest), right - left);
    let moments = moments.min(1 + (way / walker) as usize);
    let width = f64::from(WIDTH);
    let scale = width / (way + 1.5 * walker);
    // The time stands above the walker, the distances below the ground.
    let height = ((top - bottom) * scale / 0.6).clamp(150.0, 560.0);
    let scale = scale.min(0.6 * height / (top - bottom));
    if moments < 3 || (top - bottom) * scale < 44.0 {
        return None;
    }
    let camera = Camera {
        x: (centres[0] + farthest + left + right) / 2.0,
        y: bottom,
        scale,
        width,
        height,
    };
    let mut svg = open(width, height) + &scene.world(&camera, camera.span());
    for moment in 0..moments {
        let share = moment as f64 / (moments - 1) as f64;
        // The first frame that has come so far.
        let i = centres.iter().position(|x| away(*x) >= way * share)?;
        let frame = &film.frames[i];
        svg += &scene.walker(&camera, frame, 0.3 + 0.7 * share);
        let head = frame.iter().map(|p| p[1]).fold(f64::NEG_INFINITY, f64::max);
        let [x, y] = camera.pixel([centres[i], head]);
        let _ = write!(
            svg,
            "<text class='ink' x='{}' y='{}' text-anchor='middle' font-size='12' fill='{INK}'>{:.1} s</text>",
            Num(x),
            Num((y - 12.0).max(14.0)),
            i as f64 * film.interval
        );
    }
    Some((height, place(0.0, HEAD, &svg)))
}

/// Side by side, evenly in time, each with its own camera.
fn panels(scene: &Scene, film: &Film, moments: usize) -> (f64, String) {
    const GAP: f64 = 8.0;
    let moments = moments.min(film.frames.len());
    let columns = moments.min(4);
    let width = ((f64::from(WIDTH) - GAP * (columns - 1) as f64) / columns as f64).min(640.0);
    let height = (width * 9.0 / 16.0).round();
    let camera = film.camera(scene.terrain, width, height);
    let path = film.path();
    let mut svg = String::new();
    for k in 0..moments {
        let i = k * (film.frames.len() - 1) / (moments - 1).max(1);
        let camera = Camera {
            x: path[i],
            ..camera
        };
        let time = format!("{:.1} s", i as f64 * film.interval);
        let panel = scene.moment(&camera, &film.frames[i]) + &scene::label(width, &time);
        let (column, row) = ((k % columns) as f64, (k / columns) as f64);
        svg += &place(column * (width + GAP), HEAD + row * (height + GAP), &panel);
    }
    let rows = moments.div_ceil(columns) as f64;
    (rows * (height + GAP) - GAP, svg)
}
