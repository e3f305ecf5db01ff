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

/// The new box of a mass that goes from one place to another, if it leaves the
/// one it has: with a margin, and reaching two steps ahead.
pub(crate) fn new_box(old: &Aabb, from: [f32; 2], to: [f32; 2]) -> Option<Aabb> {
    let mut new = *old;
    let mut leaves = false;
    for axis in 0..2 {
        let low = from[axis].min(to[axis]) - RADIUS;
        let high = from[axis].max(to[axis]) + RADIUS;
        leaves |= old.min[axis] > low || old.max[axis] < high;
        let ahead = 2.0 * (to[axis] - from[axis]);
        new.min[axis] = low - MARGIN + ahead.min(0.0);
        new.max[axis] = high + MARGIN + ahead.max(0.0);
    }
    leaves.then_some(new)
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
    fn a_box_is_renewed_only_when_left() {
        let old = fat_box([0.0, 0.0]);
        assert!(new_box(&old, [0.0, 0.0], [0.09, -0.09]).is_none());
        let new = new_box(&old, [0.0, 0.0], [0.0, -0.5]).expect("left");
        assert!(new.max[1] == old.max[1] && new.min[1] < old.min[1] - 1.4);
    }
}
