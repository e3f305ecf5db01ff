//! Masses against ground and ceiling, as Box2D 2.3 does circles against edges.
//!
//! Masses touch no other masses, and each contact moves one mass only, so only
//! the order of contacts on the same mass matters: newest first, where a
//! contact is as old as the overlap of the mass's and the segment's boxes.

use crate::course::{Aabb, Course, MARGIN, SKIN, Segment};
use crate::physics::*;
use crate::rows::{Row, Vectors};

/// All contacts of `N` walkers.
pub(crate) struct Contacts<const N: usize> {
    /// Each mass's box in the broad phase.
    boxes: Vec<BoxRow<N>>,
    /// Each lane's pairs of overlapping boxes, oldest first.
    pairs: [Vec<Pair>; N],
    /// The touching pairs, those of one mass in as few rows as possible.
    rows: Vec<ContactRow<N>>,
    /// The first row of each mass, or [`NO_ROW`].
    first_row: Vec<u32>,
}

const NO_ROW: u32 = u32::MAX;

/// The boxes of one mass a lane.
#[derive(Clone, Copy)]
struct BoxRow<const N: usize> {
    min_x: Row<N>,
    min_y: Row<N>,
    max_x: Row<N>,
    max_y: Row<N>,
}

/// A mass whose box overlaps a segment's.
#[derive(Clone, Copy)]
struct Pair {
    mass: u32,
    segment: u32,
    /// Where it stands in this step, if it touches.
    row: u32,
    touch: Option<Touch>,
    normal_impulse: f32,
    tangent_impulse: f32,
}

/// What of a segment a mass touches; impulses carry over while it stays.
#[derive(Clone, Copy, PartialEq)]
enum Touch {
    Face,
    EndA,
    EndB,
}

/// Contacts of one mass, one a lane. A lane without one has a normal of zero,
/// so that its impulses do nothing.
#[derive(Clone, Copy)]
struct ContactRow<const N: usize> {
    mass: usize,
    used: Row<N, bool>,
    /// One of them touches a corner, so that its normal turns with the mass.
    corners: bool,
    corner: Row<N, bool>,
    /// A point of the surface.
    point_x: Row<N>,
    point_y: Row<N>,
    /// Away from the surface.
    normal_x: Row<N>,
    normal_y: Row<N>,
    bounce: Row<N>,
    normal_impulse: Row<N>,
    tangent_impulse: Row<N>,
}

impl<const N: usize> Contacts<N> {
    pub fn new(positions: &Vectors<N>, masses: &[usize; N], course: &Course) -> Self {
        let spare = positions.x.len() - 1;
        // Masses that a lane does not have get boxes that they never leave.
        let mut contacts = Contacts {
            boxes: vec![BoxRow::EVERYWHERE; spare],
            pairs: std::array::from_fn(|_| Vec::new()),
            rows: Vec::new(),
            first_row: vec![NO_ROW; spare],
        };
        for (lane, &masses) in masses.iter().enumerate() {
            for mass in 0..masses {
                let (x, y) = (positions.x[mass][lane], positions.y[mass][lane]);
                let fat = Aabb {
                    min: [x - RADIUS - MARGIN, y - RADIUS - MARGIN],
                    max: [x + RADIUS + MARGIN, y + RADIUS + MARGIN],
                };
                contacts.boxes[mass].set(lane, &fat);
                contacts.find_pairs(mass, lane, &fat, course);
            }
        }
        contacts
    }

    /// Drops the pairs whose boxes have parted and finds those that touch.
    #[inline(always)]
    pub fn collide(&mut self, positions: &Vectors<N>, course: &Course) {
        for row in self.rows.drain(..) {
            self.first_row[row.mass] = NO_ROW;
        }
        for lane in 0..N {
            let boxes = &self.boxes;
            self.pairs[lane].retain_mut(|pair| {
                let mass = pair.mass as usize;
                let segment = course.segment(pair.segment);
                let stays = boxes[mass].get(lane).overlaps(&segment.fat);
                if stays {
                    let at = [positions.x[mass][lane], positions.y[mass][lane]];
                    let touch = touch(at, segment.a, segment.b);
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
                while row < rows.len() && (rows[row].mass != mass || rows[row].used[lane]) {
                    row += 1;
                }
                if row == rows.len() {
                    rows.push(ContactRow::unused(mass));
                    first_row[mass] = first_row[mass].min(row as u32);
                }
                pair.row = row as u32;
                let at = [positions.x[mass][lane], positions.y[mass][lane]];
                rows[row].set(lane, pair, at, course.segment(pair.segment));
            }
        }
    }

    /// Normals, bounce, and the last step's impulses once more.
    #[inline(always)]
    pub fn prepare(&mut self, positions: &Vectors<N>, velocities: &mut Vectors<N>) {
        // Every bounce is taken from the velocities before any impulse.
        for row in &mut self.rows {
            let (px, py) = (&positions.x[row.mass], &positions.y[row.mass]);
            let (vx, vy) = (&velocities.x[row.mass], &velocities.y[row.mass]);
            for lane in 0..N {
                if row.corner[lane] {
                    let (dx, dy) = (px[lane] - row.point_x[lane], py[lane] - row.point_y[lane]);
                    let (nx, ny) = normalize(dx, dy);
                    let apart = dx * dx + dy * dy > f32::EPSILON * f32::EPSILON;
                    row.normal_x[lane] = if apart { nx } else { 1.0 };
                    row.normal_y[lane] = if apart { ny } else { 0.0 };
                }
                let speed = row.normal_x[lane] * vx[lane] + row.normal_y[lane] * vy[lane];
                row.bounce[lane] = if speed < -BOUNCE_SPEED {
                    -RESTITUTION * speed
                } else {
                    0.0
                };
                row.normal_impulse[lane] *= DT_RATIO;
                row.tangent_impulse[lane] *= DT_RATIO;
            }
        }
        for row in &self.rows {
            let (vx, vy) = velocities.of_mut(row.mass);
            for lane in 0..N {
                let (nx, ny) = (row.normal_x[lane], row.normal_y[lane]);
                let (n, t) = (row.normal_impulse[lane], row.tangent_impulse[lane]);
                vx[lane] += INV_MASS * (n * nx + t * ny);
                vy[lane] += INV_MASS * (n * ny + t * -nx);
            }
        }
    }

    /// One sweep over the velocities: friction first, then the normal.
    #[inline(always)]
    pub fn solve_velocities(&mut self, velocities: &mut Vectors<N>) {
        for row in &mut self.rows {
            let (vx, vy) = velocities.of_mut(row.mass);
            for lane in 0..N {
                let (nx, ny) = (row.normal_x[lane], row.normal_y[lane]);

                let along = vx[lane] * ny + vy[lane] * -nx;
                let old = row.tangent_impulse[lane];
                let most = row.normal_impulse[lane]; // friction is 1
                let new = clamp(old + CONTACT_MASS * -along, -most, most);
                row.tangent_impulse[lane] = new;
                vx[lane] += INV_MASS * ((new - old) * ny);
                vy[lane] += INV_MASS * ((new - old) * -nx);

                let away = vx[lane] * nx + vy[lane] * ny;
                let old = row.normal_impulse[lane];
                let new = old + -CONTACT_MASS * (away - row.bounce[lane]);
                let new = if new > 0.0 { new } else { 0.0 };
                row.normal_impulse[lane] = new;
                vx[lane] += INV_MASS * ((new - old) * nx);
                vy[lane] += INV_MASS * ((new - old) * ny);
            }
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
    pub fn solve_positions(&mut self, positions: &mut Vectors<N>, open: &Row<N>) -> Row<N> {
        let mut least = Row([0.0; N]);
        for row in &self.rows {
            let (px, py) = positions.of_mut(row.mass);
            let (mut nx, mut ny) = (row.normal_x, row.normal_y);
            if row.corners {
                for lane in 0..N {
                    let (dx, dy) = (px[lane] - row.point_x[lane], py[lane] - row.point_y[lane]);
                    let (x, y) = normalize(dx, dy);
                    nx[lane] = if row.corner[lane] { x } else { nx[lane] };
                    ny[lane] = if row.corner[lane] { y } else { ny[lane] };
                }
            }
            for lane in 0..N {
                let (dx, dy) = (px[lane] - row.point_x[lane], py[lane] - row.point_y[lane]);
                let separation = dx * nx[lane] + dy * ny[lane] - SKIN - RADIUS;
                let separation = if row.used[lane] { separation } else { 0.0 };
                least[lane] = if least[lane] < separation {
                    least[lane]
                } else {
                    separation
                };
                let c = clamp(BAUMGARTE * (separation + SLOP), -MAX_CORRECTION, 0.0);
                let impulse = open[lane] * (-c / INV_MASS);
                px[lane] += INV_MASS * (impulse * nx[lane]);
                py[lane] += INV_MASS * (impulse * ny[lane]);
            }
        }
        least
    }

    /// Moves the boxes that their masses have left, and finds new pairs.
    #[inline(always)]
    pub fn sweep(&mut self, before: &Vectors<N>, after: &Vectors<N>, course: &Course) {
        for mass in 0..self.boxes.len() {
            let (x0, y0) = (&before.x[mass], &before.y[mass]);
            let (x1, y1) = (&after.x[mass], &after.y[mass]);
            let left = self.boxes[mass].left_by(x0, y0, x1, y1);
            if left == [false; N] {
                continue;
            }
            for lane in (0..N).filter(|lane| left[*lane]) {
                let x = swept(x0[lane], x1[lane]);
                let y = swept(y0[lane], y1[lane]);
                let fat = Aabb {
                    min: [x.0, y.0],
                    max: [x.1, y.1],
                };
                self.boxes[mass].set(lane, &fat);
                self.find_pairs(mass, lane, &fat, course);
            }
        }
    }

    fn find_pairs(&mut self, mass: usize, lane: usize, fat: &Aabb, course: &Course) {
        let mass = mass as u32;
        let known = self.pairs[lane].len();
        for segment in course.query(fat) {
            let same = |p: &Pair| p.mass == mass && p.segment == segment;
            if !self.pairs[lane][..known].iter().any(same) {
                self.pairs[lane].push(Pair {
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

/// What of the segment from `a` to `b` a mass at `q` touches.
#[inline(always)]
fn touch(q: [f32; 2], a: [f32; 2], b: [f32; 2]) -> Option<Touch> {
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

/// The unit vector, or the vector as it is if it is too short.
#[inline(always)]
fn normalize(x: f32, y: f32) -> (f32, f32) {
    let length = (x * x + y * y).sqrt();
    let scale = if length < f32::EPSILON {
        1.0
    } else {
        1.0 / length
    };
    (x * scale, y * scale)
}

/// One side of the box of a mass that goes from `from` to `to`, reaching two
/// steps ahead.
#[inline(always)]
fn swept(from: f32, to: f32) -> (f32, f32) {
    let low = (from - RADIUS).min(to - RADIUS) - MARGIN;
    let high = (from + RADIUS).max(to + RADIUS) + MARGIN;
    let ahead = 2.0 * (to - from);
    if ahead < 0.0 {
        (low + ahead, high)
    } else {
        (low, high + ahead)
    }
}

impl<const N: usize> BoxRow<N> {
    const EVERYWHERE: Self = BoxRow {
        min_x: Row([f32::NEG_INFINITY; N]),
        min_y: Row([f32::NEG_INFINITY; N]),
        max_x: Row([f32::INFINITY; N]),
        max_y: Row([f32::INFINITY; N]),
    };

    fn set(&mut self, lane: usize, fat: &Aabb) {
        [self.min_x[lane], self.min_y[lane]] = fat.min;
        [self.max_x[lane], self.max_y[lane]] = fat.max;
    }

    #[inline(always)]
    fn get(&self, lane: usize) -> Aabb {
        Aabb {
            min: [self.min_x[lane], self.min_y[lane]],
            max: [self.max_x[lane], self.max_y[lane]],
        }
    }

    /// Whether each lane's mass, on its way from 0 to 1, leaves its box.
    #[inline(always)]
    fn left_by(&self, x0: &Row<N>, y0: &Row<N>, x1: &Row<N>, y1: &Row<N>) -> [bool; N] {
        std::array::from_fn(|l| {
            let (low_x, high_x) = (x0[l].min(x1[l]), x0[l].max(x1[l]));
            let (low_y, high_y) = (y0[l].min(y1[l]), y0[l].max(y1[l]));
            (self.min_x[l] > low_x - RADIUS)
                | (self.max_x[l] < high_x + RADIUS)
                | (self.min_y[l] > low_y - RADIUS)
                | (self.max_y[l] < high_y + RADIUS)
        })
    }
}

impl<const N: usize> ContactRow<N> {
    fn unused(mass: usize) -> Self {
        let zeros = Row([0.0; N]);
        ContactRow {
            mass,
            used: Row([false; N]),
            corners: false,
            corner: Row([false; N]),
            point_x: zeros,
            point_y: zeros,
            normal_x: zeros,
            normal_y: zeros,
            bounce: zeros,
            normal_impulse: zeros,
            tangent_impulse: zeros,
        }
    }

    #[inline(always)]
    fn set(&mut self, lane: usize, pair: &Pair, at: [f32; 2], segment: &Segment) {
        let Segment { a, b, .. } = *segment;
        self.used[lane] = true;
        self.corner[lane] = pair.touch != Some(Touch::Face);
        self.corners |= self.corner[lane];
        let point = if pair.touch == Some(Touch::EndB) {
            b
        } else {
            a
        };
        [self.point_x[lane], self.point_y[lane]] = point;
        if !self.corner[lane] {
            // Segments have no inside: the normal points to the mass's side.
            let (nx, ny) = (-(b[1] - a[1]), b[0] - a[0]);
            let side = nx * (at[0] - a[0]) + ny * (at[1] - a[1]);
            let (nx, ny) = if side < 0.0 { (-nx, -ny) } else { (nx, ny) };
            (self.normal_x[lane], self.normal_y[lane]) = normalize(nx, ny);
        }
        self.normal_impulse[lane] = pair.normal_impulse;
        self.tangent_impulse[lane] = pair.tangent_impulse;
    }
}
