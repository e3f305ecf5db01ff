//! Every child of a run as Parquet and as JSON lines; the columns are described in docs/store.md.

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
use crate::store::{Child, Store};

/// Children in one Parquet row group, and so in memory at once: so many at most,
const GROUP: usize = 20_000;
/// and no more once their texts take so many bytes.
const GROUP_BYTES: usize = 32 << 20;

/// A column's name and how to get its value, for both formats.
struct Column {
    name: String,
    value: Get,
}

/// A child and its diff.
type Row = (Child, String);

/// Bytes of a row's texts.
fn size((child, diff): &Row) -> usize {
    let message = child
        .reason
        .as_ref()
        .map_or(0, |reason| reason.message.len());
    let artifact = child.artifact.as_ref().map_or(0, String::len);
    let told = child.told.as_ref().map_or(0, String::len);
    child.program.len() + diff.len() + message + artifact + told
}

enum Get {
    Int(fn(&Child) -> Option<i64>),
    Float(fn(&Child) -> Option<f64>),
    Measure(usize),
    Text(fn(&Child) -> Option<&str>),
    Diff,
    Flag(fn(&Child) -> bool),
}

fn columns(store: &Store) -> Vec<Column> {
    let mut columns: Vec<Column> = [
        ("id", Get::Int(|c| Some(c.id as i64))),
        ("iteration", Get::Int(|c| Some(c.iteration as i64))),
        ("replica", Get::Int(|c| Some(c.replica.into()))),
        ("operator", Get::Text(|c| Some(&c.operator))),
        ("parent", Get::Int(|c| c.parent.map(|id| id as i64))),
        ("partner", Get::Int(|c| c.partner.map(|id| id as i64))),
        ("status", Get::Text(|c| Some(c.status.name()))),
        (
            "reason",
            Get::Text(|c| c.reason.as_ref().map(|r| r.code.as_str())),
        ),
        (
            "message",
            Get::Text(|c| c.reason.as_ref().map(|r| r.message.as_str())),
        ),
        ("fitness", Get::Float(|c| c.fitness)),
        ("niche", Get::Int(|c| c.niche.map(Into::into))),
        ("accepted", Get::Flag(|c| c.accepted)),
        ("seconds", Get::Float(|c| Some(c.seconds))),
        ("at", Get::Float(|c| Some(c.at))),
        (
            "prompt_tokens",
            Get::Int(|c| Some(c.cost.prompt_tokens.into())),
        ),
        ("tokens", Get::Int(|c| Some(c.cost.tokens.into()))),
        ("propose_seconds", Get::Float(|c| Some(c.cost.seconds))),
        ("dollars", Get::Float(|c| Some(c.cost.dollars))),
        ("told", Get::Text(|c| c.told.as_deref())),
        ("weights", Get::Int(|c| c.weights.map(Into::into))),
        ("program", Get::Text(|c| Some(&c.program))),
        ("diff", Get::Diff),
        ("artifact", Get::Text(|c| c.artifact.as_deref())),
    ]
    .into_iter()
    .map(|(name, value)| Column {
        name: name.to_owned(),
        value,
    })
    .collect();
    let measures = store.axes().iter().cloned().enumerate();
    columns.extend(measures.map(|(i, axis)| Column {
        name: axis.name,
        value: Get::Measure(i),
    }));
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
    let mend = "choose a writable folder with room, with -o";
    std::fs::create_dir_all(folder).map_err(|e| Error::file(folder, e, mend))?;
    let columns = columns(store);
    let lines_path = folder.join("children.jsonl");
    let lines = File::create(&lines_path).map_err(|e| Error::file(&lines_path, e, mend))?;
    let mut lines = BufWriter::new(lines);
    let table_path = folder.join("children.parquet");
    let table = File::create(&table_path).map_err(|e| Error::file(&table_path, e, mend))?;
    let table_error = |e: ParquetError| Error::file(&table_path, e, mend);
    let lines_error = |e: std::io::Error| Error::file(&lines_path, e, mend);

    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .build();
    let mut writer = schema(&columns)
        .and_then(|schema| SerializedFileWriter::new(table, Arc::new(schema), Arc::new(properties)))
        .map_err(table_error)?;
    let mut group = Vec::new();
    let (mut bytes, mut done) = (0, 0);
    let mut write = |group: &mut Vec<Row>| {
        let mut out = writer.next_row_group()?;
        for column in &columns {
            column.write(&mut out, group)?;
        }
        group.clear();
        out.close().map(drop)
    };
    store.each_child(0, store.len()?, |child| {
        let diff = store.diff(&child)?;
        let row = (child, diff);
        let line: Map<String, Value> = columns
            .iter()
            .map(|column| (column.name.clone(), column.json(&row)))
            .collect();
        serde_json::to_writer(&mut lines, &line)
            .map_err(std::io::Error::from)
            .and_then(|()| lines.write_all(b"\n"))
            .map_err(lines_error)?;
        bytes += size(&row);
        group.push(row);
        if group.len() == GROUP || bytes >= GROUP_BYTES {
            done += group.len() as u64;
            write(&mut group).map_err(table_error)?;
            bytes = 0;
            observe(done);
        }
        Ok(())
    })?;
    if !group.is_empty() {
        done += group.len() as u64;
        write(&mut group).map_err(table_error)?;
        observe(done);
    }
    writer.close().map_err(table_error)?;
    lines.flush().map_err(lines_error)?;
    Ok([table_path, lines_path])
}

impl Column {
    fn json(&self, (child, diff): &Row) -> Value {
        match &self.value {
            Get::Int(get) => json!(get(child)),
            Get::Float(get) => json!(get(child)),
            Get::Measure(i) => json!(child.measures.get(*i)),
            Get::Text(get) => json!(get(child)),
            Get::Diff => json!(diff),
            Get::Flag(get) => json!(get(child)),
        }
    }

    /// The column's Parquet type, and whether values may be missing.
    fn kind(&self) -> (Physical, ConvertedType, bool) {
        match self.value {
            Get::Int(_) => (Physical::INT64, ConvertedType::NONE, true),
            Get::Float(_) | Get::Measure(_) => (Physical::DOUBLE, ConvertedType::NONE, true),
            Get::Text(_) | Get::Diff => (Physical::BYTE_ARRAY, ConvertedType::UTF8, true),
            Get::Flag(_) => (Physical::BOOLEAN, ConvertedType::NONE, false),
        }
    }

    fn write(
        &self,
        group: &mut SerializedRowGroupWriter<'_, File>,
        rows: &[Row],
    ) -> Result<(), ParquetError> {
        let mut writer = group
            .next_column()?
            .ok_or_else(|| ParquetError::General("too many columns".to_owned()))?;
        let present = |missing: &[bool]| missing.iter().map(|m| i16::from(!m)).collect::<Vec<_>>();
        macro_rules! optional {
            ($kind:ty, $get:expr) => {{
                let all: Vec<_> = rows.iter().map($get).collect();
                let levels = present(&all.iter().map(Option::is_none).collect::<Vec<_>>());
                let values: Vec<_> = all.into_iter().flatten().collect();
                writer
                    .typed::<$kind>()
                    .write_batch(&values, Some(&levels), None)?;
            }};
        }
        match &self.value {
            Get::Int(get) => optional!(Int64Type, |(c, _)| get(c)),
            Get::Float(get) => optional!(DoubleType, |(c, _)| get(c)),
            Get::Measure(i) => optional!(DoubleType, |(c, _)| c.measures.get(*i).copied()),
            Get::Text(get) => optional!(ByteArrayType, |(c, _)| get(c).map(ByteArray::from)),
            Get::Diff => optional!(ByteArrayType, |(_, diff)| Some(ByteArray::from(
                diff.as_str()
            ))),
            Get::Flag(get) => {
                let values: Vec<bool> = rows.iter().map(|(c, _)| get(c)).collect();
                writer
                    .typed::<BoolType>()
                    .write_batch(&values, None, None)?;
            }
        }
        writer.close()
    }
}

fn schema(columns: &[Column]) -> Result<Type, ParquetError> {
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
    Type::group_type_builder("children")
        .with_fields(fields)
        .build()
}
