//! The operators there are. A new one is a file of its own with its [`Kind`], its commented section of the settings
//! beside it, and a line in [`KINDS`].

use std::fmt::Write;

use toml::{Table, Value};

use crate::brief::Brief;
use crate::kind::{Kind, Recipe, Workshop};
use crate::operator::Operator;
use crate::settings::weight;
use crate::{Error, MadeWith, diff, gp, line, model, node_replacement, prompt};

/// All kinds, in the order in which replicas draw among them.
pub static KINDS: &[&Kind] = &[
    &gp::KIND,
    &line::KIND,
    &diff::KIND,
    &prompt::KIND,
    &node_replacement::KIND,
];

/// An operator ready to run.
pub struct Active {
    /// Its name, as in the settings.
    pub name: &'static str,
    /// Its weight, above 0.
    pub weight: f64,
    /// The operator itself.
    pub operator: Box<dyn Operator>,
}

/// The operators that settings choose, their sections read.
pub struct Operators {
    brief: Brief,
    chosen: Vec<(&'static Kind, f64, Box<dyn Recipe>)>,
}

impl Operators {
    /// Reads the section `[operators]`, the sections of all kinds, and `[brief]`.
    ///
    /// # Errors
    /// An operator that is not known, or a setting of the wrong kind.
    pub fn read(settings: &Table) -> Result<Self, Error> {
        let brief: Brief = crate::settings::section(settings, "brief")?;
        let weights = settings.get("operators").and_then(Value::as_table);
        for name in weights.into_iter().flat_map(|weights| weights.keys()) {
            known(name)?;
        }
        let mut chosen = Vec::new();
        for kind in KINDS {
            let recipe = (kind.read)(settings)?;
            let share = match weights.and_then(|weights| weights.get(kind.name)) {
                None => 0.0,
                Some(Value::Float(share)) => *share,
                Some(Value::Integer(share)) => *share as f64,
                Some(other) => {
                    return Err(Error::setting(
                        &format!("operators.{}", kind.name),
                        format!("{other} is not a weight"),
                        "give a number of 0 or more",
                    ));
                }
            };
            weight(&format!("operators.{}", kind.name), share)?;
            if share > 0.0 {
                chosen.push((*kind, share, recipe));
            }
        }
        Ok(Self { brief, chosen })
    }

    /// With another brief in place of that of the settings.
    #[must_use]
    pub fn with_brief(self, brief: Brief) -> Self {
        Self { brief, ..self }
    }

    /// The names of those chosen.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.chosen.iter().map(|(kind, ..)| kind.name)
    }

    /// Checks what the types cannot, of the operators chosen, without making them.
    ///
    /// # Errors
    /// A setting out of its range, or no operator with a weight above 0.
    pub fn check(&self) -> Result<(), Error> {
        if self.chosen.is_empty() {
            return Err(Error::setting(
                "operators",
                "no operator has a weight above 0",
                "give one, e.g. --operator gp",
            ));
        }
        self.brief.check()?;
        self.chosen
            .iter()
            .try_for_each(|(_, _, recipe)| recipe.check(&self.brief))
    }

    /// Makes the operators chosen: loads the model that one needs, asks the endpoint that one needs. Tells with what
    /// they are made.
    ///
    /// # Errors
    /// As [`Operators::check`], and what keeps an operator from working at all.
    pub fn make(&self) -> Result<(Vec<Active>, MadeWith), Error> {
        self.check()?;
        let mut workshop = Workshop::new(&self.brief);
        let mut active = Vec::new();
        for (kind, weight, recipe) in &self.chosen {
            active.push(Active {
                name: kind.name,
                weight: *weight,
                operator: recipe.make(&mut workshop)?,
            });
        }
        Ok((active, workshop.made_with))
    }
}

/// Refuses a name that no kind has.
fn known(name: &str) -> Result<(), Error> {
    if KINDS.iter().any(|kind| kind.name == name) {
        return Ok(());
    }
    let names: Vec<_> = KINDS.iter().map(|kind| kind.name).collect();
    Err(Error::setting(
        "operators",
        format!("there is no operator {name:?}"),
        format!("choose from: {}", names.join(", ")),
    ))
}

/// Leaves only the named operators in the section `[operators]`, with the weights given.
///
/// # Errors
/// A name that is not known.
pub fn choose(settings: &mut Table, chosen: &[(String, f64)]) -> Result<(), Error> {
    let mut weights: Table = KINDS
        .iter()
        .map(|kind| (kind.name.to_owned(), Value::Float(0.0)))
        .collect();
    for (name, weight) in chosen {
        known(name)?;
        weights.insert(name.clone(), Value::Float(*weight));
    }
    settings.insert("operators".to_owned(), Value::Table(weights));
    Ok(())
}

/// The sections of all operators, commented, with all defaults.
pub fn commented() -> String {
    let mut text = String::from(
        "# Weights of the mutation operators: a replica draws one in proportion. 0 switches one off.\n[operators]\n",
    );
    for kind in KINDS {
        let weight = Value::Float(kind.weight);
        let _ = writeln!(text, "# {}.\n{} = {weight}", kind.about, kind.name);
    }
    for section in std::iter::once(model::SETTINGS).chain(KINDS.iter().map(|kind| kind.settings)) {
        text.push('\n');
        text.push_str(section);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> Table {
        let mut settings: Table = toml::from_str(&commented()).unwrap();
        let brief = toml::toml! {
            file_name = "f.py"
            entry = "f"
            signatures = []
            host = ""
            names = []
            messages = [{ message = "Changed {entry}.", weight = 1.0 }]
        };
        settings.insert("brief".to_owned(), Value::Table(brief));
        settings
    }

    #[test]
    fn defaults_are_good_settings() {
        let operators = Operators::read(&settings()).unwrap();
        operators.check().unwrap();
        assert_eq!(operators.names().collect::<Vec<_>>(), ["gp"]);
        let (active, made_with) = operators.make().unwrap();
        assert_eq!((active.len(), active[0].name), (1, "gp"));
        assert!(made_with.is_empty());
    }

    #[test]
    fn every_kind_has_a_section_of_its_name_and_a_name_of_its_own() {
        for (i, kind) in KINDS.iter().enumerate() {
            let section: Table = toml::from_str(kind.settings).unwrap();
            assert_eq!(section.keys().collect::<Vec<_>>(), [kind.name]);
            assert!(KINDS[..i].iter().all(|other| other.name != kind.name));
        }
    }

    #[test]
    fn operators_are_chosen_by_name() {
        let mut settings = settings();
        choose(
            &mut settings,
            &[("paper-gp".to_owned(), 2.0), ("gp".to_owned(), 1.0)],
        )
        .unwrap();
        let operators = Operators::read(&settings).unwrap();
        assert_eq!(operators.names().collect::<Vec<_>>(), ["gp", "paper-gp"]);
        let error = choose(&mut settings, &[("magic".to_owned(), 1.0)]).unwrap_err();
        let said = error.to_string();
        assert!(
            said.contains("magic") && said.contains("gp, line"),
            "{said}"
        );
        choose(&mut settings, &[]).unwrap();
        let error = Operators::read(&settings).unwrap().check().unwrap_err();
        assert!(error.to_string().contains("no operator"));
    }

    #[test]
    fn errors_name_the_setting() {
        let error = |section: &str, key: &str, value: Value| {
            let mut settings = settings();
            let table = settings[section].as_table_mut().unwrap();
            table.insert(key.to_owned(), value);
            Operators::read(&settings)
                .and_then(|operators| operators.check())
                .unwrap_err()
                .to_string()
        };
        assert!(error("gp", "rate", "x".into()).starts_with("gp.rate: "));
        assert!(error("gp", "rate", 7.0.into()).starts_with("gp.rate: "));
        assert!(error("line", "tires", 3.into()).starts_with("line"));
        assert!(error("operators", "gp", (-1.0).into()).starts_with("operators.gp: "));
        assert!(error("operators", "magic", 1.0.into()).contains("magic"));
        assert!(error("brief", "entry", "a b".into()).starts_with("brief.entry: "));
        let open = Value::Array(vec!["f(a".into()]);
        assert!(error("brief", "signatures", open).starts_with("brief.signatures"));
        let none = Value::Array(Vec::new());
        assert!(error("brief", "messages", none).starts_with("brief.messages: "));
    }
}
