//! The section `[python]` of the settings.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{Config, HostModule, Limits, Tier};

/// The section as users see it, with its comments and all defaults.
pub const SETTINGS: &str = include_str!("settings.toml");

/// How programs are run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "documented for users in settings.toml")]
pub struct Settings {
    pub tier: Tier,
    pub cpu_seconds: f64,
    pub memory_mb: u64,
    pub recursion: u32,
    pub output_kb: u64,
    pub interpreter: String,
    #[serde(default = "whole")]
    pub cage: bool,
}

/// A run of a version that did not know the setting.
fn whole() -> bool {
    true
}

impl Settings {
    /// The settings that are bounded: name, value, least and largest.
    pub fn bounds(&self) -> [(&'static str, f64, f64, f64); 4] {
        [
            ("python.cpu_seconds", self.cpu_seconds, 0.01, 3600.0),
            ("python.memory_mb", self.memory_mb as f64, 16.0, 65_536.0),
            ("python.recursion", self.recursion.into(), 10.0, 2000.0),
            ("python.output_kb", self.output_kb as f64, 1.0, 65_536.0),
        ]
    }

    /// How to run programs that find this module ready.
    pub fn runner(&self, host: HostModule) -> Config {
        let mut config = Config::new(host);
        config.tier = self.tier;
        config.limits = Limits {
            cpu: Duration::from_secs_f64(self.cpu_seconds),
            memory_bytes: self.memory_mb << 20,
            recursion: self.recursion,
            output_bytes: (self.output_kb as usize) << 10,
        };
        config.cage = self.cage;
        if !self.interpreter.is_empty() {
            config.python = Some(PathBuf::from(&self.interpreter));
        }
        config
    }
}
