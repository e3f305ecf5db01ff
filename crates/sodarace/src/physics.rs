//! The constants of the physics: the domain's and Box2D 2.3's
//! own, in single precision and evaluated in Box2D's order.

use std::f32::consts::PI;

use fearless_simd::prelude::*;

use crate::MASS_RADIUS;
use crate::course::SKIN;
use crate::rows::Vector;

/// Length of a step, seconds.
pub(crate) const DT: f32 = 1.0 / 60.0;
/// Length of a step for the muscles' clock, seconds.
pub(crate) const CLOCK_DT: f64 = 1.0 / 60.0;
/// Angular speed of every muscle, radians a second.
pub(crate) const ANGULAR_SPEED: f64 = 3.0;
/// Acceleration along y, world units per second squared.
pub(crate) const GRAVITY: f32 = -25.0;
/// Share of the velocity that a step's damping leaves.
pub(crate) const DAMPING: f32 = 1.0 - DT * 1.1;
/// Solver sweeps over velocities, and at most so many over positions.
pub(crate) const ITERATIONS: usize = 10;

/// Radius of a mass.
pub(crate) const RADIUS: f32 = MASS_RADIUS as f32;
/// Inverse of the mass of a disc of density 25.
pub(crate) const INV_MASS: f32 = 1.0 / (25.0 * PI * RADIUS * RADIUS);
/// Centres nearer than this to a segment touch it.
pub(crate) const TOUCH: f32 = SKIN + RADIUS;
/// Restitution of a mass on the ground.
pub(crate) const RESTITUTION: f32 = 0.1;
/// Slower contacts do not bounce.
pub(crate) const BOUNCE_SPEED: f32 = 1.0;

/// Box2D's linear slop.
pub(crate) const SLOP: f32 = 0.005;
/// Most that one position correction moves.
pub(crate) const MAX_CORRECTION: f32 = 0.2;
/// Share of a contact's error that one position correction removes.
pub(crate) const BAUMGARTE: f32 = 0.2;
/// Most that a mass moves in a step.
pub(crate) const MAX_TRANSLATION: f32 = 2.0;
/// Impulses are scaled by this from step to step (one, up to rounding).
pub(crate) const DT_RATIO: f32 = (1.0 / DT) * DT;

/// Effective mass of a rigid spring, two equal masses.
pub(crate) const ROD_MASS: f32 = 1.0 / (INV_MASS + INV_MASS);
const OMEGA: f32 = 2.0 * PI * 3.0;
const DAMPER: f32 = 2.0 * ROD_MASS * 0.3 * OMEGA;
/// Stiffness of a soft spring (3 Hz at [`ROD_MASS`]).
pub(crate) const STIFFNESS: f32 = ROD_MASS * OMEGA * OMEGA;
/// Softness of a soft spring, Box2D's gamma.
pub(crate) const GAMMA: f32 = 1.0 / (DT * (DAMPER + DT * STIFFNESS));
/// Effective mass of a soft spring.
pub(crate) const SOFT_MASS: f32 = 1.0 / (INV_MASS + INV_MASS + GAMMA);
/// Effective mass of a contact.
pub(crate) const CONTACT_MASS: f32 = 1.0 / INV_MASS;

/// The greater of two, the second if they are not ordered. (The processors'
/// own maximum differs between them for zeros and NaN.)
#[inline(always)]
pub(crate) fn greater<S: Simd>(a: Vector<S>, b: Vector<S>) -> Vector<S> {
    a.simd_gt(b).select(a, b)
}

/// The lesser of two, the second if they are not ordered.
#[inline(always)]
pub(crate) fn lesser<S: Simd>(a: Vector<S>, b: Vector<S>) -> Vector<S> {
    a.simd_lt(b).select(a, b)
}

/// The value within limits.
#[inline(always)]
pub(crate) fn clamp<S: Simd>(value: Vector<S>, low: Vector<S>, high: Vector<S>) -> Vector<S> {
    greater(low, lesser(value, high))
}
