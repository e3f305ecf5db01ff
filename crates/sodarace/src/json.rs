//! The walker's JSON form, that of the walker creator's `get_walker()`.

use serde::{Deserialize, Serialize};

use crate::creator::{Blueprint, RawMuscle, Rejected};
use crate::walker::{Drive, Walker};

/// `{"joints": [[x, y], ..], "muscles": [[i, j, {..}], ..]}`.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Form {
    joints: Vec<[f64; 2]>,
    muscles: Vec<(usize, usize, Kind)>,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase", deny_unknown_fields)]
enum Kind {
    Distance,
    Muscle {
        #[serde(default)]
        amplitude: f64,
        #[serde(default)]
        phase: f64,
    },
}

impl From<Walker> for Form {
    fn from(walker: Walker) -> Self {
        let muscles = walker.muscles.iter().map(|m| {
            let kind = match m.drive {
                Drive::Rigid => Kind::Distance,
                Drive::Active { amplitude, phase } => Kind::Muscle { amplitude, phase },
            };
            (usize::from(m.a), usize::from(m.b), kind)
        });
        Form {
            muscles: muscles.collect(),
            joints: walker.joints,
        }
    }
}

impl TryFrom<Form> for Walker {
    type Error = Rejected;

    fn try_from(form: Form) -> Result<Self, Rejected> {
        let muscles = form.muscles.into_iter().map(|(a, b, kind)| RawMuscle {
            a,
            b,
            drive: match kind {
                Kind::Distance => Drive::Rigid,
                Kind::Muscle { amplitude, phase } => Drive::Active { amplitude, phase },
            },
        });
        let blueprint = Blueprint {
            muscles: muscles.collect(),
            joints: form.joints,
        };
        Walker::create(&blueprint).map(|(walker, _)| walker)
    }
}

#[cfg(test)]
mod tests {
    use crate::Walker;

    const TRIANGLE: &str = r#"{"joints":[[0.0,0.0],[2.0,0.0],[0.5,1.0]],"muscles":[[0,1,{"type":"distance"}],[1,2,{"type":"muscle","amplitude":0.5,"phase":-0.25}],[2,0,{"type":"distance"}]]}"#;

    #[test]
    fn round_trip() {
        let walker: Walker = serde_json::from_str(TRIANGLE).unwrap();
        assert_eq!(serde_json::to_string(&walker).unwrap(), TRIANGLE);
    }

    #[test]
    fn a_file_is_not_trusted() {
        let error = |from: &str, to: &str| {
            let text = TRIANGLE.replace(from, to);
            assert_ne!(text, TRIANGLE);
            serde_json::from_str::<Walker>(&text)
                .unwrap_err()
                .to_string()
        };
        let e = error("[2,0,", "[2,7,");
        assert!(e.contains("muscles[2] names joint 7"), "{e}");
        let e = error("\"phase\"", "\"phaze\"");
        assert!(e.contains("phaze"), "{e}");
        let e = error(",[2,0,{\"type\":\"distance\"}]", "");
        assert!(e.contains("muscles"), "{e}");
        let e = error("[2.0,0.0]", "[2000.0,0.0]");
        assert!(e.contains("wide or high"), "{e}");
        let e = error("\"joints\"", "\"points\"");
        assert!(e.contains("points"), "{e}");
        error("0.5,1.0", "1e999,1.0");
    }

    #[test]
    fn amplitude_is_clamped_on_reading() {
        let strong: Walker = serde_json::from_str(&TRIANGLE.replace("0.5,\"ph", "5,\"ph")).unwrap();
        assert!(
            serde_json::to_string(&strong)
                .unwrap()
                .contains("\"amplitude\":1.0")
        );
    }
}
