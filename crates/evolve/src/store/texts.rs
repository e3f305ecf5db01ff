//! The texts of children, compressed together.
//!
//! Neighbours resemble each other: 64 programs of a run take the room of two. So the texts stand in blocks of
//! [`MOST_CHILDREN`] children one after the other, one frame of zstd for each kind of text. A frame holds a line with the
//! texts' lengths as a JSON array (null where a child has none), then the texts. How children fall into blocks depends
//! on the children alone, so a run ends with the same blocks however it was interrupted.

use std::ops::Range;
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, params};
use zstd::bulk::{Compressor, Decompressor};
use zstd::zstd_safe::get_frame_content_size;

use super::file::damaged;

/// A block takes no more children than this,
const MOST_CHILDREN: usize = 64;
/// nor any once its texts have so many bytes.
const FULL: usize = 1 << 20;
/// Texts of one kind in one block have fewer bytes: a frame that promises more is damaged.
const MOST_BYTES: usize = 1 << 28;
/// Twice as fast as level 5 at a fifth more bytes; level 1 is no faster on so similar texts.
const LEVEL: i32 = 3;
/// Bytes of unpacked texts kept at hand.
const AT_HAND: usize = 16 << 20;
const MISFIT: &str = "a block's lengths of texts do not fit them";

/// The kinds of text, in the order of [`Kind`]: the columns of the table `texts`.
pub(super) const KINDS: [&str; 4] = ["program", "message", "told", "artifact"];

/// A kind of text that a child has.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Kind {
    Program,
    Message,
    Told,
    Artifact,
}

impl Kind {
    pub const ALL: [Self; 4] = [Self::Program, Self::Message, Self::Told, Self::Artifact];

    pub fn named(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|kind| KINDS[*kind as usize] == name)
    }
}

/// One kind of text of the children of a block.
#[derive(Default)]
pub(super) struct Column {
    text: String,
    spans: Vec<Option<Range<usize>>>,
}

impl Column {
    fn push(&mut self, text: Option<&str>) {
        let begin = self.text.len();
        self.text.push_str(text.unwrap_or_default());
        self.spans.push(text.map(|_| begin..self.text.len()));
    }

    /// The text of the child at a place of the block.
    pub fn get(&self, place: usize) -> Option<&str> {
        self.text.get(self.spans.get(place)?.clone()?)
    }

    /// Bytes in memory, roughly.
    fn size(&self) -> usize {
        self.text.len() + 4096
    }

    /// Nothing where no child has such a text.
    fn pack(&self, compressor: &mut Compressor<'_>) -> rusqlite::Result<Option<Vec<u8>>> {
        if self.spans.iter().all(Option::is_none) {
            return Ok(None);
        }
        let lengths: Vec<_> = self
            .spans
            .iter()
            .map(|span| Some(span.as_ref()?.len()))
            .collect();
        let mut raw = serde_json::to_string(&lengths).expect("plain data");
        raw.push('\n');
        raw.push_str(&self.text);
        if raw.len() >= MOST_BYTES {
            return Err(damaged(format!("a text of {} bytes", raw.len())));
        }
        let packed = compressor.compress(raw.as_bytes());
        packed
            .map(Some)
            .map_err(|e| damaged(format!("texts cannot be compressed: {e}")))
    }

    /// Reads what [`Column::pack`] wrote for so many children.
    pub fn unpack(packed: Option<&[u8]>, children: usize) -> Result<Self, String> {
        let Some(packed) = packed else {
            return Ok(Self {
                text: String::new(),
                spans: vec![None; children.min(MOST_CHILDREN)],
            });
        };
        let mut text = unzip(packed)?;
        let line = text.find('\n').ok_or("a block of texts has no lengths")?;
        let lengths: Vec<Option<usize>> = serde_json::from_str(&text[..line])
            .map_err(|e| format!("a block's lengths of texts: {e}"))?;
        text.drain(..=line);
        let mut end: usize = 0;
        let mut spans = Vec::with_capacity(lengths.len());
        for length in lengths {
            let begin = end;
            end = begin
                .checked_add(length.unwrap_or(0))
                .filter(|end| text.is_char_boundary(*end))
                .ok_or(MISFIT)?;
            spans.push(length.map(|_| begin..end));
        }
        if end != text.len() || spans.len() != children {
            return Err(MISFIT.to_owned());
        }
        Ok(Self { text, spans })
    }
}

/// Decompresses a text; no more is allocated than the frame promises, and it may not promise more than [`MOST_BYTES`].
pub(super) fn unzip(packed: &[u8]) -> Result<String, String> {
    let size = get_frame_content_size(packed).ok().flatten();
    let size = size
        .and_then(|size| usize::try_from(size).ok())
        .filter(|size| *size < MOST_BYTES)
        .ok_or("a text is not compressed by zstd, or too long")?;
    let mut raw = Vec::new();
    raw.try_reserve_exact(size).map_err(|e| e.to_string())?;
    Decompressor::new()
        .and_then(|mut zstd| zstd.decompress_to_buffer(packed, &mut raw))
        .map_err(|e| format!("a text cannot be decompressed: {e}"))?;
    String::from_utf8(raw).map_err(|e| format!("a text is not UTF-8: {e}"))
}

/// The end of the run's texts: a block that may still take children, and the way to write it.
pub(super) struct Tail {
    /// Of its first child.
    first: u64,
    columns: [Column; 4],
    compressor: Compressor<'static>,
}

impl Tail {
    /// The last block in the database; an empty one where there is none.
    pub fn load(db: &Connection) -> rusqlite::Result<Self> {
        let mut compressor = Compressor::new(LEVEL).map_err(|e| damaged(e.to_string()))?;
        compressor
            .include_checksum(true)
            .map_err(|e| damaged(e.to_string()))?;
        let mut tail = Self {
            first: 0,
            columns: Default::default(),
            compressor,
        };
        let last = db
            .query_row(
                "SELECT first, children, program, message, told, artifact FROM texts ORDER BY first DESC LIMIT 1",
                [],
                |row| {
                    let children = row.get::<_, u32>(1)? as usize;
                    let mut columns: [Column; 4] = Default::default();
                    for (i, column) in columns.iter_mut().enumerate() {
                        let packed: Option<Vec<u8>> = row.get(2 + i)?;
                        *column = Column::unpack(packed.as_deref(), children).map_err(damaged)?;
                    }
                    Ok((row.get::<_, i64>(0)? as u64, columns))
                },
            )
            .optional()?;
        if let Some((first, columns)) = last {
            (tail.first, tail.columns) = (first, columns);
        }
        Ok(tail)
    }

    fn children(&self) -> usize {
        self.columns[0].spans.len()
    }

    /// The child whose texts come next.
    pub fn next(&self) -> u64 {
        self.first + self.children() as u64
    }

    /// Takes the next child's texts, in the order of [`KINDS`]; a block that is full is written first.
    pub fn push(&mut self, db: &Connection, texts: [Option<&str>; 4]) -> rusqlite::Result<()> {
        let bytes: usize = self.columns.iter().map(|column| column.text.len()).sum();
        if self.children() == MOST_CHILDREN || bytes >= FULL {
            self.write(db)?;
            self.first = self.next();
            for column in &mut self.columns {
                column.text.clear();
                column.spans.clear();
            }
        }
        for (column, text) in self.columns.iter_mut().zip(texts) {
            column.push(text);
        }
        Ok(())
    }

    /// Writes the block, in place of what it was before.
    pub fn write(&mut self, db: &Connection) -> rusqlite::Result<()> {
        if self.children() == 0 {
            return Ok(());
        }
        let mut packed = Vec::with_capacity(self.columns.len());
        for column in &self.columns {
            packed.push(column.pack(&mut self.compressor)?);
        }
        db.prepare_cached(
            "INSERT OR REPLACE INTO texts (first, children, program, message, told, artifact)
             VALUES (?, ?, ?, ?, ?, ?)",
        )?
        .execute(params![
            self.first as i64,
            self.children() as i64,
            packed[0],
            packed[1],
            packed[2],
            packed[3],
        ])
        .map(drop)
    }
}

/// Blocks unpacked before, the last used first. Blocks grow, but what they say of a child does not change.
#[derive(Default)]
pub(super) struct Cache(Vec<Entry>);

struct Entry {
    first: u64,
    kind: Kind,
    column: Arc<Column>,
}

impl Cache {
    /// The unpacked column that holds a kind of text of the child with this id, and the child's place in it.
    pub fn get(&mut self, id: u64, kind: Kind) -> Option<(Arc<Column>, usize)> {
        let holds = |entry: &Entry| {
            let place = id.checked_sub(entry.first);
            entry.kind == kind && place.is_some_and(|place| place < entry.column.spans.len() as u64)
        };
        let found = self.0.iter().position(holds)?;
        self.0[..=found].rotate_right(1);
        let entry = &self.0[0];
        Some((entry.column.clone(), (id - entry.first) as usize))
    }

    /// Keeps a column; the one that was not used for longest goes for it where there is no room.
    pub fn keep(&mut self, first: u64, kind: Kind, column: Arc<Column>) {
        self.0
            .retain(|entry| (entry.first, entry.kind) != (first, kind));
        let mut room = AT_HAND.saturating_sub(column.size());
        self.0.retain(|entry| {
            let size = entry.column.size();
            let fits = size <= room;
            room = room.saturating_sub(size);
            fits
        });
        self.0.insert(
            0,
            Entry {
                first,
                kind,
                column,
            },
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn packed(texts: &[Option<&str>]) -> Vec<u8> {
        let mut column = Column::default();
        for text in texts {
            column.push(*text);
        }
        let mut compressor = Compressor::new(LEVEL).unwrap();
        compressor.include_checksum(true).unwrap();
        column.pack(&mut compressor).unwrap().unwrap()
    }

    #[test]
    fn texts_come_back() {
        let texts = [Some("x = 'ä'\n"), None, Some(""), Some("\0\r\n[1]")];
        let column = Column::unpack(Some(&packed(&texts)), 4).unwrap();
        for (place, text) in texts.iter().enumerate() {
            assert_eq!(column.get(place), *text);
        }
        assert_eq!(column.get(4), None);
        assert_eq!(Column::unpack(None, 3).unwrap().get(2), None);
    }

    #[test]
    fn what_is_damaged_is_refused() {
        let whole = packed(&[Some("ab"), Some("cd")]);
        assert!(Column::unpack(Some(&whole), 3).is_err());
        for at in 0..whole.len() {
            assert!(Column::unpack(Some(&whole[..at]), 2).is_err());
            for bit in 0..8 {
                let mut damaged = whole.clone();
                damaged[at] ^= 1 << bit;
                let column = Column::unpack(Some(&damaged), 2);
                // Of the header some bits mean nothing.
                assert!(column.is_err() || column.is_ok_and(|c| c.get(1) == Some("cd")));
            }
        }
        for hostile in [
            "no line",
            "[1, 2\nabc",
            "[1]\nab",
            "[1, 1]\n\u{e4}",
            "[18446744073709551615, 2]\nab",
            "{}\n",
            "[-1]\n",
        ] {
            let blob = zstd::bulk::compress(hostile.as_bytes(), 1).unwrap();
            assert!(Column::unpack(Some(&blob), 2).is_err(), "{hostile:?}");
        }
        // A frame that promises 2^62 bytes, and one that does not say.
        let promise = [
            &[0x28, 0xb5, 0x2f, 0xfd, 0xe0][..],
            &(1u64 << 62).to_le_bytes(),
        ]
        .concat();
        assert!(unzip(&promise).is_err());
        let mut stream = zstd::stream::Encoder::new(Vec::new(), 1).unwrap();
        stream.include_contentsize(false).unwrap();
        stream.write_all(b"abc").unwrap();
        assert!(unzip(&stream.finish().unwrap()).is_err());
    }

    #[test]
    fn the_cache_forgets_what_was_not_used() {
        let column = |length: usize| {
            let mut column = Column::default();
            column.push(Some(&"x".repeat(length)));
            Arc::new(column)
        };
        let mut cache = Cache::default();
        for first in 0..5 {
            cache.keep(first, Kind::Program, column(AT_HAND / 4 - 4096));
            assert!(cache.get(0, Kind::Program).is_some());
        }
        assert!(cache.get(1, Kind::Program).is_none());
        assert!(cache.get(4, Kind::Program).is_some());
        assert!(cache.get(4, Kind::Told).is_none());
        cache.keep(9, Kind::Program, column(2 * AT_HAND));
        assert!(cache.get(9, Kind::Program).is_some() && cache.get(4, Kind::Program).is_none());
    }
}
