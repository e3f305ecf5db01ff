//! Masses against ground and ceiling, as Box2D 2.3 does circles against edges.
//!
//! Masses touch no other masses, and each contact moves one mass only, so only
//! the order of contacts on the same mass matters: newest first, where a
//! contact is as old as the overlap of the mass's and the segment's boxes.

use fearless_simd::prelude::*;

use crate::collision::{Touch, fat_box, normalize, swept_box};
use crate::course::{Aabb, Course, SKIN, Segment};
use crate::physics::*;
use crate::rows::{LANES, Mass, Pair, Row, Vector};

/// All contacts of the walkers.
pub(crate) struct Contacts {
    /// Each mass's box in the broad phase.
    boxes: Vec<BoxRow>,
    /// Each lane's pairs of overlapping boxes, oldest first.
    pairs: [Vec<Near>; LANES],
    /// The touching pairs, those of one mass in as few rows as possible.
    rows: Vec<ContactRow>,
    /// The first row of each mass, or [`NO_ROW`].
    first_row: Vec<u32>,
}

const NO_ROW: u32 = u32::MAX;

/// The boxes of one mass a lane.
#[derive(Clone, Copy)]
struct BoxRow {
    min: Pair,
    max: Pair,
}

/// A mass whose box overlaps a segment's.
#[derive(Clone, Copy)]
struct Near {
    mass: u32,
    segment: u32,
    /// Where it stands in this step, if it touches.
    row: u32,
    touch: Option<Touch>,
    normal_impulse: f32,
    tangent_impulse: f32,
}

/// Contacts of one mass, one a lane. A lane without one has a normal of zero,
/// so that its impulses do nothing.
#[derive(Clone, Copy)]
struct ContactRow {
    mass: usize,
    /// 1 in lanes that have one, else 0.
    used: Row,
    /// 1 in lanes where it is a corner, so that the normal turns with the mass.
    corner: Row,
    corners: bool,
    /// A point of the surface.
    point: Pair,
    /// Away from the surface.
    normal: Pair,
    bounce: Row,
    normal_impulse: Row,
    tangent_impulse: Row,
}

impl Contacts {
    pub fn new(positions: &[impl Mass], masses: &[usize; LANES], course: &Course) -> Self {
        let spare = positions.len();
        // Masses that a lane does not have get boxes that they never leave.
        let mut contacts = Contacts {
            boxes: vec![BoxRow::EVERYWHERE; spare],
            pairs: std::array::from_fn(|_| Vec::new()),
            rows: Vec::new(),
            first_row: vec![NO_ROW; spare],
        };
        for (lane, &masses) in masses.iter().enumerate() {
            for (mass, position) in positions.iter().enumerate().take(masses) {
                let fat = fat_box(position.get(lane));
                contacts.boxes[mass].set(lane, &fat);
                contacts.find_pairs(mass, lane, &fat, course);
            }
        }
        contacts
    }

    /// Drops the pairs whose boxes have parted and finds those that touch.
    #[inline(always)]
    pub fn collide(&mut self, positions: &[impl Mass], course: &Course) {
        for row in self.rows.drain(..) {
            self.first_row[row.mass] = NO_ROW;
        }
        for lane in 0..LANES {
            let boxes = &self.boxes;
            self.pairs[lane].retain_mut(|pair| {
                let mass = pair.mass as usize;
                let segment = course.segment(pair.segment);
                let stays = boxes[mass].get(lane).overlaps(&segment.fat);
                if stays {
                    let at = positions[mass].get(lane);
                    let touch = Touch::find(at, segment.a, segment.b);
                    if touch != pair.touch || touch.is_none() {
                        pair.normal_impulse = 0.0;
                        pair.tangent_impulse = 0.0;
                    }
                    pair.touch = touch;
                }
                stays
            });
            let (rows, first_row) = (&mut self.rows, &mut self.first_row);
            let pairs = self.pairs[lane].iter_mut().rev();
            for pair in pairs.filter(|pair| pair.touch.is_some()) {
                let mass = pair.mass as usize;
                let mut row = (first_row[mass] as usize).min(rows.len());
                while row < rows.len() && (rows[row].mass != mass || rows[row].used[lane] > 0.0) {
                    row += 1;
                }
                if row == rows.len() {
                    rows.push(ContactRow::unused(mass));
                    first_row[mass] = first_row[mass].min(row as u32);
                }
                pair.row = row as u32;
                let at = positions[mass].get(lane);
                rows[row].set(lane, pair, at, course.segment(pair.segment));
            }
        }
    }

    /// Normals, bounce, and the last step's impulses once more.
    #[inline(always)]
    pub fn prepare<S: Simd>(
        &mut self,
        simd: S,
        positions: &[impl Mass],
        velocities: &mut [impl Mass],
    ) {
        // Every bounce is taken from the velocities before any impulse.
        for row in &mut self.rows {
            if row.corners {
                row.turn(positions);
            }
            let [nx, ny] = row.normal.load(simd);
            let [vx, vy] = velocities[row.mass].load(simd);
            let zero = Vector::splat(simd, 0.0);
            let speed = nx * vx + ny * vy;
            let fast = speed.simd_lt(-BOUNCE_SPEED);
            row.bounce.store(fast.select(speed * -RESTITUTION, zero));
            row.normal_impulse
                .store(row.normal_impulse.load(simd) * DT_RATIO);
            row.tangent_impulse
                .store(row.tangent_impulse.load(simd) * DT_RATIO);
        }
        for row in &self.rows {
            let [nx, ny] = row.normal.load(simd);
            let n = row.normal_impulse.load(simd);
            let t = row.tangent_impulse.load(simd);
            let velocity = &mut velocities[row.mass];
            let [vx, vy] = velocity.load(simd);
            velocity.store([
                vx + (n * nx + t * ny) * INV_MASS,
                vy + (n * ny + t * -nx) * INV_MASS,
            ]);
        }
    }

    /// One sweep over the velocities: friction first, then the normal.
    #[inline(always)]
    pub fn solve_velocities<S: Simd>(&mut self, simd: S, velocities: &mut [impl Mass]) {
        for row in &mut self.rows {
            let [nx, ny] = row.normal.load(simd);
            let [tx, ty] = [ny, -nx];
            let velocity = &mut velocities[row.mass];
            let [vx, vy] = velocity.load(simd);

            let along = vx * tx + vy * ty;
            let most = row.normal_impulse.load(simd); // friction is 1
            let old = row.tangent_impulse.load(simd);
            let new = clamp(old + -along * CONTACT_MASS, -most, most);
            row.tangent_impulse.store(new);
            let change = new - old;
            let [vx, vy] = [vx + change * tx * INV_MASS, vy + change * ty * INV_MASS];

            let away = vx * nx + vy * ny;
            let old = most;
            let new = old + (away - row.bounce.load(simd)) * -CONTACT_MASS;
            let new = greater(new, Vector::splat(simd, 0.0));
            row.normal_impulse.store(new);
            let change = new - old;
            velocity.store([vx + change * nx * INV_MASS, vy + change * ny * INV_MASS]);
        }
    }

    /// Keeps the impulses for the next step.
    #[inline(always)]
    pub fn store_impulses(&mut self) {
        for (lane, pairs) in self.pairs.iter_mut().enumerate() {
            for pair in pairs.iter_mut().filter(|pair| pair.touch.is_some()) {
                let row = &self.rows[pair.row as usize];
                pair.normal_impulse = row.normal_impulse[lane];
                pair.tangent_impulse = row.tangent_impulse[lane];
            }
        }
    }

    /// One sweep over the positions of the lanes that are open (1, else 0);
    /// the least separation of each lane.
    #[inline(always)]
    pub fn solve_positions<S: Simd>(
        &self,
        simd: S,
        positions: &mut [impl Mass],
        open: Vector<S>,
    ) -> Vector<S> {
        let zero = Vector::splat(simd, 0.0);
        let limit = Vector::splat(simd, -MAX_CORRECTION);
        let mut least = zero;
        for row in &self.rows {
            let position = &mut positions[row.mass];
            let [px, py] = position.load(simd);
            let [qx, qy] = row.point.load(simd);
            let [dx, dy] = [px - qx, py - qy];
            let [mut nx, mut ny] = row.normal.load(simd);
            if row.corners {
                let corner = row.corner.load(simd).simd_gt(0.0);
                let length = (dx * dx + dy * dy).sqrt();
                let one = Vector::splat(simd, 1.0);
                let scale = length.simd_lt(f32::EPSILON).select(one, one / length);
                nx = corner.select(dx * scale, nx);
                ny = corner.select(dy * scale, ny);
            }
            let separation = dx * nx + dy * ny - SKIN - RADIUS;
            let used = row.used.load(simd).simd_gt(0.0);
            let separation = used.select(separation, zero);
            least = lesser(least, separation);
            let off = clamp((separation + SLOP) * BAUMGARTE, limit, zero);
            let impulse = open * (-off / INV_MASS);
            position.store([px + impulse * nx * INV_MASS, py + impulse * ny * INV_MASS]);
        }
        least
    }

    /// Moves the boxes that their masses have left, and finds new pairs.
    #[inline(always)]
    pub fn sweep<S: Simd, M: Mass>(&mut self, simd: S, before: &[M], after: &[M], course: &Course) {
        for mass in 0..self.boxes.len() {
            let (from, to) = (&before[mass], &after[mass]);
            let mut left = self.boxes[mass].left_by(simd, from, to);
            while left != 0 {
                let lane = left.trailing_zeros() as usize;
                left &= left - 1;
                let fat = swept_box(from.get(lane), to.get(lane));
                self.boxes[mass].set(lane, &fat);
                self.find_pairs(mass, lane, &fat, course);
            }
        }
    }

    fn find_pairs(&mut self, mass: usize, lane: usize, fat: &Aabb, course: &Course) {
        let mass = mass as u32;
        let known = self.pairs[lane].len();
        for segment in course.query(fat) {
            let same = |p: &Near| p.mass == mass && p.segment == segment;
            if !self.pairs[lane][..known].iter().any(same) {
                self.pairs[lane].push(Near {
                    mass,
                    segment,
                    row: NO_ROW,
                    touch: None,
                    normal_impulse: 0.0,
                    tangent_impulse: 0.0,
                });
            }
        }
    }
}

impl BoxRow {
    const EVERYWHERE: Self = BoxRow {
        min: Pair {
            x: Row([f32::NEG_INFINITY; LANES]),
            y: Row([f32::NEG_INFINITY; LANES]),
        },
        max: Pair {
            x: Row([f32::INFINITY; LANES]),
            y: Row([f32::INFINITY; LANES]),
        },
    };

    fn set(&mut self, lane: usize, fat: &Aabb) {
        [self.min.x[lane], self.min.y[lane]] = fat.min;
        [self.max.x[lane], self.max.y[lane]] = fat.max;
    }

    #[inline(always)]
    fn get(&self, lane: usize) -> Aabb {
        Aabb {
            min: [self.min.x[lane], self.min.y[lane]],
            max: [self.max.x[lane], self.max.y[lane]],
        }
    }

    /// One bit a lane: whether its mass, on its way from one place to another,
    /// leaves it.
    #[inline(always)]
    fn left_by<S: Simd>(&self, simd: S, from: &impl Mass, to: &impl Mass) -> u64 {
        let ([x0, y0], [x1, y1]) = (from.load(simd), to.load(simd));
        let left = self.min.x.load(simd).simd_gt(lesser(x0, x1) - RADIUS);
        let right = self.max.x.load(simd).simd_lt(greater(x0, x1) + RADIUS);
        let below = self.min.y.load(simd).simd_gt(lesser(y0, y1) - RADIUS);
        let above = self.max.y.load(simd).simd_lt(greater(y0, y1) + RADIUS);
        (left | right | below | above).to_bitmask()
    }
}

impl ContactRow {
    fn unused(mass: usize) -> Self {
        ContactRow {
            mass,
            used: Row::ZERO,
            corner: Row::ZERO,
            corners: false,
            point: Pair::ZERO,
            normal: Pair::ZERO,
            bounce: Row::ZERO,
            normal_impulse: Row::ZERO,
            tangent_impulse: Row::ZERO,
        }
    }

    fn set(&mut self, lane: usize, near: &Near, at: [f32; 2], segment: &Segment) {
        let Segment { a, b, .. } = *segment;
        let corner = near.touch != Some(Touch::Face);
        self.used[lane] = 1.0;
        self.corner[lane] = if corner { 1.0 } else { 0.0 };
        self.corners |= corner;
        let point = if near.touch == Some(Touch::EndB) {
            b
        } else {
            a
        };
        [self.point.x[lane], self.point.y[lane]] = point;
        if !corner {
            // Segments have no inside: the normal points to the mass's side.
            let (nx, ny) = (-(b[1] - a[1]), b[0] - a[0]);
            let side = nx * (at[0] - a[0]) + ny * (at[1] - a[1]);
            let (nx, ny) = if side < 0.0 { (-nx, -ny) } else { (nx, ny) };
            (self.normal.x[lane], self.normal.y[lane]) = normalize(nx, ny);
        }
        self.normal_impulse[lane] = near.normal_impulse;
        self.tangent_impulse[lane] = near.tangent_impulse;
    }

    /// Points the normals of corners to where the masses are now.
    fn turn(&mut self, positions: &[impl Mass]) {
        let position = &positions[self.mass];
        for lane in (0..LANES).filter(|lane| self.corner[*lane] > 0.0) {
            let [x, y] = position.get(lane);
            let [dx, dy] = [x - self.point.x[lane], y - self.point.y[lane]];
            let apart = dx * dx + dy * dy > f32::EPSILON * f32::EPSILON;
            let normal = if apart { normalize(dx, dy) } else { (1.0, 0.0) };
            (self.normal.x[lane], self.normal.y[lane]) = normal;
        }
    }
}
