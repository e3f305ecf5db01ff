//! From values to pixels along an axis.

use super::ticks;

/// Whether an axis starts at its least value or at 0.
pub(super) enum Near {
    Tight,
    Zero,
}

/// From values to pixels.
pub(super) struct Scale {
    log: bool,
    from: f64,
    to: f64,
    pixels: [f64; 2],
}

impl Scale {
    /// One that holds all values; a logarithmic one whole decades, so that lines keep off the frame.
    pub(super) fn new(
        values: impl Iterator<Item = f64>,
        log: bool,
        pixels: [f64; 2],
        near: Near,
    ) -> Scale {
        let start = if let Near::Zero = near {
            [0.0, 0.0]
        } else {
            [f64::INFINITY, f64::NEG_INFINITY]
        };
        let [mut from, mut to] = values.fold(start, |[lo, hi], v| [v.min(lo), v.max(hi)]);
        if log {
            from = 10f64.powf(from.log10().floor());
            to = 10f64.powf(to.log10().ceil());
        }
        if to <= from {
            to = if log {
                from * 10.0
            } else {
                from + from.abs().max(1.0)
            };
        }
        Scale {
            log,
            from,
            to,
            pixels,
        }
    }

    /// A logarithmic one from one value to another, both above 0.
    pub(super) fn logarithmic(from: f64, to: f64, pixels: [f64; 2]) -> Scale {
        Scale {
            log: true,
            from,
            to,
            pixels,
        }
    }

    /// Where a value lies.
    pub(super) fn at(&self, value: f64) -> f64 {
        let share = if self.log {
            (value / self.from).log10() / (self.to / self.from).log10()
        } else {
            // Halved, so that the span of huge numbers stays finite.
            (value / 2.0 - self.from / 2.0) / (self.to / 2.0 - self.from / 2.0)
        };
        self.pixels[0] + share * (self.pixels[1] - self.pixels[0])
    }

    /// About `count` round values on it.
    pub(super) fn ticks(&self, count: usize) -> Vec<f64> {
        if self.log {
            ticks::logarithmic(self.from, self.to, 2 * count)
        } else {
            ticks::linear(self.from, self.to, count)
        }
    }
}
