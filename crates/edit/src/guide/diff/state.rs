//! Where a guided diff stands.

use std::cell::OnceCell;
use std::sync::Arc;

use super::super::rules::{Reading, differ, is_text};
use super::Job;
use crate::diff::Tag;

const MARK: &[u8] = b"@@\n";

/// A diff read up to some byte. Cheap to copy.
#[derive(Clone)]
pub(super) struct State {
    at: At,
    base: Arc<Base>,
    hunk: Hunk,
    hunks: usize,
    added: usize,
    removed: usize,
    /// The new file if the diff ends here, once asked for.
    complete: OnceCell<Option<Arc<str>>>,
}

/// What comes next.
#[derive(Clone, Copy, PartialEq)]
enum At {
    /// This byte of the headers.
    Header(usize),
    /// This byte of [`MARK`].
    Mark(usize),
    /// The first byte of a hunk's line, or the end.
    Sign,
    /// A byte of such a line.
    Body(Tag),
}

/// What the hunks that ended made.
struct Base {
    /// The new file up to the line `next` of the old one.
    new: String,
    next: usize,
    /// The whole new file.
    file: String,
    /// The new file read up to each line from `next` on; `None` where no valid file starts so.
    readings: Vec<Option<Reading>>,
}

#[derive(Clone)]
struct Hunk {
    /// Where it may stand, in order.
    places: Vec<Place>,
    /// Lines of the old file read.
    old: usize,
    /// How many of these stand before the first change.
    unchanged: Option<usize>,
    /// The new file's lines.
    new: Vec<u8>,
    last: Option<Tag>,
    /// How many context lines have come in a row.
    context: usize,
    /// The first line of a run of removed ones.
    gone: Vec<u8>,
    /// The line so far, without its sign.
    line: Vec<u8>,
}

#[derive(Clone)]
struct Place {
    /// The index of its first line.
    first: usize,
    /// The new file so far; none while [`Base::readings`] has it.
    reading: Option<Box<Reading>>,
}

impl Hunk {
    fn new(first: usize, lines: usize) -> Hunk {
        let end = lines.max(first + 1); // an empty file has one place
        Hunk {
            places: (first..end)
                .map(|first| Place {
                    first,
                    reading: None,
                })
                .collect(),
            old: 0,
            unchanged: None,
            new: Vec::new(),
            last: None,
            context: 0,
            gone: Vec::new(),
            line: Vec::new(),
        }
    }

    fn reading<'a>(&self, place: &'a Place, base: &'a Base) -> Option<&'a Reading> {
        match &place.reading {
            Some(reading) => Some(reading),
            None => {
                base.readings[place.first + self.unchanged.unwrap_or(self.old) - base.next].as_ref()
            }
        }
    }
}

impl Base {
    fn new(
        job: &Job,
        new: String,
        next: usize,
        file: String,
        mut reading: Option<Reading>,
    ) -> Base {
        let mut readings = vec![reading.clone()];
        for line in &job.lines[next..] {
            reading = reading.and_then(|mut r| r.push(line.as_bytes()).then_some(r));
            readings.push(reading.clone());
        }
        Base {
            new,
            next,
            file,
            readings,
        }
    }
}

impl State {
    pub(super) fn new(job: &Job) -> State {
        let base = Base::new(
            job,
            String::new(),
            0,
            job.source.clone(),
            Some(job.options.rules.read()),
        );
        let mut hunk = Hunk::new(0, job.lines.len());
        if let Some(first) = job.options.first {
            hunk.places.retain(|place| place.first == first);
        }
        State {
            at: At::Header(0),
            base: Arc::new(base),
            hunk,
            hunks: 1,
            added: 0,
            removed: 0,
            complete: OnceCell::new(),
        }
    }

    /// The new file if the text may end here.
    pub(super) fn complete(&self, job: &Job) -> Option<Arc<str>> {
        if self.at != At::Sign {
            return None; // and nothing is kept for later
        }
        self.complete
            .get_or_init(|| self.ending(job).map(|(_, file)| file.into()))
            .clone()
    }

    /// At the beginning of a line: the earliest place that leaves a valid file, and the file.
    fn ending(&self, job: &Job) -> Option<(usize, String)> {
        self.hunk.unchanged?; // or nothing changed yet
        let new = std::str::from_utf8(&self.hunk.new).ok()?;
        self.hunk.places.iter().enumerate().find_map(|(i, place)| {
            let between = job.lines[self.base.next..place.first].concat();
            let rest = job.lines[place.first + self.hunk.old..].concat();
            let file = job.file(format!("{}{between}{new}{rest}", self.base.new));
            let valid = differ(&file, &self.base.file)
                && differ(&file, &job.source)
                && self
                    .hunk
                    .reading(place, &self.base)?
                    .ends_with(rest.as_bytes())
                && job.options.rules.accepts(&file);
            valid.then_some((i, file))
        })
    }

    /// Whether a removed line has just ended, or an added one after it just begun.
    pub(super) fn has_removed(&self) -> bool {
        let begins = matches!(self.at, At::Sign | At::Body(Tag::Added));
        begins && self.hunk.line.is_empty() && self.hunk.last == Some(Tag::Removed)
    }

    /// In the first added line after removed ones: whether it is, up to its last byte, the first of these.
    pub(super) fn is_unchanged(&self) -> bool {
        let hunk = &self.hunk;
        self.at == At::Body(Tag::Added)
            && hunk.last == Some(Tag::Removed)
            && hunk.line.trim_ascii_end() == hunk.gone.trim_ascii_end()
    }

    /// Whether the new file goes on within brackets or a string, wherever it stands.
    fn in_brackets(&self) -> bool {
        let readings = self.hunk.places.iter().filter_map(|p| p.reading.as_ref());
        readings.into_iter().any(|r| r.is_open())
    }

    /// In an added line: what closes it.
    pub(super) fn closing(&self) -> Option<Vec<u8>> {
        let place = self.hunk.places.first()?;
        let added = self.at == At::Body(Tag::Added) && !self.hunk.line.trim_ascii().is_empty();
        added.then(|| place.reading.as_ref()?.closing()).flatten()
    }

    /// The bytes that may begin a line here.
    pub(super) fn signs(&self, job: &Job) -> Vec<u8> {
        if self.at != At::Sign {
            return Vec::new();
        }
        b" -+@"
            .iter()
            .copied()
            .filter(|b| self.clone().step(job, *b))
            .collect()
    }

    /// The bytes that must come next; none where there is a choice, or the text may end.
    pub(super) fn only(&self, job: &Job) -> Vec<u8> {
        match self.at {
            At::Header(i) => job.header.as_bytes()[i..].to_vec(),
            At::Mark(i) => MARK[i..].to_vec(),
            At::Sign if self.complete(job).is_some() => Vec::new(),
            At::Sign => Some(self.signs(job))
                .filter(|s| s.len() == 1)
                .unwrap_or_default(),
            At::Body(Tag::Added) => Vec::new(),
            At::Body(_) => {
                let mut lines = self.hunk.places.iter().map(|p| self.rest_of_line(job, p));
                let first = lines.next().unwrap_or_default();
                let same = lines.fold(first.len(), |n, l| {
                    first
                        .iter()
                        .zip(l)
                        .take(n)
                        .take_while(|(a, b)| a == b)
                        .count()
                });
                first[..same].to_vec()
            }
        }
    }

    fn rest_of_line<'a>(&self, job: &'a Job, place: &Place) -> &'a [u8] {
        job.lines
            .get(place.first + self.hunk.old)
            .map_or(&[], |l| &l.as_bytes()[self.hunk.line.len()..])
    }

    /// Takes a byte; `false`: it is not admitted, and the state is of no use any more.
    pub(super) fn step(&mut self, job: &Job, byte: u8) -> bool {
        match self.at {
            At::Header(i) => {
                self.at = if i + 1 < job.header.len() {
                    At::Header(i + 1)
                } else {
                    At::Mark(0)
                };
                job.header.as_bytes()[i] == byte
            }
            At::Mark(i) => {
                self.at = if i + 1 < MARK.len() {
                    At::Mark(i + 1)
                } else {
                    At::Sign
                };
                MARK[i] == byte
            }
            At::Sign => {
                let admitted = if byte == MARK[0] {
                    self.next_hunk(job)
                } else {
                    self.sign(job, byte)
                };
                self.complete = OnceCell::new();
                admitted
            }
            At::Body(tag) => {
                self.hunk.line.push(byte);
                let admitted = if tag == Tag::Added {
                    self.added_byte(job, byte)
                } else {
                    self.old_byte(job, byte)
                };
                admitted && (byte != b'\n' || self.end_line(job, tag))
            }
        }
    }

    /// Begins another hunk after the earliest place of this one.
    fn next_hunk(&mut self, job: &Job) -> bool {
        // A hunk needs a line that may be added, even one that only removes: see `sign`.
        if self.hunks >= job.options.max_hunks || self.added >= job.options.max_added {
            return false;
        }
        let Some((i, file)) = self.ending(job) else {
            return false;
        };
        let place = &self.hunk.places[i];
        let next = place.first + self.hunk.old;
        if job.kept[next..].iter().all(|kept| *kept) {
            return false;
        }
        let new = self.base.new.clone()
            + &job.lines[self.base.next..place.first].concat()
            + &String::from_utf8_lossy(&self.hunk.new);
        let reading = self.hunk.reading(place, &self.base).cloned();
        self.base = Arc::new(Base::new(job, new, next, file, reading));
        self.hunk = Hunk::new(next, job.lines.len());
        self.hunks += 1;
        self.at = At::Mark(1);
        true
    }

    /// Begins a line of the hunk.
    fn sign(&mut self, job: &Job, byte: u8) -> bool {
        let Some(tag) = Tag::of(byte) else {
            return false;
        };
        self.at = At::Body(tag);
        let (hunk, base, options) = (&mut self.hunk, &self.base, &job.options);
        let is_first = hunk.last.is_none();
        let allowed = match tag {
            Tag::Context => {
                let changed = usize::from(hunk.unchanged.is_some());
                hunk.context < options.max_context * (1 + changed)
            }
            // After the last line that may be added nothing can mend what is removed.
            Tag::Removed => {
                hunk.last != Some(Tag::Added)
                    && self.removed < options.max_removed
                    && self.added < options.max_added
            }
            Tag::Added => {
                let above = self.hunks == 1 && options.first.is_none();
                self.added < options.max_added && (!is_first || above)
            }
        };
        if !allowed {
            return false;
        }
        let mut places = std::mem::take(&mut hunk.places);
        if tag == Tag::Added && is_first {
            places.truncate(1); // the beginning of the file
        }
        if tag != Tag::Context {
            hunk.unchanged.get_or_insert(hunk.old);
        }
        places.retain_mut(|place| {
            let line = job.lines.get(place.first + hunk.old);
            let Some(reading) = hunk.reading(place, base) else {
                return false;
            };
            match tag {
                Tag::Removed => line.is_some() && !job.kept[place.first + hunk.old],
                Tag::Context if hunk.unchanged.is_none() => {
                    line.is_some()
                        && base.readings[place.first + hunk.old + 1 - base.next].is_some()
                }
                Tag::Context => {
                    let mut reading = Box::new(reading.clone());
                    let viable = line.is_some_and(|l| reading.push(l.as_bytes()));
                    place.reading = Some(reading);
                    viable
                }
                Tag::Added => {
                    place.reading = Some(Box::new(reading.clone()));
                    true
                }
            }
        });
        hunk.places = places;
        !hunk.places.is_empty()
    }

    /// A byte of a context or removed line, already in `hunk.line`.
    fn old_byte(&mut self, job: &Job, byte: u8) -> bool {
        let (old, at) = (self.hunk.old, self.hunk.line.len() - 1);
        self.hunk
            .places
            .retain(|p| job.lines[p.first + old].as_bytes().get(at) == Some(&byte));
        !self.hunk.places.is_empty()
    }

    /// A byte of an added line, already in `hunk.line`.
    fn added_byte(&mut self, job: &Job, byte: u8) -> bool {
        let line = &self.hunk.line;
        let length = line.len() - usize::from(byte == b'\n');
        if length > job.options.max_line
            || !is_text(line)
            || !job.options.rules.takes(&line[..line.len() - 1], byte)
        {
            return false;
        }
        // A second sign, as some write; no statement is of use that begins so.
        let signed = matches!(byte, b'+' | b'-') && line[..line.len() - 1].trim_ascii().is_empty();
        if signed && job.options.rules.is_python() && !self.in_brackets() {
            return false;
        }
        if byte == b'\n' && self.is_unchanged() {
            return false;
        }
        self.hunk
            .places
            .retain_mut(|p| p.reading.as_mut().is_some_and(|r| r.push(&[byte])));
        !self.hunk.places.is_empty()
    }

    /// Ends the line; its bytes suit every place left.
    fn end_line(&mut self, job: &Job, tag: Tag) -> bool {
        let hunk = &mut self.hunk;
        let line = std::mem::take(&mut hunk.line);
        hunk.context = if tag == Tag::Context {
            hunk.context + 1
        } else {
            0
        };
        if tag != Tag::Added {
            hunk.old += 1;
        }
        if tag != Tag::Removed {
            hunk.new.extend_from_slice(&line);
        } else if hunk.last != Some(Tag::Removed) {
            hunk.gone = line;
        }
        hunk.last = Some(tag);
        self.at = At::Sign;
        match tag {
            Tag::Context => true,
            Tag::Removed => {
                self.removed += 1;
                true
            }
            Tag::Added => {
                self.added += 1;
                self.added < job.options.max_added || self.complete(job).is_some()
            }
        }
    }
}
