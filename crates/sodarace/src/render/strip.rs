//! Several moments of a walk in one picture.

use std::fmt::Write;

use super::film::{Camera, Film};
use super::palette::INK;
use super::scene::{Scene, open};
use super::xml::Num;

/// Width of a strip in SVG units.
pub(super) const WIDTH: u32 = 1280;

pub(super) fn strip(scene: &Scene, film: &Film, moments: usize) -> String {
    let path = film.path();
    let [left, bottom, right, top] = film.extent(&path);
    let centres: Vec<f64> = (0..film.frames.len()).map(|i| film.centre(i)).collect();
    let first = centres.iter().copied().fold(f64::INFINITY, f64::min);
    let last = centres.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let (walker, width) = (right - left, f64::from(WIDTH));
    // The whole way and half a walker's width beyond.
    let scale = width / (last - first + 1.6 * walker);
    let tall = (top - bottom) * scale;
    // Moments that keep a walker's width between them stand on one ground.
    let room = 1 + ((last - first) / walker) as usize;
    if room >= 3 && tall >= 44.0 {
        let height = (tall / 0.6).clamp(150.0, 560.0);
        let camera = Camera {
            x: (first + last) / 2.0 + (right + left) / 2.0,
            y: bottom,
            scale: scale.min(0.62 * height / (top - bottom)),
            width,
            height,
        };
        return stroboscope(scene, film, &camera, &centres, moments.min(room));
    }
    panels(scene, film, moments)
}

/// On one ground: early moments are paler.
fn stroboscope(
    scene: &Scene,
    film: &Film,
    camera: &Camera,
    centres: &[f64],
    moments: usize,
) -> String {
    let mut svg = open(camera.width, camera.height);
    svg += &scene.world(camera, camera.span());
    // The frames at which the way is divided evenly, first arrival each.
    let (start, end) = (centres[0], centres[centres.len() - 1]);
    let farthest = centres
        .iter()
        .copied()
        .max_by(|a, b| (a - start).abs().total_cmp(&(b - start).abs()))
        .unwrap_or(end);
    for k in 0..moments {
        let share = k as f64 / (moments - 1) as f64;
        let aim = (farthest - start).abs() * share;
        let frame = centres
            .iter()
            .position(|x| (x - start).abs() >= aim)
            .unwrap_or(centres.len() - 1);
        svg += &scene.walker(camera, &film.frames[frame], 0.35 + 0.65 * share);
        let positions = &film.frames[frame];
        let top = positions
            .iter()
            .map(|p| p[1])
            .fold(f64::NEG_INFINITY, f64::max);
        let [x, y] = camera.pixel([centres[frame], top]);
        let _ = write!(
            svg,
            "<text class='ink' x='{}' y='{}' text-anchor='middle' font-size='12' fill='{INK}'>{:.1} s</text>",
            Num(x),
            Num((y - 14.0).max(62.0)),
            frame as f64 * film.interval
        );
    }
    svg += &scene.captions();
    svg + "</svg>"
}

/// Side by side, evenly in time, each with its own camera.
fn panels(scene: &Scene, film: &Film, moments: usize) -> String {
    let moments = moments.min(film.frames.len()).max(1);
    let columns = moments.min(4);
    let gap = 8.0;
    let width = (f64::from(WIDTH) - gap * (columns - 1) as f64) / columns as f64;
    let height = (width * 9.0 / 16.0).round();
    let rows = moments.div_ceil(columns);
    let camera = film.camera(width, height);
    let path = film.path();
    let mut svg = open(f64::from(WIDTH), rows as f64 * (height + gap) - gap);
    for k in 0..moments {
        let frame = k * (film.frames.len() - 1) / (moments - 1).max(1);
        let label = format!("{:.1} s", frame as f64 * film.interval);
        let camera = Camera {
            x: path[frame],
            ..camera
        };
        let picture = scene.picture(&camera, &film.frames[frame], &label);
        let (x, y) = (
            (k % columns) as f64 * (width + gap),
            (k / columns) as f64 * (height + gap),
        );
        let _ = write!(
            svg,
            "<svg x='{}' y='{}'{}",
            Num(x),
            Num(y),
            &picture["<svg".len()..]
        );
    }
    svg + "</svg>"
}
