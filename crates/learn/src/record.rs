//! Lessons in files, in the shape that others train on: `prompt` and `completion`, and beside them all that is known.

use std::path::{Path, PathBuf};

use edit::source::canonical;
use mutate::Lesson;
use mutate::diff::Frame;
use serde_json::{Map, Value};
use table::{Column, Get};

use crate::left::{Left, Why};
use crate::text::{Words, message, words};

/// Lessons that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A field of a row.
    #[error("{}: {unit} {at}: {field}: {why}; {mend}", path.display())]
    Field {
        /// Which file.
        path: PathBuf,
        /// "line" or "row".
        unit: &'static str,
        /// Which one, from 1.
        at: u64,
        /// The field's name.
        field: &'static str,
        /// What is wrong with it.
        why: String,
        /// What to do.
        mend: &'static str,
    },
    /// The file.
    #[error(
        "{0}; give lessons as `samara export --lessons` writes them, with the fields parent and child at least"
    )]
    Read(table::Error),
}

/// A row of a file: what holds a lesson, and the lesson in words.
pub struct Row<T> {
    /// A lesson, or what holds one.
    pub item: T,
    words: Words,
    told: String,
}

impl<T: AsRef<Lesson>> Row<T> {
    fn lesson(&self) -> &Lesson {
        self.item.as_ref()
    }
}

fn columns<T: AsRef<Lesson>>() -> Vec<Column<Row<T>>> {
    let columns: [(&str, Get<Row<T>>); 13] = [
        ("prompt", Get::Text(|row| Some(&row.words.prompt))),
        ("completion", Get::Text(|row| Some(&row.words.completion))),
        ("source", Get::Text(|row| Some(&row.lesson().source))),
        ("id", Get::Int(|row| Some(row.lesson().id as i64))),
        ("operator", Get::Text(|row| Some(&row.lesson().operator))),
        ("told", Get::Text(|row| Some(&row.told))),
        ("file", Get::Text(|row| row.lesson().file.as_deref())),
        ("parent", Get::Text(|row| Some(&row.lesson().parent))),
        ("child", Get::Text(|row| Some(&row.lesson().child))),
        ("accepted", Get::Flag(|row| row.lesson().accepted)),
        ("niche", Get::Int(|row| row.lesson().niche.map(Into::into))),
        ("fitness", Get::Float(|row| row.lesson().fitness)),
        (
            "parent_fitness",
            Get::Float(|row| row.lesson().parent_fitness),
        ),
    ];
    let columns = columns.into_iter();
    columns
        .map(|(name, value)| Column::new(name, value))
        .collect()
}

/// The names of the columns, in order.
pub fn names() -> Vec<String> {
    let columns = columns::<Lesson>().into_iter();
    columns.map(|column| column.name).collect()
}

/// Writes lessons, or what holds one, as Parquet and as JSON lines.
pub struct Writer<T = Lesson> {
    frame: Frame,
    seed: u64,
    table: table::Writer<Row<T>>,
    left: Left,
}

/// What was written.
pub struct Written {
    /// The files.
    pub files: [PathBuf; 2],
    /// Lessons in each.
    pub lessons: u64,
    /// What was left out.
    pub left: Left,
}

impl<T: AsRef<Lesson>> Writer<T> {
    /// Begins `NAME.parquet` and `NAME.jsonl` in a folder, with more columns after the lessons' own. Lessons are put into words as [`words`] does, with
    /// the same seed.
    ///
    /// # Errors
    /// They cannot be written.
    pub fn create(
        folder: &Path,
        name: &str,
        frame: Frame,
        seed: u64,
        more: Vec<Column<Row<T>>>,
    ) -> Result<Self, table::Error> {
        let columns = columns().into_iter().chain(more).collect();
        Ok(Self {
            frame,
            seed,
            table: table::Writer::create(folder, name, columns)?,
            left: Left::default(),
        })
    }

    /// Writes a lesson; one that cannot be put into words is left out. Returns whether it was written.
    ///
    /// # Errors
    /// The files cannot be written.
    pub fn push(&mut self, item: T) -> Result<bool, table::Error> {
        let lesson = item.as_ref();
        match words(&self.frame, lesson, self.seed) {
            Ok(words) => {
                let told = message(&self.frame, lesson, self.seed).to_owned();
                self.table.push(Row { item, words, told })?;
                Ok(true)
            }
            Err(why) => {
                self.left.add(Why::Unwritten(why));
                Ok(false)
            }
        }
    }

    /// Ends both files.
    ///
    /// # Errors
    /// They cannot be written.
    pub fn close(self) -> Result<Written, table::Error> {
        let (files, lessons) = self.table.close()?;
        Ok(Written {
            files,
            lessons,
            left: self.left,
        })
    }
}

/// Calls `each` with every lesson of a file that ends in `.parquet` or `.jsonl`. A row has at least `parent` and `child`, both
/// programs; of what else a [`Lesson`] has, what is missing is taken for null, `source` for the file's name, `id` for the
/// row's number, `operator` for `file`, and `accepted` for true. Other fields are passed over.
///
/// # Errors
/// A file that is none, or a field that is missing or of another kind, by its line; what `each` says.
pub fn each<E: From<Error>>(
    path: &Path,
    each: &mut dyn FnMut(Lesson) -> Result<(), E>,
) -> Result<(), E> {
    // `table` gives errors of its own, which are wrapped once.
    enum Of<E> {
        Table(table::Error),
        Other(E),
    }
    impl<E> From<table::Error> for Of<E> {
        fn from(error: table::Error) -> Self {
            Self::Table(error)
        }
    }
    let unit = match path.extension().is_some_and(|ending| ending == "jsonl") {
        true => "line",
        false => "row",
    };
    let read = table::read(path, &mut |at, row| {
        let fields = Fields {
            path,
            unit,
            at,
            row: &row,
        };
        let lesson = fields.lesson().map_err(|e| Of::Other(e.into()))?;
        each(lesson).map_err(Of::Other)
    });
    read.map_err(|error| match error {
        Of::Table(error) => Error::Read(error).into(),
        Of::Other(error) => error,
    })
}

/// All lessons of a file, as [`each`] has them.
///
/// # Errors
/// As [`each`].
pub fn read(path: &Path) -> Result<Vec<Lesson>, Error> {
    let mut lessons = Vec::new();
    each(path, &mut |lesson| {
        lessons.push(lesson);
        Ok::<_, Error>(())
    })?;
    Ok(lessons)
}

/// A row while it is read.
struct Fields<'a> {
    path: &'a Path,
    unit: &'static str,
    at: u64,
    row: &'a Map<String, Value>,
}

impl Fields<'_> {
    fn lesson(&self) -> Result<Lesson, Error> {
        let text = |name| self.get(name, "a text", |v| v.as_str().map(str::to_owned));
        let number = |name| self.get(name, "a number", Value::as_f64);
        Ok(Lesson {
            source: text("source")?.unwrap_or_else(|| self.path.display().to_string()),
            id: self
                .get("id", "a whole number of 0 or more", Value::as_u64)?
                .unwrap_or(self.at),
            operator: text("operator")?.unwrap_or_else(|| "file".to_owned()),
            told: text("told")?,
            file: text("file")?,
            parent: self.program("parent")?,
            child: self.program("child")?,
            accepted: self
                .get("accepted", "true or false", |v| {
                    // SQLite's flags are numbers.
                    v.as_bool()
                        .or(v.as_u64().filter(|n| *n < 2).map(|n| n == 1))
                })?
                .unwrap_or(true),
            niche: self.get("niche", "a whole number below 2^32", |v| {
                v.as_u64().and_then(|n| n.try_into().ok())
            })?,
            fitness: number("fitness")?,
            parent_fitness: number("parent_fitness")?,
        })
    }

    fn program(&self, name: &'static str) -> Result<String, Error> {
        let text = self.get(name, "a text", |v| {
            v.as_str().map(|v| canonical(v).into_owned())
        })?;
        text.ok_or_else(|| self.wrong(name, "is missing".to_owned()))
    }

    /// A field as `kind`; none where it is missing or null.
    fn get<T>(
        &self,
        name: &'static str,
        kind: &str,
        read: impl Fn(&Value) -> Option<T>,
    ) -> Result<Option<T>, Error> {
        match self.row.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => read(value)
                .map(Some)
                .ok_or_else(|| self.wrong(name, format!("is not {kind}"))),
        }
    }

    fn wrong(&self, field: &'static str, why: String) -> Error {
        Error::Field {
            path: self.path.to_owned(),
            unit: self.unit,
            at: self.at,
            field,
            why,
            mend: match field {
                "parent" | "child" => {
                    "each lesson has the program before as parent and the one after as child"
                }
                _ => "mend it or leave the field out",
            },
        }
    }
}
