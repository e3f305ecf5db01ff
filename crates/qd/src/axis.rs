use serde::{Deserialize, Serialize};

/// How far below a bin's lower edge, in bins, a value still counts as on it: rounding in `(value - low) / (high -
/// low)` must not drop a value that lies on an edge into the bin below.
const EDGE: f64 = 1e-9;

/// One measure's range, cut into bins of equal width.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Axis {
    /// The measure's name, for people.
    pub name: String,
    /// Lower end, in the measure's unit.
    pub low: f64,
    /// Upper end, in the measure's unit; above `low`.
    pub high: f64,
    /// Number of bins, at least 1.
    #[serde(default = "default_bins")]
    pub bins: u32,
}

fn default_bins() -> u32 {
    Axis::DEFAULT_BINS
}

/// Why an axis cannot be used.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum AxisError {
    /// An end that is not finite, ends in the wrong order, or a range too wide for its width to be a number.
    #[error("axis `{name}`: [{low}, {high}] is no range; give a finite low below a finite high")]
    Range {
        /// The axis's name.
        name: String,
        /// The lower end given.
        low: f64,
        /// The upper end given.
        high: f64,
    },
    /// No bins.
    #[error("axis `{name}`: 0 bins hold nothing; give 1 or more")]
    Bins {
        /// The axis's name.
        name: String,
    },
}

impl Axis {
    /// Bins of an axis whose configuration does not say; three such axes are the 12 x 12 x 12 grid of Lehman et al.
    /// 2022 (arXiv 2206.08896).
    pub const DEFAULT_BINS: u32 = 12;

    /// An axis from `low` to `high`; it is checked where it is used.
    pub fn new(name: impl Into<String>, low: f64, high: f64, bins: u32) -> Self {
        Self {
            name: name.into(),
            low,
            high,
            bins,
        }
    }

    /// Says whether the axis can be used.
    pub fn check(&self) -> Result<(), AxisError> {
        let Self {
            name,
            low,
            high,
            bins,
        } = self.clone();
        if !(low < high && (high - low).is_finite()) {
            return Err(AxisError::Range { name, low, high });
        }
        if bins == 0 {
            return Err(AxisError::Bins { name });
        }
        Ok(())
    }

    /// The bin that `value` falls into, in 0..bins. A bin owns its lower edge; a value past either end belongs to the
    /// bin at that end, as in pyribs. `value` must not be NaN.
    pub fn bin(&self, value: f64) -> u32 {
        let share = (value - self.low) / (self.high - self.low);
        // The cast saturates: below 0 becomes 0, and what is past u32 its maximum.
        ((share * f64::from(self.bins) + EDGE) as u32).min(self.bins - 1)
    }

    /// The values between which `bin` lies.
    pub fn edges(&self, bin: u32) -> (f64, f64) {
        let edge =
            |i: u32| self.low + (self.high - self.low) * (f64::from(i) / f64::from(self.bins));
        (edge(bin), edge(bin + 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bin_owns_its_lower_edge_and_the_last_one_its_upper_too() {
        for bins in 1..200 {
            for (low, high) in [(0.0, 1.0), (-3.3, 7.1), (1e-9, 2e-9), (-1e308, 7e307)] {
                let axis = Axis::new("a", low, high, bins);
                for bin in 0..bins {
                    let (lower, upper) = axis.edges(bin);
                    assert_eq!(axis.bin(lower), bin, "{axis:?}");
                    assert_eq!(axis.bin(lower + (upper - lower) * 0.999), bin, "{axis:?}");
                }
                assert_eq!(axis.bin(high), bins - 1);
            }
        }
    }

    #[test]
    fn values_past_an_end_belong_to_it() {
        let axis = Axis::new("a", 0.0, 10.0, 5);
        assert_eq!(axis.bin(-1e-12), 0);
        assert_eq!(axis.bin(f64::MIN), 0);
        assert_eq!(axis.bin(f64::MAX), 4);
        assert_eq!(axis.bin(10.000001), 4);
    }

    #[test]
    fn ranges_that_are_none_are_refused() {
        for (low, high) in [
            (1.0, 1.0),
            (2.0, 1.0),
            (f64::NAN, 1.0),
            (0.0, f64::INFINITY),
            (f64::MIN, f64::MAX),
        ] {
            assert!(matches!(
                Axis::new("a", low, high, 3).check(),
                Err(AxisError::Range { .. })
            ));
        }
        assert!(matches!(
            Axis::new("a", 0.0, 1.0, 0).check(),
            Err(AxisError::Bins { .. })
        ));
        assert_eq!(Axis::new("a", 0.0, 1.0, 1).check(), Ok(()));
    }

    #[test]
    fn bins_default_in_configuration() {
        let axis: Axis =
            serde_json::from_str(r#"{"name": "height", "low": 0, "high": 30}"#).unwrap();
        assert_eq!(axis.bins, 12);
    }
}
