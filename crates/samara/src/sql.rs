//! `samara sql`: questions about a run in SQL.

use std::fmt::Write as _;
use std::io::{IsTerminal, Write};

use evolve::store::{SqlValue, Store};
use serde_json::{Map, Value, json};

use crate::cli::SqlArgs;
use crate::terminal::{escape, is_hidden, shown};
use crate::{Done, Failure};

/// A table's columns are as wide as the widest cell of so many rows,
const SEEN: usize = 500;
/// but no wider than so many characters.
const WIDEST: usize = 60;

/// Prints the answer as a table, as JSON lines or as CSV.
pub fn sql(args: &SqlArgs) -> Done {
    let store = Store::open(&args.run)?;
    let mut out = std::io::stdout().lock();
    if args.json {
        store.query(&args.query, |names, row| -> Result<(), Failure> {
            let line: Map<String, Value> =
                names.iter().cloned().zip(row.iter().map(json)).collect();
            let line = Value::Object(line).to_string();
            Ok(writeln!(out, "{}", shown(&line))?)
        })?;
    } else if args.csv {
        // A file gets the very text.
        let watched = std::io::stdout().is_terminal();
        let record = |cells: &mut dyn Iterator<Item = String>| match watched {
            true => shown(&record(cells)),
            false => record(cells),
        };
        let mut begun = false;
        let names = store.query(&args.query, |names, row| -> Result<(), Failure> {
            if !std::mem::replace(&mut begun, true) {
                out.write_all(record(&mut names.iter().cloned()).as_bytes())?;
            }
            Ok(out.write_all(record(&mut row.iter().map(plain)).as_bytes())?)
        })?;
        if !begun {
            out.write_all(record(&mut names.into_iter()).as_bytes())?;
        }
    } else {
        let mut table = Table::default();
        let names = store.query(&args.query, |names, row| -> Result<(), Failure> {
            table.rows.push(row.iter().map(Cell::of).collect());
            if table.rows.len() == SEEN {
                table.print(names, &mut out)?;
            }
            Ok(())
        })?;
        table.print(&names, &mut out)?;
    }
    Ok(())
}

fn json(value: &SqlValue) -> Value {
    match value {
        SqlValue::Null => Value::Null,
        SqlValue::Integer(n) => json!(n),
        SqlValue::Real(x) => json!(x),
        SqlValue::Text(text) => json!(text),
        SqlValue::Blob(_) => json!(plain(value)),
    }
}

/// Bytes are shown in hexadecimal digits.
fn plain(value: &SqlValue) -> String {
    match value {
        SqlValue::Null => String::new(),
        SqlValue::Integer(n) => n.to_string(),
        SqlValue::Real(x) => x.to_string(),
        SqlValue::Text(text) => text.clone(),
        SqlValue::Blob(bytes) => bytes.iter().fold(String::new(), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        }),
    }
}

/// A line of CSV as RFC 4180 has it, but with a line feed.
fn record(cells: impl Iterator<Item = String>) -> String {
    let quoted = |cell: String| match cell.contains(['"', ',', '\n', '\r']) {
        true => format!("\"{}\"", cell.replace('"', "\"\"")),
        false => cell,
    };
    cells.map(quoted).collect::<Vec<_>>().join(",") + "\n"
}

/// A cell of a table: one line, with nothing that a terminal would obey.
struct Cell {
    text: String,
    number: bool,
}

impl Cell {
    fn of(value: &SqlValue) -> Self {
        let number = matches!(value, SqlValue::Integer(_) | SqlValue::Real(_));
        Self::new(&plain(value), number)
    }

    fn new(whole: &str, number: bool) -> Self {
        let mut text = String::new();
        for c in whole.chars() {
            match is_hidden(c) {
                true => escape(c, &mut text),
                false => text.push(c),
            }
            if text.chars().count() > WIDEST {
                text = text.chars().take(WIDEST - 1).chain(['\u{2026}']).collect();
                break;
            }
        }
        Self { text, number }
    }

    fn width(&self) -> usize {
        self.text.chars().count()
    }
}

/// Rows that are printed together.
#[derive(Default)]
struct Table {
    /// Of every column, once its heading is printed.
    widths: Vec<usize>,
    rows: Vec<Vec<Cell>>,
}

impl Table {
    fn print(&mut self, names: &[String], out: &mut impl Write) -> std::io::Result<()> {
        if self.widths.is_empty() {
            let heading: Vec<Cell> = names.iter().map(|name| Cell::new(name, false)).collect();
            let rows = || self.rows.iter().chain([&heading]);
            self.widths = (0..names.len())
                .map(|i| rows().map(|row| row[i].width()).max().unwrap_or(0))
                .collect();
            self.line(&heading, out)?;
            let rule = |width: &usize| "-".repeat(*width);
            let rules: Vec<_> = self.widths.iter().map(rule).collect();
            writeln!(out, "{}", rules.join("  "))?;
        }
        for row in std::mem::take(&mut self.rows) {
            self.line(&row, out)?;
        }
        Ok(())
    }

    fn line(&self, row: &[Cell], out: &mut impl Write) -> std::io::Result<()> {
        let mut line = String::new();
        for (i, (cell, width)) in row.iter().zip(&self.widths).enumerate() {
            let gap = if i > 0 { "  " } else { "" };
            let pad = " ".repeat(width.saturating_sub(cell.width()));
            let _ = match cell.number {
                true => write!(line, "{gap}{pad}{}", cell.text),
                false => write!(line, "{gap}{}{pad}", cell.text),
            };
        }
        writeln!(out, "{}", line.trim_end())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_short_lines_without_control_characters() {
        assert_eq!(Cell::new("a\n\u{1b}[2Jb", false).text, "a\\n\\u001b[2Jb");
        let long = Cell::new(&"\u{e4}".repeat(1000), false);
        assert_eq!((long.width(), long.text.ends_with('\u{2026}')), (60, true));
    }

    #[test]
    fn values_are_written_for_csv() {
        let cells = ["a", "b \"c\", d", "e\nf", ""].map(str::to_owned);
        assert_eq!(
            record(cells.into_iter()),
            "a,\"b \"\"c\"\", d\",\"e\nf\",\n"
        );
        assert_eq!(plain(&SqlValue::Blob(vec![0, 0xab])), "00ab");
        assert_eq!(plain(&SqlValue::Real(0.1 + 0.2)), "0.30000000000000004");
    }

    #[test]
    fn tables_line_up() {
        let mut table = Table::default();
        for (name, n) in [("gp", 7), ("prompt", 1234)] {
            let row = [SqlValue::Text(name.to_owned()), SqlValue::Integer(n)];
            table.rows.push(row.iter().map(Cell::of).collect());
        }
        let mut out = Vec::new();
        let names = ["operator", "n"].map(str::to_owned);
        table.print(&names, &mut out).unwrap();
        let expected = "operator  n\n--------  ----\ngp           7\nprompt    1234\n";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}
