//! New values for constants, and how they are written.

use rand::Rng;

use crate::draw::{bell, below, chance, pick, weighted};

/// A number literal of the program, its sign included.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Constant {
    Int(i64),
    Float(f64),
}

/// What the place of a constant demands of its successor.
#[derive(Clone, Copy, Debug)]
pub(super) struct Demand {
    /// A whole number is needed (an index, a range).
    pub(super) whole: bool,
    /// The number divides.
    pub(super) nonzero: bool,
    /// Bound on the magnitude.
    pub(super) max: f64,
}

impl Constant {
    pub(super) fn value(self) -> f64 {
        match self {
            Self::Int(i) => i as f64,
            Self::Float(f) => f,
        }
    }

    /// The literal, with a minus sign in front where negative.
    pub(super) fn text(self) -> String {
        match self {
            Self::Int(i) => i.to_string(),
            Self::Float(f) => format!("{f:?}"),
        }
    }

    /// Whether `new` may stand where `self` stands.
    fn may_become(self, new: Self, demand: Demand) -> bool {
        let (old, value) = (self.value(), new.value());
        value.is_finite()
            && new != self
            && !(demand.whole && matches!(new, Self::Float(_)))
            && !(demand.nonzero && value == 0.0)
            && (value.abs() <= demand.max || value.abs() < old.abs())
    }

    /// Another number near this one, or one of `others`, the program's own; `None` if ten draws
    /// found nothing that fits.
    pub(super) fn mutate(
        self,
        others: &[Constant],
        demand: Demand,
        rng: &mut dyn Rng,
    ) -> Option<Self> {
        (0..10).find_map(|_| {
            let new = match self {
                Self::Int(i) => near_int(i, others, demand, rng),
                Self::Float(f) => near_float(f, others, rng),
            };
            new.filter(|new| self.may_become(*new, demand))
        })
    }
}

fn near_int(i: i64, others: &[Constant], demand: Demand, rng: &mut dyn Rng) -> Option<Constant> {
    let sign = if chance(rng, 0.5) { 1 } else { -1 };
    let whole = if demand.whole { 0.0 } else { 1.0 };
    // step, stride, double, halve, another of the program, a fraction, the other sign
    Some(
        match weighted(rng, &[4.0, 2.0, 1.0, 1.0, 2.0, whole, 0.5 * whole])? {
            0 => Constant::Int(i.checked_add(sign)?),
            1 => Constant::Int(i.checked_add(sign * (2 + below(rng, 4) as i64))?),
            2 => Constant::Int(i.checked_mul(2)?),
            3 => Constant::Int(i / 2),
            4 => *pick(rng, others)?,
            5 => Constant::Float(short(
                i as f64 + bell(rng) * (0.2 * i as f64).abs().max(0.5),
            )),
            _ => Constant::Int(i.checked_neg()?),
        },
    )
}

fn near_float(f: f64, others: &[Constant], rng: &mut dyn Rng) -> Option<Constant> {
    // scale, shift, double, halve, another of the program, round, the other sign
    Some(match weighted(rng, &[5.0, 2.0, 1.0, 1.0, 2.0, 0.5, 1.0])? {
        0 => Constant::Float(short(f * (1.0 + 0.3 * bell(rng)))),
        1 => Constant::Float(short(f + bell(rng))),
        2 => Constant::Float(short(f * 2.0)),
        3 => Constant::Float(short(f / 2.0)),
        // A whole number may go on as such: `a / 4` is `a / 4.0`.
        4 => *pick(rng, others)?,
        5 => Constant::Float(f.round()),
        _ => Constant::Float(-f),
    })
}

/// Rounds to three significant digits, so that literals stay short; steps below 0.001 vanish.
fn short(f: f64) -> f64 {
    // Printing and reading back is exact and the same everywhere; powers of ten are not.
    if f.abs() < 0.001 {
        return 0.0;
    }
    format!("{f:.2e}").parse().unwrap_or(f)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    const FREE: Demand = Demand {
        whole: false,
        nonzero: false,
        max: 1000.0,
    };

    #[test]
    fn growth_is_bounded_and_every_draw_differs() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut int = Constant::Int(3);
        let mut float = Constant::Float(3.5);
        for _ in 0..20_000 {
            let whole = Demand {
                whole: true,
                nonzero: true,
                ..FREE
            };
            let new = int.mutate(&[], whole, &mut rng).unwrap();
            assert!(matches!(new, Constant::Int(i) if i != 0 && i.abs() <= 1000));
            assert!(new.value().abs() <= (2.0 * int.value().abs()).max(int.value().abs() + 5.0));
            assert_ne!(new, int);
            int = new;
            let new = float.mutate(&[int], FREE, &mut rng).unwrap();
            assert!(new.value().abs() <= 1000.0);
            assert_ne!(new, float);
            float = new;
        }
    }

    #[test]
    fn beyond_the_bound_it_only_shrinks() {
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        for _ in 0..1000 {
            if let Some(new) = Constant::Int(1_000_000).mutate(&[], FREE, &mut rng) {
                assert!(new.value().abs() < 1_000_000.0, "{new:?}");
            }
        }
        for i in [i64::MAX, i64::MIN] {
            let _ = Constant::Int(i).mutate(&[], FREE, &mut rng); // must not overflow
        }
    }

    #[test]
    fn literals_are_short() {
        assert_eq!(Constant::Float(short(4.123_456)).text(), "4.12");
        assert_eq!(Constant::Float(short(-0.000_01)).text(), "0.0");
        assert_eq!(Constant::Float(5.0).text(), "5.0");
        assert_eq!(Constant::Int(-7).text(), "-7");
    }
}
