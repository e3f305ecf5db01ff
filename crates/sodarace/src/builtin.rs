//! The built-in terrains, the five of Lehman et al. 2022.

use crate::terrain::{Start, Terrain, TerrainError};

/// In the order of the paper.
pub(crate) const NAMES: [&str; 5] = ["flat", "left-wall", "right-wall", "bumpy", "tunnel"];

/// Terrains reach so far to both sides, world units: farther than a mass can
/// travel in half a minute at the solver's top speed of 120 a second.
const EXTENT: f64 = 4_000.0;
/// From the start to a wall.
const WALL_DISTANCE: f64 = 150.0;
/// Higher than any walker is long, so that none falls or climbs over it.
const WALL_HEIGHT: f64 = 2_000.0;

/// Hills of the bumpy ground: a valley at x = 0, crests twice the amplitude above.
const BUMP_AMPLITUDE: f64 = 12.0;
const BUMP_WAVELENGTH: f64 = 160.0;
const BUMP_SEGMENT: f64 = 4.0;

/// Half of the width of the pit in which a walker starts in the tunnel.
const PIT_HALF_WIDTH: f64 = 100.0;
/// Height of the pit's roof: no walker reaches it.
const PIT_HEIGHT: f64 = 2_000.0;
/// Height of the tunnel unless given: the CPPN seeds (24) and walkers half as
/// high as the square seed (72) pass.
const TUNNEL_HEIGHT: f64 = 40.0;
/// Heights a tunnel may have: more than the masses' diameter, less than the pit.
const TUNNEL_RANGE: std::ops::RangeInclusive<f64> = 5.0..=1_000.0;

pub(crate) fn by_name(name: &str) -> Result<Terrain, TerrainError> {
    let (kind, parameter) = match name.split_once(':') {
        Some((kind, parameter)) => (kind, Some(parameter)),
        None => (name, None),
    };
    let unknown = || TerrainError::Unknown { name: name.into() };
    let wrong = |why: String| TerrainError::Parameter {
        name: name.into(),
        why,
    };
    let kind = *NAMES.iter().find(|k| **k == kind).ok_or_else(unknown)?;
    if parameter.is_some() && kind != "tunnel" {
        return Err(wrong(format!(
            "{kind} takes no parameter; leave out the colon"
        )));
    }

    let floor = vec![[-EXTENT, 0.0], [EXTENT, 0.0]];
    let (mut ground, mut ceiling, mut start) = (floor, Vec::new(), Start::OnGround);
    match kind {
        "left-wall" => {
            ground = vec![
                [-EXTENT, WALL_HEIGHT],
                [-WALL_DISTANCE, WALL_HEIGHT],
                [-WALL_DISTANCE, 0.0],
                [EXTENT, 0.0],
            ];
        }
        "right-wall" => {
            ground = vec![
                [-EXTENT, 0.0],
                [WALL_DISTANCE, 0.0],
                [WALL_DISTANCE, WALL_HEIGHT],
                [EXTENT, WALL_HEIGHT],
            ];
        }
        "bumpy" => {
            let count = (EXTENT / BUMP_SEGMENT) as i32;
            ground = (-count..=count)
                .map(|i| bump(f64::from(i) * BUMP_SEGMENT))
                .collect();
            start = Start::Above(2.0 * BUMP_AMPLITUDE);
        }
        "tunnel" => {
            let height = match parameter {
                None => TUNNEL_HEIGHT,
                Some(text) => text
                    .parse()
                    .ok()
                    .filter(|height| TUNNEL_RANGE.contains(height))
                    .ok_or_else(|| {
                        wrong(format!(
                            "the height {text:?} must be a number from {} to {} world units",
                            TUNNEL_RANGE.start(),
                            TUNNEL_RANGE.end()
                        ))
                    })?,
            };
            ceiling = vec![
                [-EXTENT, height],
                [-PIT_HALF_WIDTH, height],
                [-PIT_HALF_WIDTH, PIT_HEIGHT],
                [PIT_HALF_WIDTH, PIT_HEIGHT],
                [PIT_HALF_WIDTH, height],
                [EXTENT, height],
            ];
        }
        _ => {}
    }
    Ok(Terrain {
        name: name.into(),
        ground,
        ceiling,
        start,
    })
}

/// The point of the bumpy ground at `x`.
fn bump(x: f64) -> [f64; 2] {
    let turn = 2.0 * std::f64::consts::PI * x / BUMP_WAVELENGTH;
    [x, BUMP_AMPLITUDE * (1.0 - libm::cos(turn))]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn built_ins_are_valid_and_carry_their_name() {
        for name in NAMES.iter().chain(&["tunnel:25", "tunnel:250.5"]) {
            let terrain = by_name(name).unwrap();
            assert_eq!(terrain.name, *name);
            terrain.validate().unwrap();
        }
    }

    #[test]
    fn wrong_names_are_errors_that_help() {
        let error = |name| by_name(name).unwrap_err().to_string();
        assert!(error("moon").contains("flat, left-wall"));
        assert!(error("flat:3").contains("takes no parameter"));
        for name in [
            "tunnel:",
            "tunnel:low",
            "tunnel:-4",
            "tunnel:nan",
            "tunnel:1e9",
        ] {
            assert!(error(name).contains("from 5 to 1000"), "{name}");
        }
    }

    #[test]
    fn bumps_are_as_in_the_reference() {
        assert_eq!(bump(0.0), [0.0, 0.0]);
        assert!((bump(80.0)[1] - 24.0).abs() < 1e-12);
    }
}
