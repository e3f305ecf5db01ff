//! Reading.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Field;
use serde_json::{Map, Value, json};

use crate::Error;

/// Calls `each` with every row of a file that ends in `.parquet` or `.jsonl`, and with its number from 1; in a file of JSON
/// lines that is the line's, and empty lines are passed over. Columns of lists and the like are null.
///
/// # Errors
/// Another ending; a file that cannot be read, or is not what its ending says, with the line; what `each` says.
pub fn read<E: From<Error>>(
    path: &Path,
    each: &mut dyn FnMut(u64, Map<String, Value>) -> Result<(), E>,
) -> Result<(), E> {
    match path.extension().and_then(|ending| ending.to_str()) {
        Some("jsonl") => lines(path, each),
        Some("parquet") => table(path, each),
        _ => Err(Error::new(path, "the name ends neither in .parquet nor in .jsonl").into()),
    }
}

fn open(path: &Path) -> Result<File, Error> {
    File::open(path).map_err(|e| Error::new(path, e))
}

fn lines<E: From<Error>>(
    path: &Path,
    each: &mut dyn FnMut(u64, Map<String, Value>) -> Result<(), E>,
) -> Result<(), E> {
    for (number, line) in (1..).zip(BufReader::new(open(path)?).lines()) {
        let wrong = |why: String| Error::new(path, format!("line {number}: {why}"));
        let line = line.map_err(|e| wrong(e.to_string()))?;
        // Some editors put a mark at the beginning.
        let line = match number {
            1 => line.strip_prefix('\u{feff}').unwrap_or(&line),
            _ => &*line,
        };
        if line.trim().is_empty() {
            continue;
        }
        match serde_json::from_str(line) {
            Ok(Value::Object(row)) => each(number, row)?,
            Ok(_) => return Err(wrong("is not an object".to_owned()).into()),
            Err(e) => return Err(wrong(format!("is not JSON: {e}")).into()),
        }
    }
    Ok(())
}

fn table<E: From<Error>>(
    path: &Path,
    each: &mut dyn FnMut(u64, Map<String, Value>) -> Result<(), E>,
) -> Result<(), E> {
    let reader = SerializedFileReader::new(open(path)?)
        .map_err(|e| Error::new(path, format!("is not a Parquet file: {e}")))?;
    let rows = reader.get_row_iter(None).map_err(|e| Error::new(path, e))?;
    for (number, row) in (1..).zip(rows) {
        let row = row.map_err(|e| Error::new(path, format!("row {number}: {e}")))?;
        let cells = row.get_column_iter();
        each(
            number,
            cells
                .map(|(name, cell)| (name.clone(), value(cell)))
                .collect(),
        )?;
    }
    Ok(())
}

fn value(cell: &Field) -> Value {
    match cell {
        Field::Bool(x) => json!(x),
        Field::Byte(x) => json!(x),
        Field::Short(x) => json!(x),
        Field::Int(x) => json!(x),
        Field::Long(x) => json!(x),
        Field::UByte(x) => json!(x),
        Field::UShort(x) => json!(x),
        Field::UInt(x) => json!(x),
        Field::ULong(x) => json!(x),
        Field::Float(x) => json!(x),
        Field::Double(x) => json!(x),
        Field::Str(x) => json!(x),
        // A text whose writer did not say that it is one.
        Field::Bytes(x) => std::str::from_utf8(x.data()).map_or(Value::Null, |x| json!(x)),
        _ => Value::Null,
    }
}
