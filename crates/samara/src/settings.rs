//! Every setting of a search, as one TOML file whose comments are its documentation, put together from the rooms that
//! read its sections.

use std::convert::Infallible;
use std::path::Path;
use std::sync::LazyLock;

use domains::walkers;
use evolve::Error;
use evolve::settings::Settings;
use learn::pupil::{self, Pupil};
use mutate::settings::{lay, overlay, take_unlike};
use mutate::{Active, MadeWith, Operators};
use toml::{Table, Value};

/// The commented configuration with all defaults.
pub static COMMENTED: LazyLock<String> = LazyLock::new(|| {
    let mut text =
        "# Every setting of a search, with its default. Keep the lines you want to change, delete the rest.\n\n"
            .to_owned();
    text += walkers::SEED_SETTING;
    text += evolve::settings::COMMENTED;
    text += "\n";
    text += &mutate::commented();
    text += "\n";
    text += learn::pupil::SETTINGS;
    for section in walkers::SETTINGS {
        text += "\n";
        text += section;
    }
    text
});

/// Settings that stood elsewhere in older versions: where, and where they stand now.
const MOVED: [(&str, &str); 4] = [
    ("gp.signatures", "brief.signatures"),
    ("diff.file_name", "brief.file_name"),
    ("diff.messages", "brief.messages"),
    ("prompt.instructions", "brief.messages"),
];

/// All defaults.
pub fn defaults() -> Table {
    toml::from_str(&COMMENTED).expect("the defaults are tested")
}

/// A configuration file laid over the defaults.
///
/// # Errors
/// The file cannot be read, is not TOML, names an unknown setting, or gives one a value of the wrong kind.
pub fn load(path: &Path) -> Result<Table, Error> {
    let text = std::fs::read_to_string(path)
        .map_err(|e| Error::file(path, e, "give a file that `samara config` printed"))?;
    parse(&text).map_err(|why| {
        let mend = "see `samara config` for all settings and their kinds";
        Error::file(path, why, mend)
    })
}

/// As [`load`], from the text itself (also with a byte order mark in front, as some editors leave it).
///
/// # Errors
/// What is wrong, naming the setting.
pub fn parse(text: &str) -> Result<Table, String> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let own: Table = toml::from_str(text).map_err(|e| e.to_string())?;
    for (old, new) in MOVED {
        if get(&own, old).is_some() {
            return Err(format!("{old} is now {new}: one for all operators"));
        }
    }
    let mut all = defaults();
    overlay(&mut all, own)?;
    // Their kinds are checked here, where the file is known.
    let words = |e: Error| match e {
        Error::Mutate(mutate::Error::Setting { field, why, .. }) => format!("{field}: {why}"),
        other => other.to_string(),
    };
    Settings::read(all.clone()).map_err(words)?;
    walkers::Settings::read(&all).map_err(words)?;
    Operators::read(&all).map_err(|e| words(e.into()))?;
    pupil::Settings::read(&all).map_err(|e| words(e.into()))?;
    Ok(all)
}

/// The settings of a stored run as this version reads them, and the names of those that it leaves out: it does not know
/// them, or not as of that kind. What the run does not have has its default; what has moved since is moved.
pub fn of_stored(settings: &Settings) -> (Table, Vec<String>) {
    let mut own = Table::try_from(settings).expect("settings are plain data");
    let diff_is_used = get(&own, "operators.diff")
        .and_then(Value::as_float)
        .is_some_and(|weight| weight > 0.0);
    for (old, new) in MOVED {
        let Some(value) = remove(&mut own, old) else {
            continue;
        };
        // Two lists became one: that of the operator in use.
        let wins = match old {
            "diff.messages" => diff_is_used,
            "prompt.instructions" => !diff_is_used,
            _ => true,
        };
        if wins {
            set(&mut own, new, value);
        }
    }
    let mut all = defaults();
    let mut unknown = settings.unread.clone();
    unknown.extend(take_unlike(&mut own, &all));
    let Ok(()) = lay(&mut all, own, &mut |name, _| {
        unknown.push(name.to_owned());
        Ok::<_, Infallible>(false)
    });
    (all, unknown)
}

/// The value at a path of keys.
pub fn get<'a>(table: &'a Table, path: &str) -> Option<&'a Value> {
    match path.split_once('.') {
        None => table.get(path),
        Some((first, rest)) => get(table.get(first)?.as_table()?, rest),
    }
}

/// Sets the value at a path of keys, making the tables on the way.
pub fn set(table: &mut Table, path: &str, value: impl Into<Value>) {
    match path.split_once('.') {
        None => {
            table.insert(path.to_owned(), value.into());
        }
        Some((first, rest)) => {
            let inner = table
                .entry(first)
                .or_insert_with(|| Value::Table(Table::new()));
            if let Some(inner) = inner.as_table_mut() {
                set(inner, rest, value);
            }
        }
    }
}

fn remove(table: &mut Table, path: &str) -> Option<Value> {
    match path.split_once('.') {
        None => table.remove(path),
        Some((first, rest)) => remove(table.get_mut(first)?.as_table_mut()?, rest),
    }
}

/// Everything that a command runs with, read from one table and checked.
pub struct Checked {
    /// Of the run.
    pub run: Settings,
    /// Of the domain.
    pub walkers: walkers::Settings,
    /// The operators chosen.
    pub operators: Operators,
    /// The settings from which the operator that learns is made, where there is to be one.
    learned: Option<Table>,
}

impl Checked {
    /// Reads and checks all sections.
    ///
    /// # Errors
    /// Names the first setting that cannot be.
    pub fn new(table: &Table) -> Result<Self, Error> {
        let checked = Self {
            run: Settings::read(table.clone())?,
            walkers: walkers::Settings::read(table)?,
            operators: Operators::read(table)?,
            learned: None,
        };
        checked.run.check()?;
        checked.walkers.check()?;
        checked.operators.check()?;
        pupil::Settings::read(table)?;
        let learns = checked.run.learn.every > 0;
        Ok(Self {
            learned: learns.then(|| table.clone()),
            ..checked
        })
    }

    /// Makes the operators, the one that learns last; tells with what they are made.
    ///
    /// # Errors
    /// What keeps an operator from working at all.
    pub fn make(&self) -> Result<(Vec<Active>, MadeWith), mutate::Error> {
        let (mut operators, mut made_with) = self.operators.make()?;
        if let Some(table) = &self.learned {
            let pupil = Pupil::read(table)?;
            made_with.extend(pupil.made_with()?);
            operators.push(Active {
                name: pupil::NAME,
                weight: pupil.weight(),
                operator: Box::new(pupil),
            });
        }
        Ok((operators, made_with))
    }
}

/// The domain's settings as a table has them, checked.
///
/// # Errors
/// Names the first setting that cannot be.
pub fn of_walkers(table: &Table) -> Result<walkers::Settings, Error> {
    let settings = walkers::Settings::read(table)?;
    settings.check()?;
    Ok(settings)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_valid_and_survive_a_round_trip() {
        let checked = Checked::new(&defaults()).unwrap();
        assert_eq!(checked.run.seed, "square");
        let text = checked.run.to_toml();
        assert_eq!(parse(&text).unwrap(), defaults());
        assert_eq!(parse("").unwrap(), defaults());
        assert_eq!(parse("\u{feff}rng = 0\r\n").unwrap(), defaults());
        let (stored, unknown) = of_stored(&checked.run);
        assert_eq!(stored, defaults());
        assert!(unknown.is_empty());
    }

    #[test]
    fn a_partial_file_changes_only_what_it_names() {
        let table = parse("evaluations = 7\n[map]\nheight = { high = 30 }\n").unwrap();
        let checked = Checked::new(&table).unwrap();
        assert_eq!(checked.run.evaluations, 7);
        let height = &checked.walkers.map.height;
        assert_eq!((height.high, height.bins), (30.0, 12));
    }

    #[test]
    fn errors_name_the_setting() {
        let error = |text| parse(text).unwrap_err();
        assert!(error("evaluatons = 7").contains("evaluatons"));
        assert!(error("[search]\nreplica = 7").contains("search.replica"));
        assert!(error("[search]\nbatch = 'x'").contains("search.batch"));
        assert!(error("[python]\ntier = 'jython'").contains("python.tier"));
        assert!(error("[gp]\nrate = 'x'").contains("gp.rate"));
        assert!(error("[gp]\nsignatures = []").contains("brief.signatures"));
        assert!(error("seed = [").contains("line 1"));
        let check = |text| {
            let checked = Checked::new(&parse(text).unwrap());
            checked.err().unwrap().to_string()
        };
        assert!(check("[search]\nbatch = 0").contains("search.batch"));
        assert!(check("[map]\nmass = { high = nan }").contains("map: axis `mass`"));
        assert!(check("[python]\nrecursion = 1").contains("python.recursion"));
    }

    #[test]
    fn older_runs_are_read_with_what_has_moved() {
        let mut table = defaults();
        remove(&mut table, "brief");
        set(
            &mut table,
            "gp.signatures",
            Value::Array(vec!["f(a)".into()]),
        );
        let message = |text: &str| {
            let message = toml::toml! { weight = 1.0 };
            let mut message = message;
            message.insert("message".to_owned(), text.into());
            Value::Array(vec![Value::Table(message)])
        };
        set(&mut table, "diff.messages", message("d"));
        set(&mut table, "prompt.instructions", message("p"));
        set(&mut table, "later.x", 1);
        for (weight, expected) in [(0.0, "p"), (1.0, "d")] {
            set(&mut table, "operators.diff", weight);
            let stored = Settings::read(table.clone()).unwrap();
            let (all, unknown) = of_stored(&stored);
            assert_eq!(unknown, ["later"]);
            assert_eq!(
                get(&all, "brief.entry").unwrap().as_str(),
                Some("make_walker")
            );
            let told = get(&all, "brief.messages").unwrap().to_string();
            assert!(told.contains(&format!("\"{expected}\"")), "{told}");
            let signatures = get(&all, "brief.signatures").unwrap().to_string();
            assert!(signatures.contains("f(a)"), "{signatures}");
            Checked::new(&all).unwrap();
        }
    }
}
