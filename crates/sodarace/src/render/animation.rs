//! A walk as an SVG that moves by itself.

use std::fmt::Write;

use super::film::Film;
use super::palette::{GRID, INK, PAPER, SURFACE};
use super::scene::{PEN, Scene, open};
use super::xml::Num;
use super::{HEIGHT, WIDTH};

/// The walker stays in the middle, and the world moves past it.
pub(super) fn animate(scene: &Scene, film: &Film) -> String {
    let camera = film.camera(scene.terrain, f64::from(WIDTH), f64::from(HEIGHT));
    let path = film.path();
    let seconds = film.seconds();
    // Shared by everything that moves; `d` and positions go linearly from frame to frame.
    let clock = format!("dur='{}s' repeatCount='indefinite'", Num(seconds.max(0.1)));
    let [left, right] = camera.span();
    let half = (right - left) / 2.0;
    let nearest = path.iter().copied().fold(f64::INFINITY, f64::min);
    let farthest = path.iter().copied().fold(f64::NEG_INFINITY, f64::max);

    let mut svg = open(camera.width, camera.height);
    svg += "<g>";
    svg += &scene.world(&camera, [nearest - half, farthest + half]);
    let shift = |x: &f64| Num((path[0] - x) * camera.scale).to_string();
    let shifts: Vec<String> = path.iter().map(shift).collect();
    let _ = write!(
        svg,
        "<animateTransform attributeName='transform' type='translate' values='{}' {clock}/></g><g {PEN}>",
        shifts.join(";")
    );
    for layer in &scene.layers {
        let frames: Vec<String> = film
            .frames
            .iter()
            .zip(&path)
            .map(|(frame, &x)| layer.path(&super::film::Camera { x, ..camera }, frame))
            .collect();
        let _ = write!(
            svg,
            "<path {} d='{}'><animate attributeName='d' values='{}' {clock}/></path>",
            layer.style(&camera),
            frames[0],
            frames.join(";")
        );
    }
    svg += "</g>";
    svg += &scene.captions();
    svg += &time(seconds, camera.width, &clock);
    svg + "</svg>"
}

/// Whole seconds as they pass, and a bar that fills.
fn time(seconds: f64, width: f64, clock: &str) -> String {
    let right = width - 14.0;
    let mut svg = format!(
        "<rect class='paper' fill='{PAPER}' opacity='.8' x='{}' y='6' width='76' height='32' rx='6'/><svg x='{}' y='8' width='90' height='20'><g class='ink' fill='{INK}' font-size='13' font-weight='500' text-anchor='end'>",
        Num(right - 68.0),
        Num(right - 90.0)
    );
    let whole = (seconds as usize).min(120);
    let (mut places, mut times) = (Vec::new(), Vec::new());
    for second in 0..=whole {
        let _ = write!(
            svg,
            "<text x='90' y='{}'>{second} s</text>",
            16 + 20 * second
        );
        places.push(format!("0 -{}", 20 * second));
        times.push(format!("{:.4}", second as f64 / seconds.max(0.1)));
    }
    let _ = write!(
        svg,
        "<animateTransform attributeName='transform' type='translate' calcMode='discrete' values='{}' keyTimes='{}' {clock}/></g></svg>\
         <path class='grid' stroke='{GRID}' stroke-width='2' d='M{x} 33h60'/>\
         <path class='surface' stroke='{SURFACE}' stroke-width='2' d='M{x} 33h0'><animate attributeName='d' values='M{x} 33h0;M{x} 33h60' {clock}/></path>",
        places.join(";"),
        times.join(";"),
        x = Num(right - 60.0),
    );
    svg
}
