//! The solver: Box2D 2.3's sequential impulses for point masses, several
//! walkers side by side.
//!
//! Every quantity is an array of `N` lanes, one walker a lane, so that one
//! instruction serves `N` walkers; the lanes never mix. Only `+ - * /` and the
//! square root are used, which round the same everywhere, so a walker's bits
//! depend neither on its neighbours nor on the machine.
//!
//! A walker with fewer masses or springs than its neighbours is filled up with
//! inert ones, all tied to one spare mass at the end of the state.

use crate::contacts::Contacts;
use crate::course::Course;
use crate::physics::*;
use crate::rig::Rig;
use crate::rows::{PerLane, Row, Sharing, Vectors};

/// `N` walkers on one course.
pub(crate) struct Lanes<'a, const N: usize, S: Sharing<N>> {
    course: &'a Course,
    positions: Vectors<N>,
    velocities: Vectors<N>,
    springs: Vec<SpringRow<N, S>>,
    clocks: Vec<ClockRow<N>>,
    rods: Vec<RodRow<N, S>>,
    contacts: Contacts<N>,
    steps: u32,
}

/// A spring of each lane, for the velocities.
struct SpringRow<const N: usize, S: Sharing<N>> {
    a: S::Of<u32>,
    b: S::Of<u32>,
    mass: S::Of<f32>,
    gamma: S::Of<f32>,
    ux: Row<N>,
    uy: Row<N>,
    bias: Row<N>,
    impulse: Row<N>,
}

/// A spring of each lane, its rest length over time.
struct ClockRow<const N: usize> {
    length: Row<N, f64>,
    cosine: Row<N, f64>,
    sine: Row<N, f64>,
}

/// A rigid spring of each lane, for the positions.
struct RodRow<const N: usize, S: Sharing<N>> {
    a: S::Of<u32>,
    b: S::Of<u32>,
    length: Row<N>,
}

impl<'a, const N: usize, S: Sharing<N>> Lanes<'a, N, S> {
    /// Sets the walkers down, one a lane.
    pub fn new(rigs: &[&Rig; N], course: &'a Course) -> Self {
        let most = |count: fn(&Rig) -> usize| rigs.iter().map(|r| count(r)).max().unwrap_or(0);
        let spare = most(|r| r.masses.len());
        let mut positions = Vectors::zeros(spare + 1);
        for (lane, rig) in rigs.iter().enumerate() {
            for (mass, p) in rig.masses.iter().enumerate() {
                positions.x[mass][lane] = p[0];
                positions.y[mass][lane] = p[1];
            }
        }
        let count = most(|r| r.springs.len());
        let mut springs =
            Vec::from_iter((0..count).map(|_| SpringRow::<N, S>::inert(spare as u32)));
        let mut clocks = Vec::from_iter((0..count).map(|_| ClockRow::<N>::zero()));
        let count = most(|r| r.springs.iter().filter(|s| !s.soft).count());
        let mut rods = Vec::from_iter((0..count).map(|_| RodRow::<N, S>::inert(spare as u32)));
        for (lane, rig) in rigs.iter().enumerate() {
            let mut rod = rods.iter_mut();
            for ((row, clock), s) in springs.iter_mut().zip(&mut clocks).zip(&rig.springs) {
                row.a.set(lane, s.a.into());
                row.b.set(lane, s.b.into());
                row.mass
                    .set(lane, if s.soft { SOFT_MASS } else { ROD_MASS });
                row.gamma.set(lane, if s.soft { GAMMA } else { 0.0 });
                clock.length[lane] = s.length;
                clock.cosine[lane] = s.cosine;
                clock.sine[lane] = s.sine;
                if !s.soft
                    && let Some(rod) = rod.next()
                {
                    rod.a.set(lane, s.a.into());
                    rod.b.set(lane, s.b.into());
                    rod.length[lane] = s.length as f32;
                }
            }
        }
        Lanes {
            course,
            contacts: Contacts::new(&positions, &rigs.map(|r| r.masses.len()), course),
            velocities: Vectors::zeros(spare + 1),
            positions,
            springs,
            clocks,
            rods,
            steps: 0,
        }
    }

    /// Where a mass of a lane is.
    pub fn position(&self, mass: usize, lane: usize) -> [f32; 2] {
        [self.positions.x[mass][lane], self.positions.y[mass][lane]]
    }

    /// Whether each lane's positions are all finite.
    #[inline(always)]
    pub fn finite(&self) -> [bool; N] {
        let mut zero = Row([0.0; N]);
        for (x, y) in self.positions.x.iter().zip(&self.positions.y) {
            for lane in 0..N {
                zero[lane] += (x[lane] + y[lane]) * 0.0;
            }
        }
        zero.0.map(|z| z == 0.0)
    }

    /// One step of 1/60 s, in the order of `b2World::Step`.
    #[inline(always)]
    pub fn step(&mut self) {
        self.contacts.collide(&self.positions, self.course);
        self.accelerate();
        self.contacts.prepare(&self.positions, &mut self.velocities);
        self.prepare_springs();
        for _ in 0..ITERATIONS {
            self.solve_springs();
            self.contacts.solve_velocities(&mut self.velocities);
        }
        self.contacts.store_impulses();
        let before = self.positions.clone();
        self.translate();
        self.solve_positions();
        self.contacts.sweep(&before, &self.positions, self.course);
        self.steps += 1;
    }

    /// Gravity and damping.
    #[inline(always)]
    fn accelerate(&mut self) {
        let spare = self.velocities.x.len() - 1;
        for x in &mut self.velocities.x[..spare] {
            for v in &mut x.0 {
                *v *= DAMPING;
            }
        }
        for y in &mut self.velocities.y[..spare] {
            for v in &mut y.0 {
                *v = (*v + DT * GRAVITY) * DAMPING;
            }
        }
    }

    /// Sets the muscles' lengths, directions and biases, and applies the last
    /// step's impulses again.
    #[inline(always)]
    fn prepare_springs(&mut self) {
        let angle = ANGULAR_SPEED * (f64::from(self.steps) * CLOCK_DT);
        let (cos, sin) = (libm::cos(angle), libm::sin(angle));
        for (s, clock) in self.springs.iter_mut().zip(&self.clocks) {
            let (pax, pay) = self.positions.gather(&s.a);
            let (pbx, pby) = self.positions.gather(&s.b);
            let (mut vax, mut vay) = self.velocities.gather(&s.a);
            let (mut vbx, mut vby) = self.velocities.gather(&s.b);
            for lane in 0..N {
                let rest =
                    (clock.length[lane] + clock.cosine[lane] * cos - clock.sine[lane] * sin) as f32;
                let (dx, dy) = (pbx[lane] - pax[lane], pby[lane] - pay[lane]);
                let length = (dx * dx + dy * dy).sqrt();
                let scale = if length > SLOP { 1.0 / length } else { 0.0 };
                s.ux[lane] = dx * scale;
                s.uy[lane] = dy * scale;
                s.bias[lane] = (length - rest) * DT * STIFFNESS * s.gamma.get(lane);
                s.impulse[lane] *= DT_RATIO;
                let px = INV_MASS * (s.impulse[lane] * s.ux[lane]);
                let py = INV_MASS * (s.impulse[lane] * s.uy[lane]);
                vax[lane] -= px;
                vay[lane] -= py;
                vbx[lane] += px;
                vby[lane] += py;
            }
            self.velocities.scatter(&s.a, &vax, &vay);
            self.velocities.scatter(&s.b, &vbx, &vby);
        }
    }

    /// One sweep over the springs' velocities.
    #[inline(always)]
    fn solve_springs(&mut self) {
        for s in &mut self.springs {
            let (mut vax, mut vay) = self.velocities.gather(&s.a);
            let (mut vbx, mut vby) = self.velocities.gather(&s.b);
            for lane in 0..N {
                let speed =
                    s.ux[lane] * (vbx[lane] - vax[lane]) + s.uy[lane] * (vby[lane] - vay[lane]);
                let error = speed + s.bias[lane] + s.gamma.get(lane) * s.impulse[lane];
                let impulse = -s.mass.get(lane) * error;
                s.impulse[lane] += impulse;
                let px = INV_MASS * (impulse * s.ux[lane]);
                let py = INV_MASS * (impulse * s.uy[lane]);
                vax[lane] -= px;
                vay[lane] -= py;
                vbx[lane] += px;
                vby[lane] += py;
            }
            self.velocities.scatter(&s.a, &vax, &vay);
            self.velocities.scatter(&s.b, &vbx, &vby);
        }
    }

    /// Moves the masses, at most [`MAX_TRANSLATION`] each.
    #[inline(always)]
    fn translate(&mut self) {
        let (v, p) = (&mut self.velocities, &mut self.positions);
        for mass in 0..p.x.len() - 1 {
            let (vx, vy) = (&mut v.x[mass], &mut v.y[mass]);
            let (px, py) = (&mut p.x[mass], &mut p.y[mass]);
            for lane in 0..N {
                let (dx, dy) = (DT * vx[lane], DT * vy[lane]);
                let squared = dx * dx + dy * dy;
                let ratio = if squared > MAX_TRANSLATION * MAX_TRANSLATION {
                    MAX_TRANSLATION / squared.sqrt()
                } else {
                    1.0
                };
                vx[lane] *= ratio;
                vy[lane] *= ratio;
                px[lane] += DT * vx[lane];
                py[lane] += DT * vy[lane];
            }
        }
    }

    /// Corrects positions until each lane's errors are small. A lane that is
    /// done stays as it is while its neighbours go on.
    #[inline(always)]
    fn solve_positions(&mut self) {
        let mut open = Row([1.0; N]);
        for _ in 0..ITERATIONS {
            let separation = self.contacts.solve_positions(&mut self.positions, &open);
            let mut error = Row([0.0; N]);
            for rod in &self.rods {
                let (mut pax, mut pay) = self.positions.gather(&rod.a);
                let (mut pbx, mut pby) = self.positions.gather(&rod.b);
                for lane in 0..N {
                    let (dx, dy) = (pbx[lane] - pax[lane], pby[lane] - pay[lane]);
                    let length = (dx * dx + dy * dy).sqrt();
                    let short = length < f32::EPSILON;
                    let scale = if short { 1.0 } else { 1.0 / length };
                    let length = if short { 0.0 } else { length };
                    let c = clamp(length - rod.length[lane], -MAX_CORRECTION, MAX_CORRECTION);
                    let impulse = open[lane] * (-ROD_MASS * c);
                    let mx = INV_MASS * (impulse * (dx * scale));
                    let my = INV_MASS * (impulse * (dy * scale));
                    error[lane] = if error[lane] > c.abs() {
                        error[lane]
                    } else {
                        c.abs()
                    };
                    pax[lane] -= mx;
                    pay[lane] -= my;
                    pbx[lane] += mx;
                    pby[lane] += my;
                }
                self.positions.scatter(&rod.a, &pax, &pay);
                self.positions.scatter(&rod.b, &pbx, &pby);
            }
            let mut done = true;
            for lane in 0..N {
                let small = separation[lane] >= -3.0 * SLOP && error[lane] < SLOP;
                open[lane] = if small { 0.0 } else { open[lane] };
                done &= open[lane] == 0.0;
            }
            if done {
                break;
            }
        }
    }
}

impl<const N: usize, S: Sharing<N>> SpringRow<N, S> {
    /// Ties the spare mass to itself and does nothing.
    fn inert(spare: u32) -> Self {
        SpringRow {
            a: S::Of::all(spare),
            b: S::Of::all(spare),
            mass: S::Of::all(0.0),
            gamma: S::Of::all(0.0),
            ux: Row([0.0; N]),
            uy: Row([0.0; N]),
            bias: Row([0.0; N]),
            impulse: Row([0.0; N]),
        }
    }
}

impl<const N: usize> ClockRow<N> {
    fn zero() -> Self {
        ClockRow {
            length: Row([0.0; N]),
            cosine: Row([0.0; N]),
            sine: Row([0.0; N]),
        }
    }
}

impl<const N: usize, S: Sharing<N>> RodRow<N, S> {
    /// Ties the spare mass to itself and does nothing.
    fn inert(spare: u32) -> Self {
        RodRow {
            a: S::Of::all(spare),
            b: S::Of::all(spare),
            length: Row([0.0; N]),
        }
    }
}
