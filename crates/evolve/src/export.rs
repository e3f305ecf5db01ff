//! Every child of a run as Parquet and as JSON lines; the columns are described in docs/store.md.

use std::path::{Path, PathBuf};

use table::{Column, Get, Writer};

use crate::Error;
use crate::store::{Child, Store};

/// A child and its diff.
type Row = (Child, String);

fn columns(store: &Store) -> Vec<Column<Row>> {
    let mut columns: Vec<Column<Row>> = [
        ("id", Get::Int(|(c, _): &Row| Some(c.id as i64))),
        ("iteration", Get::Int(|(c, _)| Some(c.iteration as i64))),
        ("replica", Get::Int(|(c, _)| Some(c.replica.into()))),
        ("operator", Get::Text(|(c, _)| Some(&c.operator))),
        ("parent", Get::Int(|(c, _)| c.parent.map(|id| id as i64))),
        ("partner", Get::Int(|(c, _)| c.partner.map(|id| id as i64))),
        ("status", Get::Text(|(c, _)| Some(c.status.name()))),
        (
            "reason",
            Get::Text(|(c, _)| c.reason.as_ref().map(|r| r.code.as_str())),
        ),
        (
            "message",
            Get::Text(|(c, _)| c.reason.as_ref().map(|r| r.message.as_str())),
        ),
        ("fitness", Get::Float(|(c, _)| c.fitness)),
        ("niche", Get::Int(|(c, _)| c.niche.map(Into::into))),
        ("accepted", Get::Flag(|(c, _)| c.accepted)),
        ("seconds", Get::Float(|(c, _)| Some(c.seconds))),
        ("at", Get::Float(|(c, _)| Some(c.at))),
        (
            "prompt_tokens",
            Get::Int(|(c, _)| Some(c.cost.prompt_tokens.into())),
        ),
        ("tokens", Get::Int(|(c, _)| Some(c.cost.tokens.into()))),
        ("propose_seconds", Get::Float(|(c, _)| Some(c.cost.seconds))),
        ("dollars", Get::Float(|(c, _)| Some(c.cost.dollars))),
        ("told", Get::Text(|(c, _)| c.told.as_deref())),
        ("weights", Get::Int(|(c, _)| c.weights.map(Into::into))),
        ("program", Get::Text(|(c, _)| Some(&c.program))),
        ("diff", Get::Text(|(_, diff)| Some(diff))),
        ("artifact", Get::Text(|(c, _)| c.artifact.as_deref())),
    ]
    .into_iter()
    .map(|(name, value)| Column::new(name, value))
    .collect();
    let measures = store.axes().iter().cloned().enumerate();
    columns.extend(
        measures.map(|(i, axis)| Column::new(axis.name, Get::Item(|(c, _): &Row| &c.measures, i))),
    );
    columns
}

/// Writes `children.parquet` and `children.jsonl` into `folder`; calls `observe` with the number of
/// children written so far. Returns the two paths.
///
/// # Errors
/// The run cannot be read or the files cannot be written.
pub fn export(
    store: &Store,
    folder: &Path,
    observe: &mut dyn FnMut(u64),
) -> Result<[PathBuf; 2], Error> {
    let mut writer = Writer::create(folder, "children", columns(store)).map_err(unwritable)?;
    store.each_child(0, store.len()?, |child| {
        let diff = store.diff(&child)?;
        if let Some(done) = writer.push((child, diff)).map_err(unwritable)? {
            observe(done);
        }
        Ok(())
    })?;
    let (files, done) = writer.close().map_err(unwritable)?;
    observe(done);
    Ok(files)
}

/// What to do about a file of an export that cannot be written.
pub fn unwritable(error: table::Error) -> Error {
    Error::file(
        error.path,
        error.why,
        "choose a writable folder with room, with -o",
    )
}
