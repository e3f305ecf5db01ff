//! Terrain, walker and legend as SVG.
//!
//! Elements that a page may want to recolour (for a dark theme) carry a class:
//! `paper`, `ink`, `faint`, `grid`, `soil`, `surface`, `rigid` or `mass`.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::RenderError;
use super::film::Camera;
use super::palette::{self, FAINT, GRID, INK, MASS, PAPER, RIGID, SOIL, SURFACE};
use super::xml::{Num, escape};
use crate::{Drive, MASS_RADIUS, Terrain, Walker};

/// Joints that one stroke of the pen visits, one after the other; a chain of
/// a single joint is a dot.
type Chain = Vec<usize>;

/// What is drawn of the walker in one path, because it looks alike.
pub(super) struct Layer {
    class: &'static str,
    colour: String,
    /// Line width in radii of a mass.
    width: f64,
    chains: Vec<Chain>,
}

/// A walker and its terrain, checked and sorted for drawing.
pub(super) struct Scene<'a> {
    pub terrain: &'a Terrain,
    /// From back to front.
    pub layers: Vec<Layer>,
}

/// How a muscle looks. Phases are rounded to sixteenths of a turn and
/// amplitudes to quarters of the largest, so that few paths are needed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Look {
    Rigid,
    Active { phase: u8, amplitude: u8 },
}

impl Look {
    fn of(drive: Drive) -> Look {
        match drive {
            Drive::Rigid => Look::Rigid,
            Drive::Active { amplitude, phase } => {
                // A negative amplitude is a positive one half a turn later.
                let turn = phase + if amplitude < 0.0 { 0.5 } else { 0.0 };
                Look::Active {
                    phase: (turn.rem_euclid(1.0) * 16.0).round() as u8 % 16,
                    amplitude: (amplitude.abs() * 4.0).round().min(4.0) as u8,
                }
            }
        }
    }

    fn layer(self, chains: Vec<Chain>) -> Layer {
        let (class, colour, width) = match self {
            Look::Rigid => ("rigid", RIGID.to_string(), 0.5),
            Look::Active { phase, amplitude } => {
                let colour = palette::phase(f64::from(phase) / 16.0);
                ("active", colour, 0.36 + 0.17 * f64::from(amplitude))
            }
        };
        Layer {
            class,
            colour,
            width,
            chains,
        }
    }
}

impl Layer {
    /// The path's attributes but `d`, in quarter pixels.
    pub fn style(&self, camera: &Camera) -> String {
        // Masses have their true size, but stay visible from far away.
        let radius = 4.0 * (MASS_RADIUS * camera.scale).max(2.0);
        let (class, colour) = (self.class, &self.colour);
        let width = Num((radius * self.width).round());
        format!("class='{class}' stroke='{colour}' stroke-width='{width}'")
    }

    /// The path through a frame, in whole quarter pixels. The commands depend
    /// on the walker alone, so that viewers can interpolate between frames.
    pub fn path(&self, camera: &Camera, frame: &[[f64; 2]]) -> String {
        let mut d = String::new();
        let mut pen = [0, 0];
        for chain in &self.chains {
            for (i, &joint) in chain.iter().enumerate() {
                let to = camera
                    .pixel(frame[joint])
                    .map(|c| (c * 4.0).clamp(-1e6, 1e6).round() as i32);
                if i == 0 {
                    let _ = write!(d, "M{} {}", to[0], to[1]);
                } else {
                    let sep = if i == 1 { 'l' } else { ' ' };
                    let _ = write!(d, "{sep}{} {}", to[0] - pen[0], to[1] - pen[1]);
                }
                pen = to;
            }
            if chain.len() == 1 {
                d += "h0";
            }
        }
        d
    }
}

impl<'a> Scene<'a> {
    pub fn new(walker: &Walker, terrain: &'a Terrain) -> Result<Scene<'a>, RenderError> {
        let joints = walker.joints.len();
        if joints == 0 {
            return Err(RenderError::NoJoints);
        }
        if let Some(joint) = walker
            .joints
            .iter()
            .position(|j| !j.iter().all(|c| c.is_finite()))
        {
            return Err(RenderError::NotFinite { joint });
        }
        let mut looks: BTreeMap<Look, Vec<[usize; 2]>> = BTreeMap::new();
        for (muscle, m) in walker.muscles.iter().enumerate() {
            if let Some(&joint) = [m.a, m.b].iter().find(|&&j| usize::from(j) >= joints) {
                return Err(RenderError::NoSuchJoint {
                    muscle,
                    joint,
                    joints,
                });
            }
            looks
                .entry(Look::of(m.drive))
                .or_default()
                .push([m.a.into(), m.b.into()]);
        }
        let mut layers: Vec<Layer> = looks
            .into_iter()
            .map(|(look, edges)| look.layer(chains(edges)))
            .collect();
        layers.push(Layer {
            class: "mass",
            colour: MASS.into(),
            width: 2.0,
            chains: (0..joints).map(|joint| vec![joint]).collect(),
        });
        Ok(Scene { terrain, layers })
    }

    /// A whole picture of one moment, without captions and `</svg>`.
    pub fn moment(&self, camera: &Camera, frame: &[[f64; 2]]) -> String {
        open(camera.width, camera.height)
            + &self.world(camera, camera.span())
            + &self.walker(camera, frame, 1.0)
    }

    /// Grid, ground, ceiling and distances, between two world x.
    pub fn world(&self, camera: &Camera, [left, right]: [f64; 2]) -> String {
        let (h, axis) = (camera.height, camera.height - 24.0);
        let x = |x: f64| Num(camera.pixel([x, 0.0])[0]);
        let step = tick_step(78.0 / camera.scale);
        let (mut grid, mut ticks, mut texts) = (String::new(), String::new(), String::new());
        for i in (left / step).floor() as i64..=(right / step).ceil() as i64 {
            let at = i as f64 * step;
            let _ = write!(grid, "M{} 0V{}", x(at), Num(h));
            let _ = write!(ticks, "M{} {axis}v6M{} {axis}v3", x(at), x(at + step / 2.0));
            // No labels that the picture's edge would cut.
            if (at - left).min(right - at) * camera.scale > 14.0 {
                let text = Num(at).to_string().replace('-', "\u{2212}");
                let _ = write!(
                    texts,
                    "<text x='{}' y='{}'>{text}</text>",
                    x(at),
                    Num(h - 6.0)
                );
            }
        }
        let mut svg = format!("<path class='grid' stroke='{GRID}' d='{grid}'/>");
        for (line, outside) in [
            (&self.terrain.ground, h + 4.0),
            (&self.terrain.ceiling, -4.0),
        ] {
            if line.is_empty() {
                continue;
            }
            let margin = 4.0 / camera.scale;
            let mut d = String::new();
            for (i, corner) in between(line, left - margin, right + margin)
                .into_iter()
                .enumerate()
            {
                let [x, y] = camera.pixel(corner);
                let _ = write!(d, "{}{} {}", if i == 0 { 'M' } else { 'L' }, Num(x), Num(y));
            }
            let _ = write!(
                svg,
                "<path class='soil' fill='{SOIL}' d='{d}V{}H{}Z'/>\
                 <path class='surface' fill='none' stroke='{SURFACE}' stroke-width='1.5' stroke-linejoin='round' d='{d}'/>",
                Num(outside),
                x(left - margin),
            );
        }
        let _ = write!(
            svg,
            "<path class='surface' stroke='{SURFACE}' stroke-dasharray='2 4' d='M{} 0V{}'/>\
             <path class='surface' stroke='{SURFACE}' d='{ticks}'/>\
             <g class='faint' fill='{FAINT}' font-size='11' text-anchor='middle'>{texts}</g>",
            x(0.0),
            axis - 4.0,
        );
        svg
    }

    /// The walker in one frame.
    pub fn walker(&self, camera: &Camera, frame: &[[f64; 2]], opacity: f64) -> String {
        let mut svg = format!("<g {PEN} opacity='{}'>", Num(opacity));
        for layer in &self.layers {
            let _ = write!(
                svg,
                "<path {} d='{}'/>",
                layer.style(camera),
                layer.path(camera, frame)
            );
        }
        svg + "</g>"
    }

    /// The terrain's name and what the walker's colours mean.
    pub fn captions(&self) -> String {
        let mut svg = format!(
            "<rect class='paper' fill='{PAPER}' opacity='.8' x='6' y='6' width='264' height='46' rx='6'/>\
             <text class='ink' x='14' y='24' font-size='13' font-weight='500' fill='{INK}'>{}</text>\
             <g class='faint' fill='{FAINT}' font-size='10.5'>\
             <path class='rigid' stroke='{RIGID}' stroke-width='2' d='M14 39h16'/><text x='35' y='43'>rigid</text>",
            escape(&self.terrain.name),
        );
        for i in 0..16 {
            let colour = palette::phase(f64::from(i) / 16.0);
            let _ = write!(
                svg,
                "<path fill='{colour}' d='M{} 36h3v6h-3z'/>",
                72 + 3 * i
            );
        }
        svg + "<text x='125' y='43'>phase</text>\
               <path d='M170 38.5L194 36v6L170 39.5z'/><text x='199' y='43'>amplitude</text></g>"
    }
}

/// A label in the upper right corner of a picture this wide.
pub(super) fn label(width: f64, text: &str) -> String {
    // In wide steps, so that the box does not twitch as numbers grow.
    let box_width = 16.0 + 36.0 * (text.chars().count() as f64 / 5.0).ceil();
    format!(
        "<rect class='paper' fill='{PAPER}' opacity='.8' x='{}' y='6' width='{}' height='26' rx='6'/>\
         <text class='ink' x='{}' y='24' text-anchor='end' font-size='13' font-weight='500' fill='{INK}'>{}</text>",
        Num(width - 6.0 - box_width),
        Num(box_width),
        Num(width - 14.0),
        escape(text),
    )
}

/// How a walker's lines are drawn: its paths are in quarter pixels.
pub(super) const PEN: &str =
    "fill='none' stroke-linecap='round' stroke-linejoin='round' transform='scale(.25)'";

/// The start of a picture: its size, font and background.
pub(super) fn open(width: f64, height: f64) -> String {
    let (w, h) = (Num(width), Num(height));
    // The page's own font serves where Roboto is not installed.
    format!(
        "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {w} {h}' width='{w}' height='{h}' \
         font-family='Roboto,system-ui,sans-serif' role='img'>\
         <path class='paper' fill='{PAPER}' d='M0 0H{w}V{h}H0Z'/>"
    )
}

/// The least of 1, 2, 5, 10, 20, ... (and their tenths) that is at least `least`.
fn tick_step(least: f64) -> f64 {
    let power = libm::pow(10.0, least.log10().floor());
    [1.0, 2.0, 5.0, 10.0]
        .map(|m| m * power)
        .into_iter()
        .find(|s| *s >= least)
        .unwrap_or(least)
}

/// Ground and ceiling alone, solid on nothing, one unit of the SVG to a world unit.
pub(super) fn soil(terrain: &Terrain, [left, right]: [f64; 2], [low, high]: [f64; 2]) -> String {
    let (width, height) = (right - left, high - low);
    let mut svg = format!(
        "<svg xmlns='http://www.w3.org/2000/svg' width='{width}' height='{height}' viewBox='{left} {} {width} {height}'>",
        -high
    );
    for (line, outside) in [
        (&terrain.ground, 1.0 - low),
        (&terrain.ceiling, -high - 1.0),
    ] {
        let corners = between(line, left - 1.0, right + 1.0);
        let (Some(first), Some(last)) = (corners.first(), corners.last()) else {
            continue;
        };
        let _ = write!(svg, "<path d='M{} {outside}", first[0]);
        for [x, y] in &corners {
            // Far away is as good as out of the picture.
            let y = y.clamp(low - 2.0 * height, high + 2.0 * height);
            let _ = write!(svg, "L{x} {}", -y);
        }
        let _ = write!(svg, "L{} {outside}Z'/>", last[0]);
    }
    svg + "</svg>"
}

/// The part of a line that runs from left to right between two x; beyond its
/// ends it goes on level.
pub(super) fn between(line: &[[f64; 2]], left: f64, right: f64) -> Vec<[f64; 2]> {
    if line.is_empty() {
        return Vec::new();
    }
    let at = |x: f64| {
        let next = line.partition_point(|p| p[0] < x);
        let ([x0, y0], [x1, y1]) = (line[next.saturating_sub(1)], line[next.min(line.len() - 1)]);
        let share = if x1 > x0 {
            ((x - x0) / (x1 - x0)).clamp(0.0, 1.0)
        } else {
            0.0
        };
        [x, y0 + share * (y1 - y0)]
    };
    let mut part = vec![at(left)];
    part.extend(line.iter().filter(|p| left < p[0] && p[0] < right));
    part.push(at(right));
    part
}

/// Orders edges into few chains, so that a path names most joints once.
fn chains(mut edges: Vec<[usize; 2]>) -> Vec<Chain> {
    let mut chains = Vec::new();
    while !edges.is_empty() {
        let [a, b] = edges.remove(0);
        let mut chain = vec![a, b];
        let mut end = b;
        while let Some(i) = edges.iter().position(|e| e.contains(&end)) {
            let [a, b] = edges.remove(i);
            end = if a == end { b } else { a };
            chain.push(end);
        }
        chains.push(chain);
    }
    chains
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chains_draw_every_edge_once() {
        let edges = vec![[0, 1], [1, 2], [2, 0], [0, 3], [4, 5]];
        let mut drawn: Vec<[usize; 2]> = chains(edges.clone())
            .iter()
            .flat_map(|c| {
                c.windows(2)
                    .map(|w| [w[0].min(w[1]), w[0].max(w[1])])
                    .collect::<Vec<_>>()
            })
            .collect();
        drawn.sort();
        let mut all: Vec<[usize; 2]> = edges
            .iter()
            .map(|e| [e[0].min(e[1]), e[0].max(e[1])])
            .collect();
        all.sort();
        assert_eq!(drawn, all);
        assert_eq!(chains(edges).len(), 2);
    }

    #[test]
    fn lines_are_cut_and_go_on_level() {
        let line = [[0.0, 0.0], [10.0, 10.0], [10.0, 20.0]];
        assert_eq!(
            between(&line, -5.0, 5.0),
            [[-5.0, 0.0], [0.0, 0.0], [5.0, 5.0]]
        );
        assert_eq!(between(&line, 9.0, 30.0).last(), Some(&[30.0, 20.0]));
        assert_eq!(
            between(&[[1.0, 2.0]], 0.0, 3.0),
            [[0.0, 2.0], [1.0, 2.0], [3.0, 2.0]]
        );
    }

    #[test]
    fn ticks_are_round() {
        for (least, step) in [
            (0.7, 1.0),
            (1.0, 1.0),
            (39.0, 50.0),
            (51.0, 100.0),
            (0.04, 0.05),
        ] {
            assert!((tick_step(least) - step).abs() < 1e-9, "{least}");
        }
    }

    #[test]
    fn negative_amplitude_is_half_a_turn() {
        let look = |amplitude, phase| Look::of(Drive::Active { amplitude, phase });
        assert!(look(-0.5, 0.25) == look(0.5, 0.75));
        assert!(look(0.5, -0.25) == look(0.5, 0.75));
        assert!(look(1.0, 0.99) == look(1.0, 0.0));
    }
}
