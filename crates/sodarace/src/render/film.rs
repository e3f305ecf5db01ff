//! The frames that a picture shows, and the camera that follows them.

use super::RenderError;
use crate::{MASS_RADIUS, STEPS_PER_SECOND, Trajectory, Walker};

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
        let stride = STEPS_PER_SECOND.div_ceil(fps * steps).max(1);
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
            interval: f64::from(steps * stride) / f64::from(STEPS_PER_SECOND),
        })
    }

    /// Seconds from the first to the last frame.
    pub fn seconds(&self) -> f64 {
        (self.frames.len() - 1) as f64 * self.interval
    }

    /// The x of the centre of mass in a frame; all masses weigh the same.
    pub fn centre(&self, frame: usize) -> f64 {
        let frame = &self.frames[frame];
        frame.iter().map(|p| p[0]).sum::<f64>() / frame.len() as f64
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
    /// a dot); left and right are relative to `path`.
    pub fn extent(&self, path: &[f64]) -> [f64; 4] {
        let mut sides: [Vec<f64>; 4] = Default::default();
        for (frame, x) in self.frames.iter().zip(path) {
            let fold = |axis: usize, pick: fn(f64, f64) -> f64, start: f64| {
                frame.iter().map(|p| p[axis]).fold(start, pick)
            };
            sides[0].push(fold(0, f64::min, f64::INFINITY) - x);
            sides[1].push(fold(1, f64::min, f64::INFINITY));
            sides[2].push(fold(0, f64::max, f64::NEG_INFINITY) - x);
            sides[3].push(fold(1, f64::max, f64::NEG_INFINITY));
        }
        let mut rank = 0;
        sides.map(|mut side| {
            side.sort_by(f64::total_cmp);
            let last = side.len() - 1;
            let spare = last / 50;
            rank += 1;
            if rank <= 2 {
                side[spare] - MASS_RADIUS
            } else {
                side[last - spare] + MASS_RADIUS
            }
        })
    }

    /// A camera for a picture of this size, looking at the first frame, near
    /// enough to see the walker well and far enough to see it whole.
    pub fn camera(&self, width: f64, height: f64) -> Camera {
        let path = self.path();
        let [left, bottom, right, top] = self.extent(&path);
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
