//! Pictures of walkers: SVG stills and animations, PNG stills and strips, GIFs.
//!
//! Every picture is first an SVG text; PNG and GIF are rasterised from it, with
//! a font of our own, so that they look the same on a machine without fonts.
//! A rigid muscle is drawn slate grey. An active one is coloured by its phase
//! (the hue goes once round in one turn) and is the thicker the larger its
//! amplitude. Masses are drawn in their true size.
//!
//! All functions are deterministic: the same walker, terrain and trajectory
//! give the same bytes.

mod animation;
mod film;
mod gif;
pub mod palette;
mod raster;
mod scene;
mod strip;
pub mod xml;

pub use raster::png;

use crate::{MASS_RADIUS, Terrain, Trajectory, WORLD_PER_PROGRAM_UNIT, Walker};
use film::Film;
use scene::Scene;

/// Why a picture could not be drawn.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    /// The walker has no joints.
    #[error("the walker has no joints: there is nothing to draw")]
    NoJoints,
    /// A joint's position is infinite or not a number.
    #[error("joint {joint} is not at a finite position")]
    NotFinite {
        /// Which joint, counted from 0.
        joint: usize,
    },
    /// A muscle names a joint that the walker does not have.
    #[error("muscle {muscle} names joint {joint}, but the walker has {joints} joints")]
    NoSuchJoint {
        /// Which muscle, counted from 0.
        muscle: usize,
        /// The joint it names.
        joint: u16,
        /// How many joints there are.
        joints: usize,
    },
    /// The trajectory is of another walker.
    #[error(
        "frame {frame} of the trajectory has {found} positions, but the walker has {joints} joints"
    )]
    OtherWalker {
        /// Which frame, counted from 0.
        frame: usize,
        /// How many positions it has.
        found: usize,
        /// How many joints the walker has.
        joints: usize,
    },
    /// The trajectory holds no frame with finite positions, or says 0 steps between frames.
    #[error(
        "the trajectory has no usable frame: simulate at least one step, with `every` at least 1"
    )]
    NoFrames,
    /// A width, scale or number of moments is out of range.
    #[error("{what} must be {range}, not {found}")]
    OutOfRange {
        /// Which setting.
        what: &'static str,
        /// What it may be.
        range: &'static str,
        /// What it was.
        found: String,
    },
    /// The text given to [`png`] is not an SVG picture.
    #[error("not an SVG picture: {0}")]
    Svg(String),
    /// PNG or GIF encoding failed.
    #[error("cannot encode the picture: {0}")]
    Encode(String),
}

/// Width of a still or an animation in SVG units; the height is [`HEIGHT`].
pub const WIDTH: u32 = 640;
/// Height of a still or an animation in SVG units.
pub const HEIGHT: u32 = 360;
/// Simulated frames a second that a GIF shows at most.
pub const GIF_FPS: u32 = 20;
/// Simulated frames a second that an SVG animation stores at most; viewers interpolate between them.
pub const SVG_FPS: u32 = 12;

/// The walker at rest, where it starts on the terrain, as an SVG of [`WIDTH`] x [`HEIGHT`].
///
/// # Errors
/// [`RenderError::NoJoints`], [`RenderError::NotFinite`] or [`RenderError::NoSuchJoint`]
/// for a walker or terrain that cannot be drawn.
pub fn svg_still(walker: &Walker, terrain: &Terrain) -> Result<String, RenderError> {
    let scene = Scene::new(walker, terrain)?;
    let film = Film::still(rest(walker, terrain));
    let camera = film.camera(terrain, f64::from(WIDTH), f64::from(HEIGHT));
    Ok(scene.moment(&camera, &film.frames[0]) + &scene.captions() + "</svg>")
}

/// The walk as an SVG that moves by itself (SMIL, no script), with the camera
/// on the centre of mass; it loops.
///
/// # Errors
/// Those of [`svg_still`], and [`RenderError::OtherWalker`] or
/// [`RenderError::NoFrames`] for a trajectory that does not fit. Frames from
/// the first that is not finite on are left out.
pub fn svg_animation(
    walker: &Walker,
    terrain: &Terrain,
    trajectory: &Trajectory,
) -> Result<String, RenderError> {
    let scene = Scene::new(walker, terrain)?;
    let film = Film::new(walker, trajectory, SVG_FPS)?;
    Ok(animation::animate(&scene, &film))
}

/// [`svg_still`] as a PNG, `width` pixels wide (16 to 8192), 16:9.
///
/// # Errors
/// Those of [`svg_still`], and [`RenderError::OutOfRange`].
pub fn png_still(walker: &Walker, terrain: &Terrain, width: u32) -> Result<Vec<u8>, RenderError> {
    let scale = width_in_range(width, 8192)? / WIDTH as f32;
    png(&svg_still(walker, terrain)?, scale)
}

/// The walk as a looping GIF, `width` pixels wide (16 to 1280), 16:9, at most
/// [`GIF_FPS`] frames a second, in the walk's own time, with time and distance.
///
/// # Errors
/// Those of [`svg_animation`], and [`RenderError::OutOfRange`].
pub fn gif(
    walker: &Walker,
    terrain: &Terrain,
    trajectory: &Trajectory,
    width: u32,
) -> Result<Vec<u8>, RenderError> {
    let scale = width_in_range(width, 1280)? / WIDTH as f32;
    let scene = Scene::new(walker, terrain)?;
    let film = Film::new(walker, trajectory, GIF_FPS)?;
    gif::encode(&scene, &film, scale)
}

/// World units that [`solid`] shows: so far to both sides of the start, and from so far below y = 0 to so far above.
const SHOWN: [f64; 3] = [240.0, 40.0, 200.0];

/// What of a terrain is solid, as a picture for a network: for each pixel the solid share of it, 0 to 1, rows from the top. It shows 240 world
/// units to both sides of the start, and 40 below to 200 above y = 0; so it is twice as wide as high.
///
/// # Errors
/// [`RenderError::OutOfRange`] for a height of 0 or more than 1024 pixels.
pub fn solid(terrain: &Terrain, height: u32) -> Result<Vec<f32>, RenderError> {
    if !(1..=1024).contains(&height) {
        return Err(RenderError::OutOfRange {
            what: "the height",
            range: "from 1 to 1024 pixels",
            found: height.to_string(),
        });
    }
    let [side, below, above] = SHOWN;
    let svg = scene::soil(terrain, [-side, side], [-below, above]);
    let pixels = raster::pixels(&svg, (f64::from(height) / (below + above)) as f32)?;
    Ok(pixels
        .pixels()
        .iter()
        .map(|pixel| f32::from(pixel.alpha()) / 255.0)
        .collect())
}

/// Several moments of the walk in one SVG: where they stand apart on the
/// ground, in one stroboscopic picture, else side by side.
///
/// `moments` is the number of moments, from 2 to 24; a stroboscopic picture
/// shows fewer where they would overlap.
///
/// # Errors
/// Those of [`svg_animation`], and [`RenderError::OutOfRange`].
pub fn svg_strip(
    walker: &Walker,
    terrain: &Terrain,
    trajectory: &Trajectory,
    moments: usize,
) -> Result<String, RenderError> {
    if !(2..=24).contains(&moments) {
        return Err(RenderError::OutOfRange {
            what: "the number of moments",
            range: "from 2 to 24",
            found: moments.to_string(),
        });
    }
    let scene = Scene::new(walker, terrain)?;
    let film = Film::new(walker, trajectory, 60)?;
    Ok(strip::strip(&scene, &film, moments))
}

/// [`svg_strip`] as a PNG, `width` pixels wide (16 to 8192).
///
/// # Errors
/// Those of [`svg_strip`].
pub fn png_strip(
    walker: &Walker,
    terrain: &Terrain,
    trajectory: &Trajectory,
    moments: usize,
    width: u32,
) -> Result<Vec<u8>, RenderError> {
    let scale = width_in_range(width, 8192)? / strip::WIDTH as f32;
    png(&svg_strip(walker, terrain, trajectory, moments)?, scale)
}

fn width_in_range(width: u32, most: u32) -> Result<f32, RenderError> {
    if (16..=most).contains(&width) {
        return Ok(width as f32);
    }
    Err(RenderError::OutOfRange {
        what: "the picture's width",
        range: if most == 8192 {
            "from 16 to 8192 pixels"
        } else {
            "from 16 to 1280 pixels"
        },
        found: width.to_string(),
    })
}

/// Where the walker's joints are at the start, in world units.
fn rest(walker: &Walker, terrain: &Terrain) -> Vec<[f64; 2]> {
    let world = |axis: usize| {
        walker
            .joints
            .iter()
            .map(move |j| j[axis] * WORLD_PER_PROGRAM_UNIT)
    };
    let least = |axis| world(axis).fold(f64::INFINITY, f64::min);
    let most = |axis| world(axis).fold(f64::NEG_INFINITY, f64::max);
    let middle = (least(0) + most(0)) / 2.0;
    let lift = terrain.lift() + MASS_RADIUS - least(1);
    world(0)
        .zip(world(1))
        .map(|(x, y)| [x - middle, y + lift])
        .collect()
}
