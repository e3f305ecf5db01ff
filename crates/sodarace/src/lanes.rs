//! The solver: Box2D 2.3's sequential impulses for point masses, several
//! walkers side by side.
//!
//! One instruction serves all lanes. Only `+ - * /`, comparisons and the square
//! root are used, which round the same everywhere, so a walker's bits depend
//! neither on its neighbours nor on the machine.
//!
//! A walker with fewer masses or springs than its neighbours is filled up with
//! inert ones, all tied to one spare mass at the end of the state.

use fearless_simd::prelude::*;

use crate::contacts::Contacts;
use crate::course::Course;
use crate::physics::*;
use crate::rig::Rig;
use crate::rows::{LANES, Mask, Mass, Masses, Pair, Row, Topology, Vector};

/// Walkers side by side on one course.
pub(crate) struct Lanes<'a, T: Topology> {
    course: &'a Course,
    /// Masses of the largest walker; the spare one comes next.
    masses: usize,
    positions: Masses<T::Mass>,
    /// Positions before the step.
    before: Masses<T::Mass>,
    velocities: Masses<T::Mass>,
    springs: Vec<SpringRow<T>>,
    /// The springs' first masses, and how many of the springs follow one another on each: it stays in registers while
    /// they are solved.
    on: Vec<(T, usize)>,
    clocks: Vec<ClockRow>,
    rods: Vec<RodRow<T>>,
    contacts: Contacts,
    /// By mass: the square of the farthest that it may be from the first.
    reach: Vec<Row>,
    steps: u32,
}

/// A spring of each lane, for the velocities.
#[derive(Clone, Copy)]
struct SpringRow<T> {
    b: T,
    /// The lanes where it is soft, a bit each.
    soft: u64,
    direction: Pair,
    bias: Row,
    impulse: Row,
}

/// A spring of each lane, its rest length over time.
#[derive(Clone, Copy)]
struct ClockRow {
    length: Row<f64>,
    cosine: Row<f64>,
    sine: Row<f64>,
}

/// A rigid spring of each lane, for the positions.
#[derive(Clone, Copy)]
struct RodRow<T> {
    a: T,
    b: T,
    length: Row,
}

impl<'a, T: Topology> Lanes<'a, T> {
    /// Sets walkers down, one a lane; further lanes stay empty.
    pub fn new(rigs: &[&Rig], course: &'a Course) -> Self {
        let most = |count: fn(&Rig) -> usize| rigs.iter().map(|r| count(r)).max().unwrap_or(0);
        let spare = most(|r| r.masses.len());
        let mut positions = Masses::<T::Mass>::zeros();
        let mut springs = vec![SpringRow::<T>::inert(spare as u8); most(|r| r.springs.len())];
        let mut on: Vec<(T, usize)> = vec![(T::all(spare as u8), 1); springs.len()];
        let mut clocks = vec![ClockRow::ZERO; springs.len()];
        let rods = most(|r| r.springs.iter().filter(|s| !s.soft).count());
        let mut rods = vec![RodRow::<T>::inert(spare as u8); rods];
        // Masses that a lane does not have fall freely and may go anywhere.
        let mut reach = vec![Row([f32::INFINITY; LANES]); spare];
        for (lane, rig) in rigs.iter().enumerate() {
            for (mass, p) in rig.masses.iter().enumerate() {
                positions.first_mut(spare)[mass].set(lane, *p);
                reach[mass][lane] = rig.reach() * rig.reach();
            }
            let rows = springs.iter_mut().zip(&mut clocks).zip(&mut on);
            for (((row, clock), (a, _)), s) in rows.zip(&rig.springs) {
                a.set(lane, s.a);
                row.b.set(lane, s.b);
                row.soft |= u64::from(s.soft) << lane;
                clock.length[lane] = s.length;
                clock.cosine[lane] = s.cosine;
                clock.sine[lane] = s.sine;
            }
            for (row, s) in rods.iter_mut().zip(rig.springs.iter().filter(|s| !s.soft)) {
                row.a.set(lane, s.a);
                row.b.set(lane, s.b);
                row.length[lane] = s.length as f32;
            }
        }
        if T::TOGETHER {
            let of_all = rigs.first().map_or(&[][..], |rig| &rig.springs);
            let runs = of_all.chunk_by(|s, next| s.a == next.a);
            on = runs.map(|run| (T::all(run[0].a), run.len())).collect();
        }
        let masses = std::array::from_fn(|lane| rigs.get(lane).map_or(0, |r| r.masses.len()));
        Lanes {
            contacts: Contacts::new(positions.first(spare), &masses, course),
            course,
            masses: spare,
            before: Masses::zeros(),
            velocities: Masses::zeros(),
            positions,
            springs,
            on,
            clocks,
            rods,
            reach,
            steps: 0,
        }
    }

    /// Where a mass of a lane is.
    pub fn position(&self, mass: usize, lane: usize) -> [f32; 2] {
        self.positions.first(self.masses)[mass].get(lane)
    }

    /// One bit a lane: whether its masses are within reach of each other. Where
    /// one is not finite, none is.
    #[inline(always)]
    pub fn intact<S: Simd>(&self, simd: S) -> u64 {
        let positions = self.positions.first(self.masses);
        let [x0, y0] = positions[0].load(simd);
        let mut intact = Vector::splat(simd, 0.0).simd_ge(0.0);
        for (position, reach) in positions.iter().zip(&self.reach) {
            let [x, y] = position.load(simd);
            let [dx, dy] = [x - x0, y - y0];
            // Not a number is not within reach.
            intact &= (dx * dx + dy * dy).simd_le(reach.load(simd));
        }
        intact.to_bitmask()
    }

    /// One step of 1/60 s, in the order of `b2World::Step`.
    #[inline(always)]
    pub fn step<S: Simd>(&mut self, simd: S) {
        let masses = self.masses;
        let positions = self.positions.first(masses);
        self.contacts.collide(positions, self.course);
        self.accelerate(simd);
        let positions = self.positions.first(masses);
        self.contacts
            .prepare(simd, positions, self.velocities.first_mut(masses));
        self.prepare_springs(simd);
        for _ in 0..ITERATIONS {
            self.solve_springs(simd);
            let velocities = self.velocities.first_mut(masses);
            self.contacts.solve_velocities(simd, velocities);
        }
        self.contacts.store_impulses();
        let before = self.before.first_mut(masses);
        before.copy_from_slice(self.positions.first(masses));
        self.translate(simd);
        self.solve_positions(simd);
        let (before, after) = (self.before.first(masses), self.positions.first(masses));
        self.contacts.sweep(simd, before, after, self.course);
        self.steps += 1;
    }

    /// Gravity and damping.
    #[inline(always)]
    fn accelerate<S: Simd>(&mut self, simd: S) {
        for v in self.velocities.first_mut(self.masses) {
            let [x, y] = v.load(simd);
            v.store([x * DAMPING, (y + DT * GRAVITY) * DAMPING]);
        }
    }

    /// Sets the muscles' lengths, directions and biases, and applies the last
    /// step's impulses again.
    #[inline(always)]
    fn prepare_springs<S: Simd>(&mut self, simd: S) {
        let angle = ANGULAR_SPEED * (f64::from(self.steps) * CLOCK_DT);
        let (cos, sin) = (libm::cos(angle), libm::sin(angle));
        let zero = Vector::splat(simd, 0.0);
        let (mut springs, mut clocks) = (&mut self.springs[..], &self.clocks[..]);
        for (a, count) in &self.on {
            let (here, there);
            (here, springs) = springs.split_at_mut(*count);
            (there, clocks) = clocks.split_at(*count);
            let [pax, pay] = a.gather(simd, &self.positions);
            let [mut vax, mut vay] = a.gather(simd, &self.velocities);
            for (s, clock) in here.iter_mut().zip(there) {
                let rest = clock.rest(cos, sin).load(simd);
                let [pbx, pby] = s.b.gather(simd, &self.positions);
                let [dx, dy] = [pbx - pax, pby - pay];
                let length = (dx * dx + dy * dy).sqrt();
                let scale = Vector::splat(simd, 1.0) / length;
                let scale = length.simd_gt(SLOP).select(scale, zero);
                let [ux, uy] = [dx * scale, dy * scale];
                s.direction.store([ux, uy]);
                let soft = Mask::from_bitmask(simd, s.soft);
                let gamma = soft.select(Vector::splat(simd, GAMMA), zero);
                s.bias.store((length - rest) * DT * STIFFNESS * gamma);
                let impulse = s.impulse.load(simd) * DT_RATIO;
                s.impulse.store(impulse);
                let [px, py] = [impulse * ux * INV_MASS, impulse * uy * INV_MASS];
                let [vbx, vby] = s.b.gather(simd, &self.velocities);
                [vax, vay] = [vax - px, vay - py];
                s.b.scatter(&mut self.velocities, [vbx + px, vby + py]);
            }
            a.scatter(&mut self.velocities, [vax, vay]);
        }
    }

    /// One sweep over the springs' velocities.
    #[inline(always)]
    fn solve_springs<S: Simd>(&mut self, simd: S) {
        let [zero, gamma, soft_mass, rod_mass] =
            [0.0, GAMMA, -SOFT_MASS, -ROD_MASS].map(|x| Vector::splat(simd, x));
        let mut springs = &mut self.springs[..];
        for (a, count) in &self.on {
            let here;
            (here, springs) = springs.split_at_mut(*count);
            let [mut vax, mut vay] = a.gather(simd, &self.velocities);
            for s in here {
                let [vbx, vby] = s.b.gather(simd, &self.velocities);
                let [ux, uy] = s.direction.load(simd);
                let old = s.impulse.load(simd);
                let soft = Mask::from_bitmask(simd, s.soft);
                let speed = ux * (vbx - vax) + uy * (vby - vay);
                let error = speed + s.bias.load(simd) + soft.select(gamma, zero) * old;
                let impulse = soft.select(soft_mass, rod_mass) * error;
                s.impulse.store(old + impulse);
                let [px, py] = [impulse * ux * INV_MASS, impulse * uy * INV_MASS];
                [vax, vay] = [vax - px, vay - py];
                s.b.scatter(&mut self.velocities, [vbx + px, vby + py]);
            }
            a.scatter(&mut self.velocities, [vax, vay]);
        }
    }

    /// Moves the masses, at most [`MAX_TRANSLATION`] each.
    #[inline(always)]
    fn translate<S: Simd>(&mut self, simd: S) {
        let velocities = self.velocities.first_mut(self.masses);
        let positions = self.positions.first_mut(self.masses);
        for (velocity, position) in velocities.iter_mut().zip(positions) {
            let [vx, vy] = velocity.load(simd);
            let [dx, dy] = [vx * DT, vy * DT];
            let squared = dx * dx + dy * dy;
            let ratio = Vector::splat(simd, MAX_TRANSLATION) / squared.sqrt();
            let one = Vector::splat(simd, 1.0);
            let fast = squared.simd_gt(MAX_TRANSLATION * MAX_TRANSLATION);
            let ratio = fast.select(ratio, one);
            let [vx, vy] = [vx * ratio, vy * ratio];
            velocity.store([vx, vy]);
            let [px, py] = position.load(simd);
            position.store([px + vx * DT, py + vy * DT]);
        }
    }

    /// Corrects positions until each lane's errors are small. A lane that is
    /// done stays as it is while its neighbours go on.
    #[inline(always)]
    fn solve_positions<S: Simd>(&mut self, simd: S) {
        let (zero, one) = (Vector::splat(simd, 0.0), Vector::splat(simd, 1.0));
        let limit = Vector::splat(simd, MAX_CORRECTION);
        let mut open = one;
        for _ in 0..ITERATIONS {
            let positions = self.positions.first_mut(self.masses);
            let separation = self.contacts.solve_positions(simd, positions, open);
            let mut error = zero;
            for rod in &self.rods {
                let [pax, pay] = rod.a.gather(simd, &self.positions);
                let [pbx, pby] = rod.b.gather(simd, &self.positions);
                let [dx, dy] = [pbx - pax, pby - pay];
                let length = (dx * dx + dy * dy).sqrt();
                let short = length.simd_lt(f32::EPSILON);
                let scale = short.select(one, one / length);
                let length = short.select(zero, length);
                let off = length - rod.length.load(simd);
                let off = clamp(off, -limit, limit);
                error = greater(error, off.abs());
                let impulse = open * (off * -ROD_MASS);
                let px = impulse * (dx * scale) * INV_MASS;
                let py = impulse * (dy * scale) * INV_MASS;
                rod.a.scatter(&mut self.positions, [pax - px, pay - py]);
                rod.b.scatter(&mut self.positions, [pbx + px, pby + py]);
            }
            let small = separation.simd_ge(-3.0 * SLOP) & error.simd_lt(SLOP);
            open = small.select(zero, open);
            if open.simd_eq(zero).all_true() {
                break;
            }
        }
    }
}

impl<T: Topology> SpringRow<T> {
    /// Ties the spare mass to itself and does nothing.
    fn inert(spare: u8) -> Self {
        SpringRow {
            b: T::all(spare),
            soft: 0,
            direction: Pair::ZERO,
            bias: Row::ZERO,
            impulse: Row::ZERO,
        }
    }
}

impl<T: Topology> RodRow<T> {
    /// Ties the spare mass to itself and does nothing.
    fn inert(spare: u8) -> Self {
        RodRow {
            a: T::all(spare),
            b: T::all(spare),
            length: Row::ZERO,
        }
    }
}

impl ClockRow {
    const ZERO: ClockRow = ClockRow {
        length: Row([0.0; LANES]),
        cosine: Row([0.0; LANES]),
        sine: Row([0.0; LANES]),
    };

    /// Rest lengths when the clock's angle has this cosine and sine.
    #[inline(always)]
    fn rest(&self, cos: f64, sin: f64) -> Row {
        let mut rest = Row::ZERO;
        for lane in 0..LANES {
            let swing = self.cosine[lane] * cos - self.sine[lane] * sin;
            rest[lane] = (self.length[lane] + swing) as f32;
        }
        rest
    }
}
