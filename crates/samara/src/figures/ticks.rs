//! Round numbers along an axis.

/// About `count` round numbers (1, 2 or 5 times a power of ten apart) that lie
/// within `from..=to`.
pub fn linear(from: f64, to: f64, count: usize) -> Vec<f64> {
    let least = (to - from) / count.max(1) as f64;
    if !least.is_finite() || least <= 0.0 {
        return vec![from];
    }
    let power = 10f64.powf(least.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0]
        .map(|m| m * power)
        .into_iter()
        .find(|s| *s >= least * 0.999);
    let step = step.unwrap_or(10.0 * power);
    let (first, last) = (
        (from / step - 1e-9).ceil() as i64,
        (to / step + 1e-9).floor() as i64,
    );
    (first..=last).map(|i| i as f64 * step).collect()
}

/// The powers of ten within `from..=to` (both above 0), thinned to about `count`.
pub fn logarithmic(from: f64, to: f64, count: usize) -> Vec<f64> {
    let first = (from.log10() - 1e-9).ceil() as i32;
    let last = (to.log10() + 1e-9).floor() as i32;
    let every = ((last - first) / count.max(1) as i32 + 1).max(1);
    (first..=last)
        .step_by(every as usize)
        .map(|e| 10f64.powi(e))
        .collect()
}

/// A number as a person would write it beside an axis: `0.02`, `1,500`, `2.5M`.
pub fn text(x: f64) -> String {
    let size = x.abs();
    let plain = |x: f64, digits: usize| {
        let text = format!("{x:.digits$}");
        if text.contains('.') {
            text.trim_end_matches('0').trim_end_matches('.').to_string()
        } else {
            text
        }
    };
    let text = match size {
        _ if x.is_nan() => "\u{2013}".to_string(),
        s if s >= 1e12 || (s > 0.0 && s < 1e-4) => format!("{x:.1e}"),
        s if s >= 1e6 => plain(x / 1e6, 2) + "M",
        s if s >= 1e4 => plain(x / 1e3, 1) + "k",
        s if s >= 100.0 => plain(x, 0),
        s if s >= 1.0 => plain(x, 2),
        _ => plain(x, 4),
    };
    if text == "-0" {
        "0".into()
    } else {
        text.replace('-', "\u{2212}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn linear_ticks_are_round_and_inside() {
        assert_eq!(linear(0.0, 10.0, 5), [0.0, 2.0, 4.0, 6.0, 8.0, 10.0]);
        assert_eq!(linear(-3.0, 4.0, 4), [-2.0, 0.0, 2.0, 4.0]);
        assert_eq!(linear(5.0, 5.0, 4), [5.0]);
        assert_eq!(linear(0.0, f64::INFINITY, 4), [0.0]);
        assert!(
            linear(1e300, 1.001e300, 4)
                .iter()
                .all(|t| (1e300..=1.001e300).contains(t))
        );
        assert_eq!(
            linear(-1e300, 1e300, 4),
            [-1e300, -5e299, 0.0, 5e299, 1e300]
        );
    }

    #[test]
    fn logarithmic_ticks_are_powers_of_ten() {
        let ticks = logarithmic(0.004, 100.0, 6);
        assert_eq!(ticks.len(), 5);
        assert!((ticks[0] - 0.01).abs() < 1e-12 && (ticks[4] - 100.0).abs() < 1e-9);
        assert_eq!(logarithmic(1e-30, 1e30, 6).len(), 6);
    }

    #[test]
    fn numbers_read_well() {
        for (x, written) in [
            (0.0, "0"),
            (-0.0, "0"),
            (0.02, "0.02"),
            (1728.0, "1728"),
            (15_300.0, "15.3k"),
            (-1_024_000.0, "\u{2212}1.02M"),
            (f64::NAN, "\u{2013}"),
            (0.00001, "1.0e\u{2212}5"),
        ] {
            assert_eq!(text(x), written);
        }
    }
}
