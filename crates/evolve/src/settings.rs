//! The settings of a run: its own, which are read here, and the sections of operators and domains, which are not.

use mutate::settings::{lay, range, take_unlike};
use serde::{Deserialize, Serialize};
use toml::{Table, Value};

use crate::Error;

/// The loop's own settings as users see them, with comments and all defaults; they stand at the top of a configuration
/// file, before the sections of others.
pub const COMMENTED: &str = include_str!("settings.toml");

/// All settings of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "documented for users in settings.toml")]
pub struct Settings {
    /// The program to start from, as the domain names it.
    #[serde(default)]
    pub seed: String,
    pub evaluations: u64,
    pub rng: u64,
    pub threads: usize,
    pub pictures: bool,
    pub search: Search,
    pub learn: Learn,
    /// The sections of operators and of the domain, which those read themselves.
    #[serde(flatten)]
    pub sections: Table,
    /// Of a stored run: the loop's own settings that this version does not know or that are of another kind, by name.
    #[serde(skip)]
    pub unread: Vec<String>,
}

/// The shape of the loop.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "documented for users in settings.toml")]
pub struct Search {
    pub replicas: u32,
    pub batch: u32,
    pub delay: u32,
}

/// When an operator learns.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "documented for users in settings.toml")]
pub struct Learn {
    pub every: u64,
    pub meanwhile: u64,
}

impl Default for Settings {
    /// The loop's own defaults, no seed and no sections.
    fn default() -> Self {
        toml::from_str(COMMENTED).expect("settings.toml is tested")
    }
}

impl Settings {
    /// Reads them from a whole table.
    ///
    /// # Errors
    /// Names the setting that is missing or of the wrong kind.
    pub fn read(table: Table) -> Result<Self, Error> {
        serde_path_to_error::deserialize(Value::Table(table)).map_err(|e| {
            Error::setting(
                &e.path().to_string(),
                e.inner().message(),
                "see `samara config` for all settings and their kinds",
            )
        })
    }

    /// The settings of a stored run, perhaps of another version. What an older one did not write has its default, and so
    /// has what this one cannot read ([`Settings::unread`]). Sections that are not the loop's are kept as they are.
    ///
    /// # Errors
    /// What makes it no settings at all.
    pub fn stored(text: &str) -> Result<Self, String> {
        let mut own: Table = toml::from_str(text).map_err(|e| e.to_string())?;
        let mut all: Table = toml::from_str(COMMENTED).expect("settings.toml is tested");
        let mut unread = take_unlike(&mut own, &all);
        if !own.get("seed").is_none_or(Value::is_str) {
            own.remove("seed");
            unread.push("seed".to_owned());
        }
        lay(&mut all, own, &mut |name, _| {
            let ours = name.starts_with("search.") || name.starts_with("learn.");
            if ours {
                unread.push(name.to_owned());
            }
            Ok::<_, String>(!ours)
        })?;
        let read = Self::read(all).map_err(|e| e.to_string())?;
        Ok(Self { unread, ..read })
    }

    /// The settings as TOML, without comments.
    pub fn to_toml(&self) -> String {
        toml::to_string_pretty(self).expect("settings are plain data")
    }

    /// Children in one iteration.
    pub fn iteration_size(&self) -> u64 {
        u64::from(self.search.replicas) * u64::from(self.search.batch)
    }

    /// Checks the loop's own settings for what the types cannot: ranges.
    ///
    /// # Errors
    /// Names the first setting out of its range, and the range.
    pub fn check(&self) -> Result<(), Error> {
        let Search {
            replicas,
            batch,
            delay,
        } = self.search;
        range("search.replicas", replicas.into(), 1.0, 65_536.0)?;
        range("search.batch", batch.into(), 1.0, 65_536.0)?;
        range("search.delay", delay.into(), 0.0, 64.0)?;
        range("threads", self.threads as f64, 0.0, 1024.0)?;
        range("evaluations", self.evaluations as f64, 0.0, 1e12)?;
        // TOML and SQLite hold integers of 63 bits.
        range("rng", self.rng as f64, 0.0, (i64::MAX - 1023) as f64)?;
        let Learn { every, meanwhile } = self.learn;
        range("learn.every", every as f64, 0.0, 1e12)?;
        let whole = |evaluations: u64| evaluations.div_ceil(self.iteration_size());
        if every > 0 && meanwhile > 0 && whole(meanwhile) >= whole(every) {
            return Err(Error::setting(
                "learn.meanwhile",
                format!(
                    "{meanwhile} leaves the operator that learns no evaluation of {every} (whole iterations count)"
                ),
                "give a number below learn.every",
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_valid_and_survive_a_round_trip() {
        let mut settings = Settings::default();
        settings.check().unwrap();
        let section = toml::toml! { rate = 0.5 };
        settings
            .sections
            .insert("gp".to_owned(), Value::Table(section));
        let again = Settings::stored(&settings.to_toml()).unwrap();
        assert_eq!(again, settings);
    }

    #[test]
    fn what_is_not_known_of_a_stored_run_is_kept() {
        let text = "evaluations = 7\nfuture = 3\n[search]\nbatch = 5\nmore = 1\n[later]\nx = 1\n";
        let settings = Settings::stored(text).unwrap();
        assert_eq!((settings.evaluations, settings.search.batch), (7, 5));
        assert_eq!(settings.rng, Settings::default().rng);
        assert!(settings.to_toml().contains("[later]"));
        assert!(Settings::stored("evaluations = [").is_err());
        assert_eq!(settings.unread, ["search.more"]);
        let text = "seed = 3\nevaluations = 'x'\nthreads = 2\nsearch = 7\n";
        let settings = Settings::stored(text).unwrap();
        let mut unread = settings.unread.clone();
        unread.sort();
        assert_eq!(unread, ["evaluations", "search", "seed"]);
        assert_eq!(settings.threads, 2);
        assert_eq!(settings.search, Settings::default().search);
        let error = Settings::stored("threads = -1").unwrap_err();
        assert!(error.contains("threads"), "{error}");
    }

    #[test]
    fn errors_name_the_setting() {
        let mut settings = Settings::default();
        settings.search.batch = 0;
        let error = settings.check().unwrap_err().to_string();
        assert!(error.contains("search.batch"), "{error}");
    }
}
