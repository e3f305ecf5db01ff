//! Writing.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parquet::basic::{Compression, ConvertedType, Repetition, Type as Physical, ZstdLevel};
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DoubleType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::types::Type;
use serde_json::{Map, Value, json};

use crate::Error;

/// Rows in one Parquet row group, and so in memory at once: so many at most,
const GROUP: usize = 20_000;
/// and no more once their texts take so many bytes.
const GROUP_BYTES: usize = 32 << 20;

/// A column's name and how to get its value, for both formats.
pub struct Column<T> {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: Get<T>,
}

/// How to get a value of a row. What is none is null.
pub enum Get<T> {
    /// A whole number.
    Int(fn(&T) -> Option<i64>),
    /// A number.
    Float(fn(&T) -> Option<f64>),
    /// The number of a list that has this index.
    Item(fn(&T) -> &[f64], usize),
    /// A text.
    Text(fn(&T) -> Option<&str>),
    /// Yes or no, never null.
    Flag(fn(&T) -> bool),
}

impl<T> Column<T> {
    /// A column.
    pub fn new(name: impl Into<String>, value: Get<T>) -> Self {
        Self {
            name: name.into(),
            value,
        }
    }
}

/// Writes rows into `NAME.parquet` (zstd) and `NAME.jsonl`.
pub struct Writer<T> {
    columns: Vec<Column<T>>,
    table: SerializedFileWriter<File>,
    lines: BufWriter<File>,
    paths: [PathBuf; 2],
    group: Vec<T>,
    bytes: usize,
    done: u64,
}

impl<T> Writer<T> {
    /// Begins both files in a folder, which is made where there is none.
    ///
    /// # Errors
    /// They cannot be written.
    pub fn create(folder: &Path, name: &str, columns: Vec<Column<T>>) -> Result<Self, Error> {
        std::fs::create_dir_all(folder).map_err(|e| Error::new(folder, e))?;
        let paths = ["parquet", "jsonl"].map(|kind| folder.join(format!("{name}.{kind}")));
        let make = |path: &Path| File::create(path).map_err(|e| Error::new(path, e));
        let lines = BufWriter::new(make(&paths[1])?);
        let file = make(&paths[0])?;
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .build();
        let table = schema(name, &columns)
            .and_then(|schema| {
                SerializedFileWriter::new(file, Arc::new(schema), Arc::new(properties))
            })
            .map_err(|e| Error::new(&paths[0], e))?;
        Ok(Self {
            columns,
            table,
            lines,
            paths,
            group: Vec::new(),
            bytes: 0,
            done: 0,
        })
    }

    /// Writes a row; returns how many are written, where that is more than before.
    ///
    /// # Errors
    /// The files cannot be written.
    pub fn push(&mut self, row: T) -> Result<Option<u64>, Error> {
        let line: Map<String, Value> = self
            .columns
            .iter()
            .map(|column| (column.name.clone(), column.json(&row)))
            .collect();
        serde_json::to_writer(&mut self.lines, &line)
            .map_err(std::io::Error::from)
            .and_then(|()| self.lines.write_all(b"\n"))
            .map_err(|e| Error::new(&self.paths[1], e))?;
        let text = |column: &Column<T>| match column.value {
            Get::Text(get) => get(&row).map_or(0, str::len),
            _ => 0,
        };
        self.bytes += self.columns.iter().map(text).sum::<usize>();
        self.group.push(row);
        match self.group.len() == GROUP || self.bytes >= GROUP_BYTES {
            true => self.flush().map(Some),
            false => Ok(None),
        }
    }

    /// Writes the rows at hand as a group.
    fn flush(&mut self) -> Result<u64, Error> {
        let mut write = || {
            let mut out = self.table.next_row_group()?;
            for column in &self.columns {
                column.write(&mut out, &self.group)?;
            }
            out.close().map(drop)
        };
        write().map_err(|e| Error::new(&self.paths[0], e))?;
        self.done += self.group.len() as u64;
        self.group.clear();
        self.bytes = 0;
        Ok(self.done)
    }

    /// Ends both files. Returns their paths, and how many rows they have.
    ///
    /// # Errors
    /// They cannot be written.
    pub fn close(mut self) -> Result<([PathBuf; 2], u64), Error> {
        if !self.group.is_empty() {
            self.flush()?;
        }
        let Self { table, paths, .. } = self;
        table.close().map_err(|e| Error::new(&paths[0], e))?;
        let flushed = self.lines.flush();
        flushed.map_err(|e| Error::new(&paths[1], e))?;
        Ok((paths, self.done))
    }
}

impl<T> Column<T> {
    fn json(&self, row: &T) -> Value {
        match &self.value {
            Get::Int(get) => json!(get(row)),
            Get::Float(get) => json!(get(row)),
            Get::Item(get, i) => json!(get(row).get(*i)),
            Get::Text(get) => json!(get(row)),
            Get::Flag(get) => json!(get(row)),
        }
    }

    /// The column's Parquet type, and whether values may be missing.
    fn kind(&self) -> (Physical, ConvertedType, bool) {
        match self.value {
            Get::Int(_) => (Physical::INT64, ConvertedType::NONE, true),
            Get::Float(_) | Get::Item(..) => (Physical::DOUBLE, ConvertedType::NONE, true),
            Get::Text(_) => (Physical::BYTE_ARRAY, ConvertedType::UTF8, true),
            Get::Flag(_) => (Physical::BOOLEAN, ConvertedType::NONE, false),
        }
    }

    fn write(
        &self,
        group: &mut SerializedRowGroupWriter<'_, File>,
        rows: &[T],
    ) -> Result<(), ParquetError> {
        let mut writer = group
            .next_column()?
            .ok_or_else(|| ParquetError::General("too many columns".to_owned()))?;
        macro_rules! optional {
            ($kind:ty, $get:expr) => {{
                let all: Vec<_> = rows.iter().map($get).collect();
                let levels: Vec<_> = all.iter().map(|one| i16::from(one.is_some())).collect();
                let values: Vec<_> = all.into_iter().flatten().collect();
                writer
                    .typed::<$kind>()
                    .write_batch(&values, Some(&levels), None)?;
            }};
        }
        match &self.value {
            Get::Int(get) => optional!(Int64Type, get),
            Get::Float(get) => optional!(DoubleType, get),
            Get::Item(get, i) => optional!(DoubleType, |row| get(row).get(*i).copied()),
            Get::Text(get) => optional!(ByteArrayType, |row| get(row).map(ByteArray::from)),
            Get::Flag(get) => {
                let values: Vec<bool> = rows.iter().map(get).collect();
                writer
                    .typed::<BoolType>()
                    .write_batch(&values, None, None)?;
            }
        }
        writer.close()
    }
}

fn schema<T>(name: &str, columns: &[Column<T>]) -> Result<Type, ParquetError> {
    let fields = columns
        .iter()
        .map(|column| {
            let (physical, converted, optional) = column.kind();
            let repetition = if optional {
                Repetition::OPTIONAL
            } else {
                Repetition::REQUIRED
            };
            Type::primitive_type_builder(&column.name, physical)
                .with_converted_type(converted)
                .with_repetition(repetition)
                .build()
                .map(Arc::new)
        })
        .collect::<Result<_, _>>()?;
    Type::group_type_builder(name).with_fields(fields).build()
}
