//! The colours of every picture, and the scales that turn numbers into them.

/// Background of a picture.
pub const PAPER: &str = "#fcfdff";
/// Texts.
pub const INK: &str = "#334155";
/// Texts that stand back.
pub const FAINT: &str = "#64748b";
/// Grid lines.
pub const GRID: &str = "#e6ebf2";
/// The solid ground and ceiling.
pub const SOIL: &str = "#dde4ed";
/// The ground's surface.
pub const SURFACE: &str = "#7c8ba1";
/// Rigid muscles.
pub const RIGID: &str = "#5b6b82";
/// Masses.
pub const MASS: &str = "#1e293b";

/// A colour of the OKLCH space as `#rrggbb`: lightness 0 to 1, chroma from 0
/// (grey) to about 0.3, hue in turns.
///
/// Equal steps of it look equally large (B. Ottosson, "A perceptual color
/// space for image processing", 2020); what sRGB cannot show is clipped.
pub fn oklch(lightness: f64, chroma: f64, hue: f64) -> String {
    let angle = std::f64::consts::TAU * hue;
    oklab(
        lightness,
        chroma * libm::cos(angle),
        chroma * libm::sin(angle),
    )
}

fn oklab(lightness: f64, a: f64, b: f64) -> String {
    let l = (lightness + 0.396_337_777_4 * a + 0.215_803_757_3 * b).powi(3);
    let m = (lightness - 0.105_561_345_8 * a - 0.063_854_172_8 * b).powi(3);
    let s = (lightness - 0.089_484_177_5 * a - 1.291_485_548_0 * b).powi(3);
    let linear = [
        4.076_741_662_1 * l - 3.307_711_591_3 * m + 0.230_969_929_2 * s,
        -1.268_438_004_6 * l + 2.609_757_401_1 * m - 0.341_319_396_5 * s,
        -0.004_196_086_3 * l - 0.703_418_614_7 * m + 1.707_614_701_0 * s,
    ];
    let [r, g, b] = linear.map(|x| {
        let x = x.clamp(0.0, 1.0);
        let encoded = if x <= 0.003_130_8 {
            12.92 * x
        } else {
            1.055 * libm::pow(x, 1.0 / 2.4) - 0.055
        };
        (encoded * 255.0).round() as u8
    });
    format!("#{r:02x}{g:02x}{b:02x}")
}

/// The colour of an active muscle of this phase (in turns): a hue circle of
/// equal lightness.
pub fn phase(phase: f64) -> String {
    // Phase 0, by far the most frequent, gets a warm red.
    oklch(0.66, 0.18, 0.07 + phase.rem_euclid(1.0))
}

/// The colour of a share from 0 to 1 on a scale from deep violet over teal to
/// yellow, of evenly rising lightness (so that it also reads in grey and for
/// the colour-blind). Shares outside are clamped; a NaN counts as 0.
pub fn sequential(share: f64) -> String {
    let t = if share.is_nan() {
        0.0
    } else {
        share.clamp(0.0, 1.0)
    };
    // Lightness, chroma and hue in degrees, all within sRGB; between them along
    // straight lines in the space's Cartesian form.
    const STOPS: [[f64; 3]; 5] = [
        [0.26, 0.11, 305.0],
        [0.43, 0.115, 262.0],
        [0.59, 0.09, 215.0],
        [0.75, 0.135, 158.0],
        [0.92, 0.17, 107.0],
    ];
    let place = t * (STOPS.len() - 1) as f64;
    let below = (place as usize).min(STOPS.len() - 2);
    let lab = |[lightness, chroma, hue]: [f64; 3]| {
        let angle = hue.to_radians();
        [
            lightness,
            chroma * libm::cos(angle),
            chroma * libm::sin(angle),
        ]
    };
    let (from, to) = (lab(STOPS[below]), lab(STOPS[below + 1]));
    let [lightness, a, b] = [0, 1, 2].map(|i| from[i] + (to[i] - from[i]) * (place - below as f64));
    oklab(lightness, a, b)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn luma(colour: &str) -> f64 {
        let part = |i| f64::from(u8::from_str_radix(&colour[i..i + 2], 16).unwrap());
        0.2126 * part(1) + 0.7152 * part(3) + 0.0722 * part(5)
    }

    #[test]
    fn oklch_reproduces_known_colours() {
        assert_eq!(oklch(1.0, 0.0, 0.0), "#ffffff");
        assert_eq!(oklch(0.0, 0.0, 0.3), "#000000");
        // sRGB red in OKLCH, from the space's own conversion.
        assert_eq!(oklch(0.627_955, 0.257_683, 29.233_885 / 360.0), "#ff0000");
    }

    #[test]
    fn the_sequential_scale_gets_lighter_all_the_way() {
        let scale: Vec<f64> = (0..=20)
            .map(|i| luma(&sequential(f64::from(i) / 20.0)))
            .collect();
        assert!(scale.windows(2).all(|w| w[0] < w[1]), "{scale:?}");
        assert_eq!(sequential(f64::NAN), sequential(0.0));
    }

    #[test]
    fn phases_go_round() {
        assert_eq!(phase(0.25), phase(-0.75));
        assert_ne!(phase(0.25), phase(0.75));
    }
}
