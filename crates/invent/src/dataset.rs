//! The dataset of a domain: programs that maps took (Lehman et al. 2022, section 3.2).
//!
//! Kept is every program ever admitted to a map whose fitness reaches a share of the best of its niche over all runs on its terrain, or the champions
//! alone; exact duplicates are not.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

use edit::hash;
use edit::source::canonical;
use evolve::store::{Admitted, Store};
use serde_json::{Map, Value};
use table::{Column, Get};

use crate::Error;

/// The name of a dataset's files, without their endings.
pub const NAME: &str = "programs";
/// Of how many programs one is held out.
const HELD_OUT: u64 = 20;

/// Which programs are kept.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// The least fitness, in percent of the best of the niche over all runs on the same terrain; 0 to 100.
    pub quality: f64,
    /// Only what stands in the maps at the end.
    pub final_map: bool,
}

/// A run, and how it is called.
pub struct Source {
    /// The run's name in the dataset.
    pub name: String,
    /// The terrain's name; runs with the same name have the same terrain.
    pub terrain: String,
    /// The run.
    pub store: Store,
}

/// A program of the dataset.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Entry {
    /// The program.
    pub program: String,
    /// The run that found it.
    pub run: String,
    /// The child's number there.
    pub child: u64,
    /// The seed program of the run.
    pub seed: String,
    /// Its niche.
    pub niche: u32,
    /// One number per axis of the map.
    pub measures: Vec<f64>,
    /// Its fitness.
    pub fitness: f64,
    /// The terrain on which it has this fitness.
    pub terrain: String,
    /// Whether it is held out: never learned from.
    pub held_out: bool,
}

/// What became of the programs that the maps took.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize)]
pub struct Tally {
    /// Programs admitted, or with `final_map` champions.
    pub admitted: u64,
    /// Of these, not good enough for their niche.
    pub below: u64,
    /// Of the others, those there already.
    pub duplicates: u64,
    /// Kept to learn from.
    pub learned: u64,
    /// Kept and held out.
    pub held_out: u64,
}

/// Whether a program is held out: one in twenty, by its text alone, so that the same program is on the same side whatever runs found it.
pub fn is_held_out(program: &str) -> bool {
    hash::both(0x5eed, hash::of([program])).is_multiple_of(HELD_OUT)
}

/// Hands over the programs of runs, run by run in the order of their children; the same runs and settings give the same.
///
/// # Errors
/// `Error::Unlike` for runs with different maps; a run that cannot be read; what `each` says.
pub fn gather<E: From<Error>>(
    sources: &[Source],
    settings: Settings,
    each: &mut dyn FnMut(Entry) -> Result<(), E>,
) -> Result<Tally, E> {
    let wrap = |e: evolve::Error| E::from(Error::Run(e));
    let mut best: BTreeMap<(&str, u32), f64> = BTreeMap::new();
    for source in sources {
        alike(&sources[0], source)?;
        for (niche, fitness) in source.store.map().map_err(wrap)? {
            let best = best.entry((&source.terrain, niche)).or_insert(fitness);
            *best = best.max(fitness);
        }
    }
    let mut seen: HashSet<u64> = HashSet::new();
    let mut tally = Tally::default();
    for source in sources {
        let (mut admitted, mut below) = (0, 0);
        let wanted = |niche, fitness| {
            admitted += 1;
            let best = best.get(&(&*source.terrain, niche));
            let reaches = best.is_some_and(|best| fitness >= settings.quality / 100.0 * best);
            below += u64::from(!reaches);
            reaches
        };
        let seed = &source.store.settings().seed;
        let take = |found: Admitted| {
            let program = canonical(&found.program).into_owned();
            if !seen.insert(hash::of([&*source.terrain, &*program])) {
                tally.duplicates += 1;
                return Ok(());
            }
            let held_out = is_held_out(&program);
            tally.learned += u64::from(!held_out);
            tally.held_out += u64::from(held_out);
            each(Entry {
                program,
                run: source.name.clone(),
                child: found.id,
                seed: seed.clone(),
                niche: found.niche,
                measures: found.measures,
                fitness: found.fitness,
                terrain: source.terrain.clone(),
                held_out,
            })
            .map_err(Of::Other)
        };
        let read = source.store.each_admitted(settings.final_map, wanted, take);
        read.map_err(|error| match error {
            Of::Run(error) => wrap(error),
            Of::Other(error) => error,
        })?;
        tally.admitted += admitted;
        tally.below += below;
    }
    Ok(tally)
}

/// An error of a run, or of whoever takes what is found there.
enum Of<E> {
    Run(evolve::Error),
    Other(E),
}

impl<E> From<evolve::Error> for Of<E> {
    fn from(error: evolve::Error) -> Self {
        Self::Run(error)
    }
}

fn alike(first: &Source, other: &Source) -> Result<(), Error> {
    if first.store.axes() == other.store.axes() {
        return Ok(());
    }
    Err(Error::Unlike {
        path: other.store.folder().to_owned(),
        why: format!(
            "its map is not that of {}, so that their niches are not the same",
            first.store.folder().display()
        ),
        mend: "give runs with the same section [map]",
    })
}

fn columns(axes: &[String]) -> Vec<Column<Entry>> {
    let mut columns = vec![
        Column::new("program", Get::Text(|e: &Entry| Some(&e.program))),
        Column::new("run", Get::Text(|e| Some(&e.run))),
        Column::new("child", Get::Int(|e| Some(e.child as i64))),
        Column::new("seed", Get::Text(|e| Some(&e.seed))),
        Column::new("niche", Get::Int(|e| Some(e.niche.into()))),
    ];
    let measures = axes.iter().enumerate();
    columns.extend(
        measures.map(|(at, name)| Column::new(name, Get::Item(|e: &Entry| &e.measures, at))),
    );
    columns.extend([
        Column::new("fitness", Get::Float(|e: &Entry| Some(e.fitness))),
        Column::new("terrain", Get::Text(|e| Some(&e.terrain))),
        Column::new("held_out", Get::Flag(|e| e.held_out)),
    ]);
    columns
}

/// Writes a dataset's files.
pub struct Writer(table::Writer<Entry>);

impl Writer {
    /// Begins `programs.parquet` and `programs.jsonl` in a folder, with these axes as columns.
    ///
    /// # Errors
    /// They cannot be written.
    pub fn create(folder: &Path, axes: &[String]) -> Result<Self, table::Error> {
        table::Writer::create(folder, NAME, columns(axes)).map(Self)
    }

    /// Writes a program.
    ///
    /// # Errors
    /// The files cannot be written.
    pub fn push(&mut self, entry: Entry) -> Result<(), table::Error> {
        self.0.push(entry).map(drop)
    }

    /// Ends both files; returns their paths.
    ///
    /// # Errors
    /// They cannot be written.
    pub fn close(self) -> Result<[PathBuf; 2], table::Error> {
        Ok(self.0.close()?.0)
    }
}

/// The file of programs that a path means: itself, or that of a dataset's folder.
pub fn file(path: &Path) -> PathBuf {
    match path.is_dir() {
        true => path.join(format!("{NAME}.parquet")),
        false => path.to_owned(),
    }
}

/// Calls `each` with the programs of a dataset's folder, or of a file that ends in `.parquet` or `.jsonl`, whose rows have a `program` at least. Whether
/// one is held out is `held_out`, or, where that is missing, as [`is_held_out`] says. Measures are those on `axes`, which then every row has, and a
/// fitness.
///
/// # Errors
/// No such file, or a row without a program or with a field of another kind; what `each` says.
pub fn each(
    path: &Path,
    axes: &[String],
    each: &mut dyn FnMut(Entry) -> Result<(), Error>,
) -> Result<(), Error> {
    let path = file(path);
    // `table` gives errors of its own, which are told apart.
    let mut fault = None;
    let read = table::read(&path, &mut |at, row| {
        let entry = entry(&path, axes, at, &row).and_then(&mut *each);
        entry.map_err(|error| {
            fault = Some(error);
            table::Error::new(&path, "")
        })
    });
    match fault {
        Some(error) => Err(error),
        None => Ok(read?),
    }
}

fn entry(path: &Path, axes: &[String], at: u64, row: &Map<String, Value>) -> Result<Entry, Error> {
    let wrong = |field: &str, why: &str| Error::Field {
        path: path.to_owned(),
        row: at,
        field: field.to_owned(),
        why: why.to_owned(),
    };
    let given = |name: &str| row.get(name).filter(|value| !value.is_null());
    let text = |name: &'static str| match given(name) {
        None => Ok(String::new()),
        Some(value) => match value.as_str() {
            Some(text) => Ok(text.to_owned()),
            None => Err(wrong(name, "is not a text")),
        },
    };
    let program = canonical(&text("program")?).into_owned();
    if program.trim().is_empty() {
        return Err(wrong("program", "is missing"));
    }
    let whole = |name: &'static str| match given(name) {
        None => Ok(0),
        Some(value) => value
            .as_u64()
            .ok_or_else(|| wrong(name, "is not a whole number of 0 or more")),
    };
    let held_out = match given("held_out") {
        None => is_held_out(&program),
        Some(value) => value
            .as_bool()
            .ok_or_else(|| wrong("held_out", "is not true or false"))?,
    };
    let number = |name: &str| {
        let value = given(name).and_then(Value::as_f64);
        value
            .filter(|x| x.is_finite())
            .ok_or_else(|| wrong(name, "is no number"))
    };
    let measures = axes.iter().map(|axis| number(axis));
    let measures: Vec<f64> = measures.collect::<Result<_, _>>()?;
    let fitness = match measures.is_empty() {
        true => given("fitness").and_then(Value::as_f64).unwrap_or(f64::NAN),
        false => number("fitness")?,
    };
    Ok(Entry {
        run: text("run")?,
        child: whole("child")?,
        seed: text("seed")?,
        niche: whole("niche")?
            .try_into()
            .map_err(|_| wrong("niche", "is no niche's number"))?,
        measures,
        fitness,
        terrain: text("terrain")?,
        held_out,
        program,
    })
}
