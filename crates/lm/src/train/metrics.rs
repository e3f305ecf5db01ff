//! A training's course in a folder: TensorBoard's event files, and the same as lines of JSON in `metrics.jsonl`.

use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::supervised::Progress;
use crate::error::{Error, Fault};
use events::Events;

mod events;

const LINES: &str = "metrics.jsonl";

/// What is written after an update, under the same names as a line of JSON and as TensorBoard's scalars.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// Updates made; TensorBoard's step. Line 0 has the held-out loss before the first.
    pub update: u64,
    /// Tokens read in all.
    pub tokens: u64,
    /// Which reading of the examples this is, from 0.
    pub epoch: u64,
    /// The batch's loss before the update.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub loss: Option<f64>,
    /// The held-out loss, where it was measured after this update.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub held_out_loss: Option<f64>,
    /// The learning rate.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub rate: Option<f32>,
    /// The gradient's norm before clipping.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub norm: Option<f32>,
    /// Tokens a second since the training was started or resumed.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub tokens_per_second: Option<f64>,
    /// Seconds spent on the training.
    pub seconds: f64,
    /// When, in seconds since 1970.
    pub time: f64,
}

impl Line {
    fn of(progress: &Progress, time: f64) -> Self {
        Self {
            update: progress.place.updates,
            tokens: progress.place.tokens,
            epoch: progress.epoch,
            loss: Some(progress.loss),
            held_out_loss: progress.held_out,
            rate: Some(progress.rate),
            norm: Some(progress.norm),
            tokens_per_second: Some(progress.tokens_per_second),
            seconds: progress.place.seconds,
            time,
        }
    }

    /// Of the held-out loss before the first update.
    fn first(held_out_loss: f64, time: f64) -> Self {
        Self {
            update: 0,
            tokens: 0,
            epoch: 0,
            loss: None,
            held_out_loss: Some(held_out_loss),
            rate: None,
            norm: None,
            tokens_per_second: None,
            seconds: 0.0,
            time,
        }
    }

    /// The scalars, by TensorBoard's tags.
    fn scalars(&self) -> Vec<(&'static str, f32)> {
        let tokens = (self.update > 0).then_some(self.tokens as f32);
        let all = [
            ("loss/train", self.loss.map(|x| x as f32)),
            ("loss/held_out", self.held_out_loss.map(|x| x as f32)),
            ("rate", self.rate),
            ("norm", self.norm),
            ("tokens", tokens),
            (
                "tokens_per_second",
                self.tokens_per_second.map(|x| x as f32),
            ),
        ];
        all.into_iter()
            .filter_map(|(tag, value)| Some((tag, value?)))
            .collect()
    }
}

/// Writes a training's course. Every update is in the files when [`Metrics::write`] returns, so that a kill loses none.
///
/// A resumed training repeats the updates after its checkpoint. Its first one tells which: they are cut from `metrics.jsonl`,
/// and superseded in TensorBoard by a new event file that says from where on it counts. So a training from the
/// beginning in the same folder supersedes all of another.
#[derive(Debug)]
pub struct Metrics {
    folder: PathBuf,
    /// From the first update on.
    files: Option<(Events, File)>,
}

impl Metrics {
    /// Makes the folder where it does not exist; nothing else is written before the first update.
    ///
    /// # Errors
    /// `Error::Io` for a folder that may not be written, `Error::Training` for a `metrics.jsonl` that no training wrote.
    pub fn open(folder: &Path) -> Result<Self, Error> {
        fs::create_dir_all(folder).map_err(|e| Error::io(folder, "made", e))?;
        let path = folder.join(LINES);
        let file = lines(&path)?;
        let mut first = String::new();
        let read = BufReader::new(file).read_line(&mut first);
        let is_ours = match read {
            Ok(0) => true,
            Ok(_) => parse(first.as_bytes()).is_some() || !first.ends_with('\n'),
            Err(e) if e.kind() == ErrorKind::InvalidData => false,
            Err(e) => return Err(Error::io(&path, "read", e)),
        };
        if !is_ours {
            let problem = "is none that a training wrote, and would be lost";
            let fault = Fault::new(
                &path,
                "line 1",
                problem,
                "move the file, or give another folder",
            );
            return Err(Error::Training(fault));
        }
        Ok(Self {
            folder: folder.to_owned(),
            files: None,
        })
    }

    /// Writes what an observer of [`train`](super::supervised::train) is told.
    ///
    /// # Errors
    /// `Error::Io`.
    pub fn write(&mut self, progress: &Progress) -> Result<(), Error> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        self.write_at(progress, now.unwrap_or_default().as_secs_f64())
    }

    /// Writes numbers by name after an update, for an algorithm with numbers of its own. A name with a slash is a group and a name to TensorBoard.
    ///
    /// # Errors
    /// `Error::Io`.
    pub fn write_scalars(&mut self, update: u64, scalars: &[(&str, f64)]) -> Result<(), Error> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let time = now.unwrap_or_default().as_secs_f64();
        let named = scalars
            .iter()
            .map(|(name, value)| ((*name).to_owned(), json!(value)));
        let mut line: Map<String, Value> = named.collect();
        line.insert("update".to_owned(), json!(update));
        line.insert("time".to_owned(), json!(time));
        let scalars: Vec<(&str, f32)> = scalars.iter().map(|(n, x)| (*n, *x as f32)).collect();
        self.add(update, time, &[(&line, scalars)])
    }

    fn write_at(&mut self, progress: &Progress, time: f64) -> Result<(), Error> {
        let line = Line::of(progress, time);
        let before = (progress.place.first).filter(|_| line.update == 1);
        let before = before.map(|loss| Line::first(loss, time));
        let lines = before.iter().chain([&line]);
        let lines: Vec<_> = lines.map(|line| (line, line.scalars())).collect();
        self.add(line.update, time, &lines)
    }

    /// Adds lines of an update, the last of them, with their scalars.
    fn add(
        &mut self,
        update: u64,
        time: f64,
        lines: &[(&impl Serialize, Vec<(&str, f32)>)],
    ) -> Result<(), Error> {
        let path = self.folder.join(LINES);
        let (events, file) = match &mut self.files {
            Some(files) => files,
            none => {
                // Line 0 goes with the first update.
                let from = if update == 1 { 0 } else { update };
                let file = cut(&path, from)?;
                none.insert((Events::create(&self.folder, from, time)?, file))
            }
        };
        let before = lines.len() as u64 - 1;
        for (at, (line, scalars)) in (0..).zip(lines) {
            let mut text = serde_json::to_string(line).unwrap_or_default();
            text.push('\n');
            file.write_all(text.as_bytes())
                .map_err(|e| Error::io(&path, "written", e))?;
            events.write(update + at - before, time, scalars)?;
        }
        Ok(())
    }
}

/// The file of lines, to be read and added to.
fn lines(path: &Path) -> Result<File, Error> {
    let mut options = OpenOptions::new();
    let opened = options.create(true).read(true).append(true).open(path);
    opened.map_err(|e| Error::io(path, "written", e))
}

/// What every line has.
#[derive(Deserialize)]
struct Update {
    update: u64,
}

fn parse(line: &[u8]) -> Option<Update> {
    serde_json::from_slice(line).ok()
}

/// Cuts off the lines from an update on, and from one on that is not whole.
fn cut(path: &Path, from: u64) -> Result<File, Error> {
    let file = lines(path)?;
    let mut reader = BufReader::new(&file);
    let (mut kept, mut line) = (0, Vec::new());
    loop {
        line.clear();
        let read = reader.read_until(b'\n', &mut line);
        let length = read.map_err(|e| Error::io(path, "read", e))?;
        let whole = line.ends_with(b"\n");
        match parse(&line) {
            Some(found) if whole && found.update < from => kept += length as u64,
            _ => break,
        }
    }
    file.set_len(kept)
        .map_err(|e| Error::io(path, "written", e))?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::supervised::Place;

    fn progress(update: u64) -> Progress {
        Progress {
            place: Place {
                updates: update,
                tokens: 100 * update,
                first: Some(7.5),
                seconds: 0.5 * update as f64,
                ..Place::default()
            },
            total: 1000,
            epoch: 0,
            loss: 5.0 / update as f64,
            rate: 1e-3,
            norm: 0.25,
            held_out: update.is_multiple_of(2).then_some(4.0),
            tokens_per_second: 200.0,
            seconds_left: 1.0,
        }
    }

    fn written(folder: &Path) -> Vec<Line> {
        let text = fs::read_to_string(folder.join(LINES)).unwrap();
        let all = text.lines();
        all.map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    fn updates(folder: &Path) -> Vec<u64> {
        written(folder).iter().map(|line| line.update).collect()
    }

    #[test]
    fn a_line_an_update() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("a/b");
        let mut metrics = Metrics::open(&folder).unwrap();
        for update in 1..=3 {
            metrics.write_at(&progress(update), 1e9).unwrap();
        }
        let lines = written(&folder);
        assert_eq!(updates(&folder), [0, 1, 2, 3]);
        assert_eq!((lines[0].loss, lines[0].held_out_loss), (None, Some(7.5)));
        assert_eq!(lines[2], Line::of(&progress(2), 1e9));
        let text = fs::read_to_string(folder.join(LINES)).unwrap();
        let first = "{\"update\":1,\"tokens\":100,\"epoch\":0,\"loss\":5.0,\"rate\":0.001,\"norm\":0.25,\
                     \"tokens_per_second\":200.0,\"seconds\":0.5,\"time\":1000000000.0}";
        assert_eq!(text.lines().nth(1).unwrap(), first);
    }

    /// Updates that are made again stand once, after a line that was cut short too.
    #[test]
    fn a_resumed_training_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let files = |count| assert_eq!(fs::read_dir(folder).unwrap().count(), count);
        let mut metrics = Metrics::open(folder).unwrap();
        files(1);
        for update in 1..=6 {
            metrics.write_at(&progress(update), 1e9).unwrap();
        }
        files(2);
        let mut file = lines(&folder.join(LINES)).unwrap();
        file.write_all(b"{\"update\":7,\"tok").unwrap();
        let mut metrics = Metrics::open(folder).unwrap();
        assert_eq!(updates_whole(folder), [0, 1, 2, 3, 4, 5, 6]);
        metrics.write_at(&progress(4), 1e9).unwrap();
        metrics.write_at(&progress(5), 1e9).unwrap();
        assert_eq!(updates(folder), [0, 1, 2, 3, 4, 5]);
        files(3);
        let mut metrics = Metrics::open(folder).unwrap();
        metrics.write_at(&progress(1), 1e9).unwrap();
        assert_eq!(updates(folder), [0, 1]);
        files(4);
    }

    #[test]
    fn numbers_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let mut metrics = Metrics::open(folder).unwrap();
        for update in 1..=3 {
            let scalars = [("reward/flat", 0.5 * update as f64), ("kl", 1.0)];
            metrics.write_scalars(update, &scalars).unwrap();
        }
        let mut again = Metrics::open(folder).unwrap();
        again.write_scalars(3, &[("kl", 2.0)]).unwrap();
        let text = fs::read_to_string(folder.join(LINES)).unwrap();
        let lines: Vec<Value> = text
            .lines()
            .map(|l| serde_json::from_str(l).unwrap())
            .collect();
        assert_eq!(lines.len(), 3);
        assert_eq!(
            (&lines[1]["reward/flat"], &lines[1]["update"]),
            (&json!(1.0), &json!(2))
        );
        assert_eq!(lines[2]["kl"], 2.0);
    }

    fn updates_whole(folder: &Path) -> Vec<u64> {
        let text = fs::read_to_string(folder.join(LINES)).unwrap();
        let all = text.lines().filter_map(|line| parse(line.as_bytes()));
        all.map(|line| line.update).collect()
    }

    #[test]
    fn others_files_stay() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(LINES);
        for text in [&b"{\"loss\": 3}\n"[..], b"mine\n", b"\xff\xfe\n"] {
            fs::write(&path, text).unwrap();
            let error = Metrics::open(folder.path()).unwrap_err();
            assert!(matches!(error, Error::Training(_)), "{error}");
            assert!(
                error.to_string().contains("metrics.jsonl: line 1"),
                "{error}"
            );
            assert_eq!(fs::read(&path).unwrap(), text);
        }
        assert!(Metrics::open(&path).is_err());
        // What a kill cut short, and nothing at all, is ours.
        for text in ["", "{\"upd"] {
            fs::write(&path, text).unwrap();
            Metrics::open(folder.path()).unwrap();
        }
    }
}
