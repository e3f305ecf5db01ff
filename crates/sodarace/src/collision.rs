//! A mass against a piece of ground or ceiling: what it touches, and the box in
//! which the broad phase looks for it.

use crate::course::{Aabb, MARGIN};
use crate::physics::{RADIUS, TOUCH};

/// What of a segment a mass touches; impulses carry over while it stays.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Touch {
    /// Somewhere along it.
    Face,
    /// Its first end.
    EndA,
    /// Its last end.
    EndB,
}

impl Touch {
    /// What of the segment from `a` to `b` a mass at `q` touches.
    #[inline(always)]
    pub fn find(q: [f32; 2], a: [f32; 2], b: [f32; 2]) -> Option<Touch> {
        let dot = |p: [f32; 2], q: [f32; 2]| p[0] * q[0] + p[1] * q[1];
        let sub = |p: [f32; 2], q: [f32; 2]| [p[0] - q[0], p[1] - q[1]];
        let e = sub(b, a);
        let u = dot(e, sub(b, q));
        let v = dot(e, sub(q, a));
        let (touch, nearest) = if v <= 0.0 {
            (Touch::EndA, a)
        } else if u <= 0.0 {
            (Touch::EndB, b)
        } else {
            let scale = 1.0 / dot(e, e);
            let nearest = |i: usize| scale * (u * a[i] + v * b[i]);
            (Touch::Face, [nearest(0), nearest(1)])
        };
        let d = sub(q, nearest);
        (dot(d, d) <= TOUCH * TOUCH).then_some(touch)
    }
}

/// The unit vector, or the vector as it is if it is too short.
#[inline(always)]
pub(crate) fn normalize(x: f32, y: f32) -> (f32, f32) {
    let length = (x * x + y * y).sqrt();
    let scale = if length < f32::EPSILON {
        1.0
    } else {
        1.0 / length
    };
    (x * scale, y * scale)
}

/// The box of a mass at rest, with the broad phase's margin.
pub(crate) fn fat_box([x, y]: [f32; 2]) -> Aabb {
    Aabb {
        min: [x - RADIUS - MARGIN, y - RADIUS - MARGIN],
        max: [x + RADIUS + MARGIN, y + RADIUS + MARGIN],
    }
}

/// The box of a mass that goes from one place to another, with the margin and
/// reaching two steps ahead.
pub(crate) fn swept_box(from: [f32; 2], to: [f32; 2]) -> Aabb {
    let side = |axis: usize| {
        let low = from[axis].min(to[axis]) - RADIUS;
        let high = from[axis].max(to[axis]) + RADIUS;
        let ahead = 2.0 * (to[axis] - from[axis]);
        (
            low - MARGIN + ahead.min(0.0),
            high + MARGIN + ahead.max(0.0),
        )
    };
    let (x, y) = (side(0), side(1));
    Aabb {
        min: [x.0, y.0],
        max: [x.1, y.1],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mass_touches_the_nearest_part() {
        let touch = |x, y| Touch::find([x, y], [0.0, 0.0], [10.0, 0.0]);
        assert_eq!(touch(5.0, 1.9), Some(Touch::Face));
        assert_eq!(touch(5.0, -1.9), Some(Touch::Face));
        assert_eq!(touch(5.0, 1.97), None);
        assert_eq!(touch(-1.0, 1.0), Some(Touch::EndA));
        assert_eq!(touch(11.0, -1.0), Some(Touch::EndB));
        assert_eq!(touch(12.0, 1.0), None);
    }

    #[test]
    fn a_swept_box_reaches_ahead() {
        let (rest, swept) = (fat_box([0.0, 0.0]), swept_box([0.0, 0.0], [0.0, -0.5]));
        assert!(swept.max == rest.max && swept.min[0] == rest.min[0]);
        assert!((swept.min[1] - (rest.min[1] - 1.5)).abs() < 1e-6);
    }
}
