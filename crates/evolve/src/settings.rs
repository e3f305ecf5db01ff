//! Every setting of a search, as one TOML file whose comments are its documentation (`settings.toml`).

use std::path::{Path, PathBuf};
use std::time::Duration;

use pyrun::{HostModule, Limits, Tier};
use qd::{Axis, GridArchive};
use serde::{Deserialize, Serialize};
use toml::{Table, Value};

use crate::operator::Weights;
use crate::{Error, gp, model, prompt};

/// The commented configuration with all defaults; [`Settings::default`] is read from it.
pub const COMMENTED: &str = concat!(
    include_str!("settings.toml"),
    "\n",
    include_str!("model/settings.toml"),
    "\n",
    include_str!("prompt/settings.toml"),
);

/// All settings of a search. The comments in [`COMMENTED`] say what each means.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "documented for users in settings.toml")]
pub struct Settings {
    pub seed: String,
    pub evaluations: u64,
    pub rng: u64,
    pub threads: usize,
    pub pictures: bool,
    pub search: Search,
    pub operators: Weights,
    pub gp: gp::Settings,
    pub model: model::settings::Model,
    pub line: model::settings::Line,
    pub diff: model::settings::Diff,
    pub prompt: prompt::Settings,
    pub sodarace: Sodarace,
    pub map: Map,
    pub python: Python,
}

/// The shape of the loop.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "documented for users in settings.toml")]
pub struct Search {
    pub replicas: u32,
    pub batch: u32,
    pub delay: u32,
}

/// The domain.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "documented for users in settings.toml")]
pub struct Sodarace {
    pub terrain: String,
    pub seconds: f64,
}

/// The axes of the map.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "documented for users in settings.toml")]
pub struct Map {
    pub height: Range,
    pub width: Range,
    pub mass: Range,
}

/// One axis of the map.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "documented for users in settings.toml")]
pub struct Range {
    pub low: f64,
    pub high: f64,
    pub bins: u32,
}

/// How programs are run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "documented for users in settings.toml")]
pub struct Python {
    pub tier: Tier,
    pub cpu_seconds: f64,
    pub memory_mb: u64,
    pub recursion: u32,
    pub output_kb: u64,
    pub interpreter: String,
}

impl Python {
    /// How `pyrun` is to run programs that find this module ready.
    pub fn runner(&self, host: HostModule) -> pyrun::Config {
        let mut config = pyrun::Config::new(host);
        config.tier = self.tier;
        config.limits = Limits {
            cpu: Duration::from_secs_f64(self.cpu_seconds),
            memory_bytes: self.memory_mb << 20,
            recursion: self.recursion,
            output_bytes: (self.output_kb as usize) << 10,
        };
        if !self.interpreter.is_empty() {
            config.python = Some(PathBuf::from(&self.interpreter));
        }
        config
    }
}

impl Default for Settings {
    fn default() -> Self {
        toml::from_str(COMMENTED).expect("settings.toml is tested")
    }
}

impl Settings {
    /// Reads a configuration file: what it leaves out keeps its default.
    ///
    /// # Errors
    /// The file cannot be read, is not TOML, names an unknown setting, or gives one a value of the wrong kind.
    pub fn load(path: &Path) -> Result<Self, Error> {
        let text = std::fs::read_to_string(path)
            .map_err(|e| Error::file(path, e, "give a file that `samara config` printed"))?;
        Self::parse(&text).map_err(|why| {
            Error::file(
                path,
                why,
                "see `samara config` for all settings and their kinds",
            )
        })
    }

    /// As [`Settings::load`], from the text itself.
    ///
    /// # Errors
    /// What is wrong, naming the setting.
    pub fn parse(text: &str) -> Result<Self, String> {
        Self::over_defaults(text, |name, known| {
            Err(format!(
                "there is no setting {name}; known here: {}",
                known.join(", ")
            ))
        })
    }

    /// As [`Settings::parse`], from what a run holds: settings of another samara, which this one does not know, are passed
    /// over.
    ///
    /// # Errors
    /// What is wrong, naming the setting.
    pub fn parse_stored(text: &str) -> Result<Self, String> {
        Self::over_defaults(text, |_, _| Ok(()))
    }

    fn over_defaults(text: &str, unknown: Unknown) -> Result<Self, String> {
        let own: Table = toml::from_str(text).map_err(|e| e.to_string())?;
        let mut all: Table = toml::from_str(COMMENTED).expect("settings.toml is tested");
        overlay(&mut all, own, "", unknown)?;
        serde_path_to_error::deserialize(Value::Table(all))
            .map_err(|e| format!("{}: {}", e.path(), e.inner()))
    }

    /// The settings as TOML, without comments.
    pub fn to_toml(&self) -> String {
        toml::to_string_pretty(self).expect("settings are plain data")
    }

    /// The axes of the map.
    pub fn axes(&self) -> [Axis; 3] {
        let Map {
            height,
            width,
            mass,
        } = &self.map;
        [("height", height), ("width", width), ("mass", mass)].map(|(name, range)| Axis {
            name: name.to_owned(),
            low: range.low,
            high: range.high,
            bins: range.bins,
        })
    }

    /// Children in one iteration.
    pub fn iteration_size(&self) -> u64 {
        u64::from(self.search.replicas) * u64::from(self.search.batch)
    }

    /// Checks what the types cannot: ranges.
    ///
    /// # Errors
    /// Names the first setting out of its range, and the range.
    pub fn check(&self) -> Result<(), Error> {
        let limits: [(&str, f64, f64, f64); 11] = [
            (
                "search.replicas",
                self.search.replicas.into(),
                1.0,
                65_536.0,
            ),
            ("search.batch", self.search.batch.into(), 1.0, 65_536.0),
            ("search.delay", self.search.delay.into(), 0.0, 64.0),
            ("threads", self.threads as f64, 0.0, 1024.0),
            ("evaluations", self.evaluations as f64, 0.0, 1e12),
            // TOML and SQLite hold integers of 63 bits.
            ("rng", self.rng as f64, 0.0, (i64::MAX - 1023) as f64),
            ("sodarace.seconds", self.sodarace.seconds, 0.1, 3600.0),
            ("python.cpu_seconds", self.python.cpu_seconds, 0.01, 3600.0),
            (
                "python.memory_mb",
                self.python.memory_mb as f64,
                16.0,
                65_536.0,
            ),
            (
                "python.recursion",
                self.python.recursion.into(),
                10.0,
                2000.0,
            ),
            (
                "python.output_kb",
                self.python.output_kb as f64,
                1.0,
                65_536.0,
            ),
        ];
        for (field, value, low, high) in limits {
            if !(value >= low && value <= high) {
                return Err(Error::setting(
                    field,
                    format!("{value} is out of range"),
                    format!("give a number from {low} to {high}"),
                ));
            }
        }
        GridArchive::<()>::new(self.axes().into())
            .map_err(|e| Error::setting("map", e.to_string(), "mend the range of that axis"))?;
        Weights::check(self)
    }
}

/// What to say of an unknown setting, given those that are known beside it.
type Unknown = fn(&str, &[&str]) -> Result<(), String>;

/// Lays `own` over `all`, but for keys that are not there already.
fn overlay(all: &mut Table, own: Table, path: &str, unknown: Unknown) -> Result<(), String> {
    for (key, value) in own {
        let name = if path.is_empty() {
            key.clone()
        } else {
            format!("{path}.{key}")
        };
        match (all.get_mut(&key), value) {
            (None, _) => {
                let known: Vec<_> = all.keys().map(String::as_str).collect();
                unknown(&name, &known)?;
            }
            (Some(Value::Table(inner)), Value::Table(value)) => {
                overlay(inner, value, &name, unknown)?;
            }
            // "seconds = 10" means 10.0.
            (Some(slot @ Value::Float(_)), Value::Integer(value)) => {
                *slot = Value::Float(value as f64);
            }
            (Some(slot), value) => *slot = value,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_valid_and_survive_a_round_trip() {
        let settings = Settings::default();
        settings.check().unwrap();
        assert_eq!(settings.gp, gp::Settings::default());
        assert_eq!(Settings::parse(&settings.to_toml()).unwrap(), settings);
        assert_eq!(Settings::parse("").unwrap(), settings);
    }

    #[test]
    fn a_partial_file_changes_only_what_it_names() {
        let settings = Settings::parse("evaluations = 7\n[map]\nheight = { high = 30 }\n").unwrap();
        assert_eq!(settings.evaluations, 7);
        assert_eq!(settings.map.height.high, 30.0);
        assert_eq!(
            settings.map.height.bins,
            Settings::default().map.height.bins
        );
    }

    #[test]
    fn what_a_run_holds_may_have_unknown_settings() {
        let text = "rng = 7\nlater = 1\n[lessons]\nrate = 0.5\n[search]\nbatch = 3\nwidth = 2\n";
        let settings = Settings::parse_stored(text).unwrap();
        assert_eq!((settings.rng, settings.search.batch), (7, 3));
        assert!(Settings::parse(text).is_err());
        assert!(Settings::parse_stored("rng = 'x'").is_err());
    }

    #[test]
    fn errors_name_the_setting() {
        let error = |text| Settings::parse(text).unwrap_err();
        assert!(error("evaluatons = 7").contains("evaluatons"));
        assert!(error("[search]\nreplica = 7").contains("search.replica"));
        assert!(error("[search]\nbatch = 'x'").contains("search.batch"));
        assert!(error("[python]\ntier = 'jython'").contains("python.tier"));
        assert!(error("seed = [").contains("line 1"));
        let mut settings = Settings::default();
        settings.search.batch = 0;
        assert!(
            settings
                .check()
                .unwrap_err()
                .to_string()
                .contains("search.batch")
        );
        let mut settings = Settings::default();
        settings.map.mass.high = f64::NAN;
        assert!(
            settings
                .check()
                .unwrap_err()
                .to_string()
                .contains("map: axis `mass`")
        );
    }
}
