//! The frames that a picture shows, and the camera that follows them.

use super::RenderError;
use super::scene::between;
use crate::terrain::MAX_COORDINATE;
use crate::{MASS_RADIUS, STEPS_PER_SECOND, Terrain, Trajectory, Walker};

/// Joint positions in world units at equal distances in time.
pub(super) struct Film {
    /// At least one frame, all of equal length and finite.
    pub frames: Vec<Vec<[f64; 2]>>,
    /// Seconds from one frame to the next.
    pub interval: f64,
}

/// What part of the world a picture shows.
#[derive(Clone, Copy)]
pub(super) struct Camera {
    /// World x in the middle of the picture.
    pub x: f64,
    /// World y at the height of `horizon`.
    pub y: f64,
    /// Pixels in a world unit.
    pub scale: f64,
    /// Size in pixels.
    pub width: f64,
    /// Size in pixels.
    pub height: f64,
}

impl Camera {
    /// Share of the height at which the lowest point of the walk lies.
    const HORIZON: f64 = 0.8;

    pub fn pixel(&self, [x, y]: [f64; 2]) -> [f64; 2] {
        [
            self.width / 2.0 + (x - self.x) * self.scale,
            self.height * Self::HORIZON - (y - self.y) * self.scale,
        ]
    }

    /// World x at the left and right edge.
    pub fn span(&self) -> [f64; 2] {
        let half = self.width / 2.0 / self.scale;
        [self.x - half, self.x + half]
    }
}

impl Film {
    pub fn still(frame: Vec<[f64; 2]>) -> Film {
        Film {
            frames: vec![frame],
            interval: 0.0,
        }
    }

    /// The frames of a walk, thinned to at most `fps` a second.
    pub fn new(walker: &Walker, walk: &Trajectory, fps: u32) -> Result<Film, RenderError> {
        let joints = walker.joints.len();
        for (frame, positions) in walk.frames.iter().enumerate() {
            if positions.len() != joints {
                let found = positions.len();
                return Err(RenderError::OtherWalker {
                    frame,
                    found,
                    joints,
                });
            }
        }
        let steps = walk.every.max(1);
        let stride = STEPS_PER_SECOND.div_ceil(fps.saturating_mul(steps)).max(1);
        let finite = |frame: &&Vec<[f32; 2]>| frame.iter().flatten().all(|c| c.is_finite());
        let frames: Vec<_> = walk.frames.iter().take_while(finite).collect();
        if frames.is_empty() || walk.every == 0 {
            return Err(RenderError::NoFrames);
        }
        let wide = |frame: &Vec<[f32; 2]>| frame.iter().map(|p| p.map(f64::from)).collect();
        Ok(Film {
            frames: frames
                .into_iter()
                .step_by(stride as usize)
                .map(wide)
                .collect(),
            interval: f64::from(steps) * f64::from(stride) / f64::from(STEPS_PER_SECOND),
        })
    }

    /// Seconds from the first to the last frame.
    pub fn seconds(&self) -> f64 {
        (self.frames.len() - 1) as f64 * self.interval
    }

    /// The x of the centre of mass in a frame (all masses weigh the same), held
    /// within where terrains can be.
    pub fn centre(&self, frame: usize) -> f64 {
        let frame = &self.frames[frame];
        let mean = frame.iter().map(|p| p[0]).sum::<f64>() / frame.len() as f64;
        mean.clamp(-MAX_COORDINATE, MAX_COORDINATE)
    }

    /// Where the camera looks in each frame: the centre of mass, smoothed over
    /// about a second so that the picture does not shake.
    pub fn path(&self) -> Vec<f64> {
        let centres: Vec<f64> = (0..self.frames.len()).map(|i| self.centre(i)).collect();
        let reach = if self.interval > 0.0 {
            (0.5 / self.interval).ceil() as usize
        } else {
            0
        };
        (0..centres.len())
            .map(|i| {
                // The same reach to both sides: no lag, and no jump at the ends.
                let reach = reach.min(i).min(centres.len() - 1 - i);
                let window = &centres[i - reach..=i + reach];
                window.iter().sum::<f64>() / window.len() as f64
            })
            .collect()
    }

    /// Left, bottom, right and top that hold the walker in all but the 2 % of
    /// frames farthest out (a walker that bursts must not shrink the rest to
    /// a dot); left and right are relative to `path`. The bottom includes the
    /// valleys of the ground, unless they are far below the walker.
    pub fn extent(&self, terrain: &Terrain, path: &[f64]) -> [f64; 4] {
        let side = |axis: usize, sign: f64| {
            let farthest = |(frame, x): (&Vec<[f64; 2]>, &f64)| {
                let origin = if axis == 0 { *x } else { 0.0 };
                let out = frame.iter().map(|p| sign * (p[axis] - origin));
                out.fold(f64::NEG_INFINITY, f64::max)
            };
            let mut out: Vec<f64> = self.frames.iter().zip(path).map(farthest).collect();
            out.sort_by(f64::total_cmp);
            let last = out.len() - 1;
            sign * (out[last - last / 50] + MASS_RADIUS)
        };
        let [left, bottom, right, top] = [side(0, -1.0), side(1, -1.0), side(0, 1.0), side(1, 1.0)];
        let nearest = path.iter().copied().fold(f64::INFINITY, f64::min) + left;
        let farthest = path.iter().copied().fold(f64::NEG_INFINITY, f64::max) + right;
        let floor = between(&terrain.ground, nearest, farthest);
        let floor = floor.iter().map(|p| p[1]).fold(f64::INFINITY, f64::min);
        let bottom = floor.clamp(bottom - 0.4 * (top - bottom), bottom);
        [left, bottom, right, top]
    }

    /// A camera for a picture of this size, looking at the first frame, near
    /// enough to see the walker well and far enough to see it whole.
    pub fn camera(&self, terrain: &Terrain, width: f64, height: f64) -> Camera {
        let path = self.path();
        let [left, bottom, right, top] = self.extent(terrain, &path);
        let reach = right.max(-left);
        let scale = (0.4 * width / reach).min(0.62 * height / (top - bottom));
        Camera {
            x: path[0],
            y: bottom,
            scale: scale.clamp(1e-4, width / 110.0),
            width,
            height,
        }
    }
}
