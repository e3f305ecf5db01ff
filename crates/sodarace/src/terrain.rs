//! Terrains are data: polylines of ground and ceiling, and where a walker starts.
//!
//! Five are built in, see [`Terrain::by_name`]; any other is a file in the
//! serde form of [`Terrain`].

use std::fmt;

use serde::de::{self, MapAccess, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use thiserror::Error;

use crate::builtin;

/// Largest coordinate of a terrain, world units. Beyond it single precision
/// is coarser than the solver's slop.
pub const MAX_COORDINATE: f64 = 10_000.0;
/// Most corners of one polyline.
pub const MAX_CORNERS: usize = 100_000;

/// A terrain in world units, y upwards, x from left to right.
///
/// Reading one validates it (see [`Terrain::validate`]).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Unchecked")]
pub struct Terrain {
    /// Short name, as given on the command line.
    pub name: String,
    /// The ground's corners; its solid side is the right-hand side of the way
    /// (below, for a line that runs from left to right).
    pub ground: Vec<[f64; 2]>,
    /// The ceiling's corners from left to right, solid above; empty for open sky.
    pub ceiling: Vec<[f64; 2]>,
    /// The height at which a walker is set down.
    pub start: Start,
}

/// Where a walker starts; always centred on x = 0.
#[derive(Clone, Copy, Debug, PartialEq, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Start {
    /// The lowest mass touches y = 0.
    #[default]
    OnGround,
    /// The lowest mass is this far above y = 0.
    Above(f64),
}

/// `"on-ground"` or `{"above": HEIGHT}` and nothing else: the formats do not agree on what else an enumeration may be.
impl<'de> Deserialize<'de> for Start {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Form;

        impl<'de> Visitor<'de> for Form {
            type Value = Start;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the start: \"on-ground\", or \"above\" and a height")
            }

            fn visit_str<E: de::Error>(self, word: &str) -> Result<Start, E> {
                match word {
                    "on-ground" => Ok(Start::OnGround),
                    other => Err(E::invalid_value(Unexpected::Str(other), &self)),
                }
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Start, A::Error> {
                match map.next_key::<String>()?.as_deref() {
                    Some("above") => {}
                    Some(other) => {
                        return Err(de::Error::invalid_value(Unexpected::Str(other), &self));
                    }
                    None => return Err(de::Error::invalid_length(0, &self)),
                }
                let height = map.next_value()?;
                match map.next_key::<String>()? {
                    None => Ok(Start::Above(height)),
                    Some(_) => Err(de::Error::invalid_length(2, &self)),
                }
            }
        }

        from.deserialize_any(Form)
    }
}

/// Why a terrain cannot be used.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum TerrainError {
    /// No terrain of that name is built in.
    #[error("there is no terrain {name:?}; known are {}, or give a file", Terrain::names().join(", "))]
    Unknown {
        /// The name asked for.
        name: String,
    },
    /// The parameter behind the colon does not fit.
    #[error("terrain {name:?}: {why}")]
    Parameter {
        /// The name asked for.
        name: String,
        /// What is wrong with it and what would be right.
        why: String,
    },
    /// A field of a terrain read or built is wrong.
    #[error("terrain {name:?}: {field} {why}")]
    Field {
        /// The terrain's name.
        name: String,
        /// The field, with its index where there is one.
        field: String,
        /// What is wrong with it and what would be right.
        why: String,
    },
}

/// The serde form of [`Terrain`] before validation.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Unchecked {
    name: String,
    ground: Vec<Corner>,
    #[serde(default)]
    ceiling: Vec<Corner>,
    #[serde(default)]
    start: Start,
}

/// A corner as a file has it: two numbers. The formats do not agree on what becomes of a third.
#[derive(Deserialize)]
#[serde(try_from = "Vec<f64>")]
struct Corner([f64; 2]);

impl TryFrom<Vec<f64>> for Corner {
    type Error = String;

    fn try_from(numbers: Vec<f64>) -> Result<Self, String> {
        let corner = numbers.as_slice().try_into().map(Self);
        corner.map_err(|_| format!("a corner has {} numbers; give two, x and y", numbers.len()))
    }
}

impl TryFrom<Unchecked> for Terrain {
    type Error = TerrainError;

    fn try_from(raw: Unchecked) -> Result<Self, TerrainError> {
        let terrain = Terrain {
            name: raw.name,
            ground: raw.ground.into_iter().map(|corner| corner.0).collect(),
            ceiling: raw.ceiling.into_iter().map(|corner| corner.0).collect(),
            start: raw.start,
        };
        terrain.validate()?;
        Ok(terrain)
    }
}

impl Terrain {
    /// Names of the built-in terrains, in the order of the paper.
    pub fn names() -> &'static [&'static str] {
        &builtin::NAMES
    }

    /// A built-in terrain: `flat`, `left-wall`, `right-wall`, `bumpy`, or
    /// `tunnel`, the last also as `tunnel:HEIGHT` with the height between
    /// ground and ceiling in world units.
    ///
    /// # Errors
    /// [`TerrainError::Unknown`] for another name and
    /// [`TerrainError::Parameter`] for a parameter that does not fit.
    pub fn by_name(name: &str) -> Result<Terrain, TerrainError> {
        builtin::by_name(name)
    }

    /// Checks what the physics relies on: two corners or more in the ground (and
    /// in a ceiling, if there is one), coordinates finite and at most
    /// [`MAX_COORDINATE`], x never running backwards (vertical walls are fine),
    /// no two neighbouring corners alike, the ceiling above the ground.
    ///
    /// # Errors
    /// [`TerrainError::Field`], naming the first field that is wrong.
    pub fn validate(&self) -> Result<(), TerrainError> {
        let wrong = |field: String, why: String| TerrainError::Field {
            name: self.name.clone(),
            field,
            why,
        };
        check_line("ground", &self.ground).map_err(|(f, w)| wrong(f, w))?;
        if !self.ceiling.is_empty() {
            check_line("ceiling", &self.ceiling).map_err(|(f, w)| wrong(f, w))?;
        }
        if let Start::Above(height) = self.start
            && !(height.is_finite() && height.abs() <= MAX_COORDINATE)
        {
            return Err(wrong(
                "start.above".into(),
                format!("is {height}; it must lie within +-{MAX_COORDINATE}"),
            ));
        }
        for (i, p) in self.ceiling.iter().enumerate() {
            if height_range(&self.ground, p[0]).is_some_and(|(_, top)| p[1] <= top) {
                return Err(wrong(
                    format!("ceiling[{i}]"),
                    "lies on or below the ground; move it up".into(),
                ));
            }
        }
        for (i, p) in self.ground.iter().enumerate() {
            if height_range(&self.ceiling, p[0]).is_some_and(|(bottom, _)| p[1] >= bottom) {
                return Err(wrong(
                    format!("ground[{i}]"),
                    "lies on or above the ceiling; move it down".into(),
                ));
            }
        }
        Ok(())
    }

    /// Whether a point lies within rock: below the ground or above the ceiling.
    pub fn is_solid(&self, [x, y]: [f64; 2]) -> bool {
        // A line that never runs backwards is crossed once by a plumb line; at
        // a wall's x, the wall's lower end counts for the ground.
        height_range(&self.ground, x).is_some_and(|(bottom, _)| y < bottom)
            || height_range(&self.ceiling, x).is_some_and(|(_, top)| y > top)
    }

    /// The lowest mass's height above y = 0 when the walker is set down.
    pub(crate) fn lift(&self) -> f64 {
        match self.start {
            Start::OnGround => 0.0,
            Start::Above(height) => height,
        }
    }
}

/// Lowest and highest y of a line at `x` (they differ only at a vertical
/// wall); `None` beyond its ends.
fn height_range(line: &[[f64; 2]], x: f64) -> Option<(f64, f64)> {
    // First and one past the last corner of the segments that touch x.
    let first = line.partition_point(|p| p[0] < x);
    let end = line.partition_point(|p| p[0] <= x);
    if first < end {
        let ys = line[first..end].iter().map(|p| p[1]);
        return Some(ys.fold((f64::INFINITY, f64::NEG_INFINITY), |(lo, hi), y| {
            (lo.min(y), hi.max(y))
        }));
    }
    let ([x0, y0], [x1, y1]) = (*line.get(first.checked_sub(1)?)?, *line.get(first)?);
    let y = y0 + (y1 - y0) * ((x - x0) / (x1 - x0));
    Some((y, y))
}

/// Checks one polyline; the error is the field and what is wrong with it.
fn check_line(field: &str, line: &[[f64; 2]]) -> Result<(), (String, String)> {
    if line.len() < 2 || line.len() > MAX_CORNERS {
        let why = format!(
            "has {} corners; it needs between 2 and {MAX_CORNERS}",
            line.len()
        );
        return Err((field.into(), why));
    }
    for (i, p) in line.iter().enumerate() {
        let at = format!("{field}[{i}]");
        if !p.iter().all(|c| c.is_finite() && c.abs() <= MAX_COORDINATE) {
            let why = format!("is {p:?}; coordinates must lie within +-{MAX_COORDINATE}");
            return Err((at, why));
        }
        if i > 0 && p[0] < line[i - 1][0] {
            let why = "lies left of the corner before it; x must not run backwards".into();
            return Err((at, why));
        }
        if i > 0 && (p[0] - line[i - 1][0]).hypot(p[1] - line[i - 1][1]) < 1e-3 {
            return Err((at, "repeats the corner before it; remove it".into()));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Terrain, String> {
        serde_json::from_str(text).map_err(|e| e.to_string())
    }

    #[test]
    fn a_new_terrain_needs_no_code() {
        let t = read(
            r#"{"name": "steps", "ground": [[-90, 0], [20, 0], [20, 5], [90, 5]],
                "ceiling": [[-90, 50], [90, 40]], "start": {"above": 3}}"#,
        )
        .unwrap();
        assert_eq!(t.start, Start::Above(3.0));
        let again = serde_json::to_string(&t).unwrap();
        assert_eq!(read(&again).unwrap(), t);
        let bare = read(r#"{"name": "n", "ground": [[-90, 0], [20, 0]]}"#).unwrap();
        assert_eq!((bare.start, bare.ceiling.len()), (Start::OnGround, 0));
    }

    #[test]
    fn wrong_fields_are_named() {
        let field = |text: &str| read(text).unwrap_err();
        let e = field(r#"{"name": "n", "ground": [[0, 0]]}"#);
        assert!(e.contains("ground has 1 corners"), "{e}");
        let e = field(r#"{"name": "n", "ground": [[0, 0], [5, 0], [4, 0]]}"#);
        assert!(e.contains("ground[2] lies left"), "{e}");
        let e = field(r#"{"name": "n", "ground": [[0, 0], [5e9, 0]]}"#);
        assert!(e.contains("ground[1]"), "{e}");
        let e = field(r#"{"name": "n", "ground": [[0, 0], [5, 0], [5, 0]]}"#);
        assert!(e.contains("ground[2] repeats"), "{e}");
        let e = field(r#"{"name": "n", "ground": [[0, 0], [9, 9]], "ceiling": [[0, 5], [9, 5]]}"#);
        assert!(e.contains("ceiling[1] lies on or below"), "{e}");
        let e = field(
            r#"{"name": "n", "ground": [[0, 0], [5, 9], [9, 0]], "ceiling": [[0, 5], [9, 5]]}"#,
        );
        assert!(e.contains("ground[1] lies on or above"), "{e}");
        let e = field(r#"{"name": "n", "ground": [[0, 0], [9, 9]], "start": {"above": 1e30}}"#);
        assert!(e.contains("start.above"), "{e}");
        let e = field(r#"{"name": "n", "ground": [[0, 0], [9, 9]], "roof": []}"#);
        assert!(e.contains("roof"), "{e}");
    }

    #[test]
    fn solid_is_below_ground_behind_walls_and_above_the_ceiling() {
        let t = Terrain::by_name("left-wall").unwrap();
        assert!(t.is_solid([0.0, -1.0]) && !t.is_solid([0.0, 1.0]));
        assert!(t.is_solid([-151.0, 5.0]) && !t.is_solid([-149.0, 5.0]));
        let t = Terrain::by_name("tunnel:30").unwrap();
        assert!(t.is_solid([500.0, 31.0]) && !t.is_solid([500.0, 29.0]));
        assert!(!t.is_solid([0.0, 200.0]));
    }
}
