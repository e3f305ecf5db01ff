//! Where lessons come from.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{anyhow, bail};
use evolve::store::Store;
use learn::record;
use mutate::Lesson;
use toml::Table;

use crate::Failure;
use crate::cli::Common;
use crate::settings::of_stored;

/// A run or a file, and how much its lessons count.
pub struct Source {
    pub path: PathBuf,
    pub weight: f32,
    store: Option<Store>,
}

impl Source {
    /// Those that were typed, as `PATH` or `PATH=WEIGHT`.
    pub fn all(typed: &[String]) -> anyhow::Result<Vec<Self>> {
        let mut all: Vec<Self> = Vec::new();
        for typed in typed {
            let source = Self::new(typed)?;
            if all.iter().any(|other| other.path == source.path) {
                bail!("{typed}: the same source is given twice; give each once, with a weight");
            }
            all.push(source);
        }
        Ok(all)
    }

    fn new(typed: &str) -> anyhow::Result<Self> {
        let (path, weight) = match typed.rsplit_once('=') {
            Some((path, weight)) if !Path::new(typed).exists() => {
                let number = weight.parse::<f32>().ok();
                let number = number.filter(|x| x.is_finite() && *x > 0.0);
                let why = || anyhow!("{typed}: {weight:?} is no weight; give a number above 0");
                (path, number.ok_or_else(why)?)
            }
            _ => (typed, 1.0),
        };
        let path = PathBuf::from(path);
        let ending = path.extension().and_then(|e| e.to_str());
        let store = match (path.is_dir(), ending) {
            (true, _) => Some(Store::open(&path)?),
            (false, Some("parquet" | "jsonl")) if path.exists() => None,
            _ if path.exists() => bail!(
                "{}: is neither a run's folder nor a .parquet or .jsonl file of lessons",
                path.display()
            ),
            _ => bail!("{}: does not exist", path.display()),
        };
        Ok(Self {
            path,
            weight,
            store,
        })
    }

    /// What its lessons have as their source.
    fn name(&self) -> String {
        self.path.display().to_string()
    }

    /// Hands over all lessons that the map took, or also the others.
    pub fn each(&self, rejected: bool, take: &mut dyn FnMut(Lesson)) -> Result<(), Failure> {
        let mut take = |lesson| {
            take(Lesson {
                source: self.name(),
                ..lesson
            });
        };
        match &self.store {
            Some(store) => store.each_lesson(u64::MAX, !rejected, |lesson| {
                take(lesson);
                Ok(())
            })?,
            None => record::each(&self.path, &mut |lesson| {
                take(lesson);
                Ok::<_, record::Error>(())
            })
            .map_err(Failure::usage)?,
        }
        Ok(())
    }
}

/// How much lessons count, by the name of their source.
pub fn weights(sources: &[Source]) -> BTreeMap<String, f32> {
    let each = sources.iter();
    each.map(|source| (source.name(), source.weight)).collect()
}

/// The settings under which the operator will work: those of a configuration file, else of the first run, else the defaults.
pub fn settings(sources: &[Source], common: &Common) -> Result<Table, Failure> {
    let stored = sources.iter().find_map(|source| source.store.as_ref());
    let mut table = match (stored, &common.config) {
        (Some(store), None) => of_stored(store.settings()).0,
        _ => common.settings().map_err(Failure::usage)?,
    };
    common.lay(&mut table);
    Ok(table)
}
