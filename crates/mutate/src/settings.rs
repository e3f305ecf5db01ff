//! Reading a section of the settings, and refusing what cannot be.

use serde::de::DeserializeOwned;
use toml::{Table, Value};

use crate::Error;

/// Reads the section `name`; one that is not there is read as an empty one.
///
/// # Errors
/// Names the setting that is missing, unknown or of another kind.
pub fn section<T: DeserializeOwned>(settings: &Table, name: &str) -> Result<T, Error> {
    let value = settings.get(name).cloned();
    let value = value.unwrap_or_else(|| Value::Table(Table::new()));
    serde_path_to_error::deserialize(value).map_err(|e| {
        let path = e.path().to_string();
        let field = match path.as_str() {
            "." => name.to_owned(),
            path => format!("{name}.{path}"),
        };
        Error::setting(
            &field,
            e.into_inner().message().to_owned(),
            "see `samara config` for all settings and their kinds",
        )
    })
}

/// Lays `own` over `all`. A whole number is taken where a fraction stands. Of a key that `all` does not have, `unknown`
/// says whether it is taken in; it is told the key's whole name and the table it would stand in.
///
/// # Errors
/// What `unknown` says.
pub fn lay<E>(
    all: &mut Table,
    own: Table,
    unknown: &mut impl FnMut(&str, &Table) -> Result<bool, E>,
) -> Result<(), E> {
    lay_at("", all, own, unknown)
}

fn lay_at<E>(
    path: &str,
    all: &mut Table,
    own: Table,
    unknown: &mut impl FnMut(&str, &Table) -> Result<bool, E>,
) -> Result<(), E> {
    for (key, value) in own {
        let name = match path {
            "" => key.clone(),
            path => format!("{path}.{key}"),
        };
        match (all.get_mut(&key), value) {
            (None, value) => {
                if unknown(&name, all)? {
                    all.insert(key, value);
                }
            }
            (Some(Value::Table(inner)), Value::Table(value)) => {
                lay_at(&name, inner, value, unknown)?;
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

/// As [`lay`], refusing keys that are not there already.
///
/// # Errors
/// Names the key, and those known in its place.
pub fn overlay(all: &mut Table, own: Table) -> Result<(), String> {
    lay(all, own, &mut |name, known| {
        let known: Vec<_> = known.keys().map(String::as_str).collect();
        let known = known.join(", ");
        Err(format!("there is no setting {name}; known here: {known}"))
    })
}

/// Takes out of `own` what is of another kind than in `all`, and gives its names: the settings of a stored run may be those
/// of another version.
pub fn take_unlike(own: &mut Table, all: &Table) -> Vec<String> {
    let mut taken = Vec::new();
    unlike_at("", own, all, &mut taken);
    taken
}

fn unlike_at(path: &str, own: &mut Table, all: &Table, taken: &mut Vec<String>) {
    own.retain(|key, value| {
        let name = match path {
            "" => key.to_owned(),
            path => format!("{path}.{key}"),
        };
        let like = match (all.get(key), value) {
            (None, _) | (Some(Value::Float(_)), Value::Integer(_)) => true,
            (Some(Value::Table(all)), Value::Table(own)) => {
                unlike_at(&name, own, all, taken);
                true
            }
            (Some(known), value) => known.same_type(value),
        };
        if !like {
            taken.push(name);
        }
        like
    });
}

/// Refuses a number outside of its range.
///
/// # Errors
/// Names the field and the range.
pub fn range(field: &str, value: f64, low: f64, high: f64) -> Result<(), Error> {
    if value >= low && value <= high {
        return Ok(());
    }
    Err(Error::setting(
        field,
        format!("{value} is out of range"),
        format!("give a number from {low} to {high}"),
    ))
}

/// Refuses a weight that is negative or not a number.
///
/// # Errors
/// Names the field.
pub fn weight(field: &str, value: f64) -> Result<(), Error> {
    if value.is_finite() && value >= 0.0 {
        return Ok(());
    }
    Err(Error::setting(
        field,
        format!("{value} is not a weight"),
        "give a number of 0 or more",
    ))
}

/// Refuses weights of which none can be drawn.
///
/// # Errors
/// Names the field.
pub fn drawable(field: &str, weights: impl Iterator<Item = f64>) -> Result<(), Error> {
    let mut some = false;
    for (i, value) in weights.enumerate() {
        weight(&format!("{field}[{i}].weight"), value)?;
        some |= value > 0.0;
    }
    match some {
        true => Ok(()),
        false => Err(Error::setting(
            field,
            "none has a weight above 0",
            "give at least one a weight above 0",
        )),
    }
}
