//! A walk as a GIF.

use std::collections::HashMap;

use ::gif::{DisposalMethod, Encoder, Frame, Repeat};

use super::film::{Camera, Film};
use super::scene::{self, Scene};
use super::{HEIGHT, RenderError, WIDTH, raster};

/// Colours in the one palette of all frames, beside the transparent one.
const COLOURS: usize = 31;
/// Frames from which the palette is made.
const SAMPLES: usize = 12;

pub(super) fn encode(scene: &Scene, film: &Film, scale: f32) -> Result<Vec<u8>, RenderError> {
    let camera = film.camera(scene.terrain, f64::from(WIDTH), f64::from(HEIGHT));
    let path = film.path();
    let draw = |i: usize| {
        let time = i as f64 * film.interval;
        let label =
            format!("x = {:.0} \u{b7} {time:.1} s", film.centre(i)).replace('-', "\u{2212}");
        let camera = Camera {
            x: path[i],
            ..camera
        };
        let picture = scene.moment(&camera, &film.frames[i])
            + &scene.captions()
            + &scene::label(camera.width, &label)
            + "</svg>";
        raster::pixels(&picture, scale)
    };
    let count = film.frames.len();
    let mut palette = Palette::default();
    for i in (0..count).step_by(count.div_ceil(SAMPLES)) {
        palette.see(draw(i)?.data());
    }
    palette.settle();

    let failed = |error: ::gif::EncodingError| RenderError::Encode(error.to_string());
    let size = |length: u32| (length as f32 * scale).round() as u16;
    let (width, height) = (size(WIDTH), size(HEIGHT));
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, width, height, &palette.bytes()).map_err(failed)?;
    encoder.set_repeat(Repeat::Infinite).map_err(failed)?;
    let mut shown = Vec::new();
    for i in 0..count {
        let now: Vec<u8> = draw(i)?
            .data()
            .chunks_exact(4)
            .map(|p| palette.nearest([p[0], p[1], p[2]]))
            .collect();
        // Where nothing changed the frame is transparent, which packs well.
        let gap = palette.transparent();
        let change = |(new, old): (&u8, &u8)| if new == old { gap } else { *new };
        let buffer: Vec<u8> = match i {
            0 => now.clone(),
            _ => now.iter().zip(&shown).map(change).collect(),
        };
        // Hundredths of a second without drift; the last frame stays a while.
        let tick = |i: usize| (100.0 * film.interval * i as f64).round();
        let delay = if i + 1 < count {
            tick(i + 1) - tick(i)
        } else {
            80.0
        };
        let frame = Frame {
            width,
            height,
            delay: delay as u16,
            dispose: DisposalMethod::Keep,
            transparent: Some(gap),
            buffer: buffer.into(),
            ..Frame::default()
        };
        encoder.write_frame(&frame).map_err(failed)?;
        shown = now;
    }
    drop(encoder);
    Ok(bytes)
}

/// The most frequent colours that differ visibly: flat areas keep their exact
/// colour, and the rest are steps of the smoothed edges between them.
#[derive(Default)]
struct Palette {
    seen: HashMap<[u8; 3], u64>,
    colours: Vec<[u8; 3]>,
    nearest: HashMap<[u8; 3], u8>,
}

impl Palette {
    fn see(&mut self, rgba: &[u8]) {
        for p in rgba.chunks_exact(4) {
            *self.seen.entry([p[0], p[1], p[2]]).or_default() += 1;
        }
    }

    /// Chooses the colours: first those most seen and far apart, then nearer ones.
    fn settle(&mut self) {
        let mut seen: Vec<_> = self.seen.drain().collect();
        seen.sort_by_key(|&(colour, times)| (std::cmp::Reverse(times), colour));
        for apart in [40, 24, 12, 4] {
            for (colour, _) in &seen {
                if self.colours.len() == COLOURS {
                    return;
                }
                if self
                    .colours
                    .iter()
                    .all(|c| distance(*c, *colour) >= apart * apart)
                {
                    self.colours.push(*colour);
                }
            }
        }
    }

    fn nearest(&mut self, colour: [u8; 3]) -> u8 {
        let colours = &self.colours;
        *self.nearest.entry(colour).or_insert_with(|| {
            (0..colours.len())
                .min_by_key(|&i| distance(colours[i], colour))
                .unwrap_or(0) as u8
        })
    }

    /// The index after the last colour.
    fn transparent(&self) -> u8 {
        self.colours.len() as u8
    }

    fn bytes(&self) -> Vec<u8> {
        [self.colours.concat(), vec![0; 3]].concat()
    }
}

fn distance(a: [u8; 3], b: [u8; 3]) -> i32 {
    let part = |i: usize| (i32::from(a[i]) - i32::from(b[i])).pow(2);
    part(0) + part(1) + part(2)
}
