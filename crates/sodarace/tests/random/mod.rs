//! Seeded random blueprints, from tame to hostile.

#![allow(dead_code)] // each test uses its part

use sodarace::{Blueprint, Drive, RawMuscle, Walker};

/// SplitMix64 (Steele, Lea and Flood 2014): enough for tests.
pub struct Random(pub u64);

impl Random {
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Below `n`.
    pub fn below(&mut self, n: usize) -> usize {
        (self.bits() % n as u64) as usize
    }

    /// In [-1, 1).
    pub fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    }

    pub fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }
}

/// A blueprint of up to `joints` joints within `size` program units of the
/// origin; `wild` ones hold coincident joints, huge and tiny numbers, unknown
/// handles and the like.
pub fn blueprint(random: &mut Random, joints: usize, size: f64, wild: bool) -> Blueprint {
    let count = 3 + random.below(joints);
    let mut b = Blueprint::default();
    for i in 0..count {
        let mut p = [size * random.unit(), size * random.unit()];
        if wild && random.below(8) == 0 {
            p = b.joints.get(random.below(i + 1)).copied().unwrap_or(p);
            p[random.below(2)] += random.pick(&[0.0, 0.099, 0.1, 0.11]);
        }
        if wild && random.below(300) == 0 {
            p[random.below(2)] = random.pick(&[1e30, -1e308, f64::MIN_POSITIVE, f64::NAN]);
        }
        b.joints.push(p);
    }
    let active = random.pick(&[0, 3, 5, 6]);
    for _ in 0..count * random.pick(&[2, 3, 8, 20]) {
        let amplitude = random.unit() * if wild { 9.0 } else { 1.0 };
        let phase = if wild {
            random.pick(&[0.3, 1e18, -1e308, 5e-324])
        } else {
            random.unit()
        };
        let drive = if random.below(6) < active {
            Drive::Active { amplitude, phase }
        } else {
            Drive::Rigid
        };
        let past_end = usize::from(wild && random.below(5000) == 0);
        let (a, b_) = (random.below(count + past_end), random.below(count));
        b.muscles.push(RawMuscle { a, b: b_, drive });
    }
    b
}

/// Walkers of such blueprints, as the creator lets them through.
pub fn walkers(seed: u64, number: usize, joints: usize, size: f64, wild: bool) -> Vec<Walker> {
    let mut random = Random(seed);
    let mut walkers = Vec::new();
    while walkers.len() < number {
        if let Ok((walker, _)) = Walker::create(&blueprint(&mut random, joints, size, wild)) {
            walkers.push(walker);
        }
    }
    walkers
}
