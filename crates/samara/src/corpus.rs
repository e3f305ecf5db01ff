//! `samara corpus`: changes of Python files out of git histories.

use std::collections::BTreeMap;
use std::path::PathBuf;

use ::corpus::{Commit, Progress, Repository, Settings, Tally, read};
use anyhow::anyhow;
use evolve::export::unwritable;
use learn::record::{Row, Writer, Written};
use mutate::diff::Frame;
use mutate::settings::section;
use serde_json::json;
use table::{Column, Get};

use crate::cli::CorpusArgs;
use crate::figures::corpus::{Change, Page, Source, page};
use crate::meter::Meter;
use crate::study::{check_new, put, write};
use crate::terminal::{complain, shown};
use crate::train::beside;
use crate::{Done, Failure, say, settings};

/// Changes shown on the page.
const SHOWN: usize = 24;
/// Words at subjects' beginnings shown on the page.
const VERBS: usize = 16;

/// What the page says of the changes, gathered while they pass.
#[derive(Default)]
struct About {
    /// Changes by how many lines they remove and add.
    lines: BTreeMap<usize, u64>,
    /// Changes by the word that their subject begins with.
    verbs: BTreeMap<String, u64>,
    /// Those with the smallest hashes: a sample that is the same for the same commits.
    shown: BTreeMap<String, Commit>,
}

impl About {
    fn add(&mut self, commit: &Commit) {
        let lesson = &commit.lesson;
        let diff = edit::diff::Diff::between(&lesson.parent, &lesson.child, 0);
        let changed = diff.hunks.iter().map(|hunk| hunk.lines.len()).sum();
        *self.lines.entry(changed).or_default() += 1;
        let told = lesson.told.as_deref().unwrap_or_default();
        let verb = told.split(' ').next().unwrap_or_default();
        *self.verbs.entry(verb.to_owned()).or_default() += 1;
        let last = self.shown.last_key_value().map(|(key, _)| key.clone());
        if self.shown.len() < SHOWN || last.is_some_and(|last| commit.commit < last) {
            self.shown.insert(commit.commit.clone(), commit.clone());
            if self.shown.len() > SHOWN {
                self.shown.pop_last();
            }
        }
    }
}

/// Reads the histories and writes `commits.parquet`, `commits.jsonl`, `corpus.json` and `corpus.html` into a new folder.
pub fn corpus(args: &CorpusArgs) -> Done {
    let repositories = open(args)?;
    check_new(&args.output)?;
    let part = beside(&args.output, "part");
    let _ = std::fs::remove_dir_all(&part);
    let kept = Settings {
        max_lines: args.max_lines,
        window: args.window,
        per_repository: args.per_repository,
        threads: args.threads.unwrap_or_default(),
    };
    let mut table = settings::defaults();
    settings::set(&mut table, "diff.max_lines", args.max_lines as i64);
    let frame = Frame::new(&section(&table, "diff")?, &section(&table, "brief")?);
    let more: Vec<Column<Row<Commit>>> = vec![
        Column::new("repository", Get::Text(|row| Some(&row.item.lesson.source))),
        Column::new("commit", Get::Text(|row| Some(&row.item.commit))),
        Column::new("licence", Get::Text(|row| Some(&row.item.licence))),
        Column::new("time", Get::Int(|row| Some(row.item.time))),
        Column::new("lines", Get::Int(|row| Some(row.item.lines as i64))),
    ];
    let mut writer = Writer::create(&part, "commits", frame, 0, more).map_err(unwritable)?;
    let mut about = About::default();
    let template = "{msg} {wide_bar} {percent} % {pos}/{len} commits, {per_sec}, {eta} left";
    let mut meter = Meter::new(None, template);
    let mut observe = |progress: Progress<'_>| {
        let name = shown(progress.repository);
        let text = format!(
            "{} of {}, {name}: {} changes",
            progress.number + 1,
            repositories.len(),
            progress.kept
        );
        if let Some(bar) = meter.bar() {
            bar.set_length(progress.commits);
            bar.set_position(progress.done);
            bar.set_message(text);
        } else if meter.wants_line(false) {
            let line = json!({
                "event": "read", "repository": progress.repository, "commits": progress.done,
                "of": progress.commits, "changes": progress.kept,
            });
            let _ = say!("{line}");
        }
    };
    let tallies = read(&repositories, &kept, &mut observe, &mut |commit| {
        let copy = commit.clone();
        if writer.push(commit).map_err(unwritable)? {
            about.add(&copy);
        }
        Ok::<_, evolve::Error>(())
    });
    meter.finish();
    let (tallies, written) = (tallies?, writer.close().map_err(unwritable)?);
    if written.lessons == 0 {
        let _ = std::fs::remove_dir_all(&part);
        return Err(nothing(&tallies));
    }
    let described = describe(args, &repositories, &tallies, &written);
    let html = shown(&page(&whole(&repositories, &tallies, &about, &written)));
    for (name, text) in [("corpus.json", described + "\n"), ("corpus.html", html)] {
        write(&part.join(name), text.as_bytes())?;
    }
    let files = [
        "commits.parquet",
        "commits.jsonl",
        "corpus.json",
        "corpus.html",
    ];
    put(&part, &args.output, &files)?;
    let commits: u64 = tallies.iter().map(|tally| tally.read).sum();
    let many = |n: u64, one: &str, more: &str| format!("{n} {}", if n == 1 { one } else { more });
    say!(
        "{} of {}, from {}",
        many(written.lessons, "change", "changes"),
        many(commits, "commit", "commits"),
        many(repositories.len() as u64, "repository", "repositories")
    )?;
    Ok(())
}

/// All repositories, or what is wrong with those that cannot serve.
fn open(args: &CorpusArgs) -> Result<Vec<Repository>, Failure> {
    let mut licences: BTreeMap<PathBuf, &str> = BTreeMap::new();
    for typed in &args.licence {
        let (path, name) = typed
            .rsplit_once('=')
            .filter(|(_, name)| !name.is_empty())
            .ok_or_else(|| {
                Failure::usage(anyhow!(
                    "--licence {typed}: give REPOSITORY=NAME, such as path/to/it=MIT"
                ))
            })?;
        licences.insert(PathBuf::from(path), name);
    }
    if let Some(path) = licences
        .keys()
        .find(|path| !args.repositories.contains(path))
    {
        return Err(Failure::usage(anyhow!(
            "--licence {}: is none of the repositories that are given",
            path.display()
        )));
    }
    let (mut fit, mut unfit) = (Vec::new(), Vec::new());
    for (i, path) in args.repositories.iter().enumerate() {
        if args.repositories[..i].contains(path) {
            return Err(Failure::usage(anyhow!(
                "{}: is given twice; give each repository once",
                path.display()
            )));
        }
        match Repository::open(path, licences.get(path).copied(), args.any_licence) {
            Ok(repository) => fit.push(repository),
            Err(why) => unfit.push(why.to_string()),
        }
    }
    if fit.is_empty() {
        return Err(Failure::usage(anyhow!("{}", unfit.join("\n"))));
    }
    if !unfit.is_empty() && !args.skip {
        let all = unfit.join("\n");
        let why = anyhow!("{all}\nor leave out those that cannot serve: --skip");
        return Err(Failure::usage(why));
    }
    for why in unfit {
        complain(&format!("samara: left out: {why}"));
    }
    Ok(fit)
}

/// No change was kept: says what became of the commits.
fn nothing(tallies: &[Tally]) -> Failure {
    let all = sum(tallies);
    let most = all.each().max_by_key(|(_, count)| *count);
    let most = most.map_or_else(String::new, |(why, count)| {
        format!(", {count} of them: {why}")
    });
    anyhow!("no change to learn from in {} commits{most}; give repositories with more Python, or raise --max-lines", all.read).into()
}

fn sum(tallies: &[Tally]) -> Tally {
    let mut all = Tally::default();
    tallies.iter().for_each(|tally| all.add(tally));
    all
}

/// All that was left out, by reason: commits, and changes that cannot be written as a short diff.
fn left_out(tallies: &[Tally], written: &Written) -> Vec<(String, u64)> {
    let all = sum(tallies);
    let commits = all.each().map(|(why, count)| (why.to_string(), count));
    let changes = written.left.iter();
    commits
        .chain(changes.map(|(why, count)| (why.to_string(), count)))
        .collect()
}

/// What the corpus was made of, as JSON.
fn describe(
    args: &CorpusArgs,
    repositories: &[Repository],
    tallies: &[Tally],
    written: &Written,
) -> String {
    let left = |tally: &Tally| -> BTreeMap<String, u64> {
        tally
            .each()
            .map(|(why, count)| (why.to_string(), count))
            .collect()
    };
    let each: Vec<_> = repositories.iter().zip(tallies).map(|(repository, tally)| {
        json!({
            "name": repository.name(), "path": repository.path().display().to_string(), "head": repository.tip(), "licence": repository.licence(),
            "commits": tally.read, "changes": tally.kept, "left_out": left(tally),
        })
    }).collect();
    let left_out: BTreeMap<String, u64> = left_out(tallies, written).into_iter().collect();
    let all = json!({
        "samara": env!("CARGO_PKG_VERSION"),
        "settings": { "max_lines": args.max_lines, "window": args.window, "per_repository": args.per_repository },
        "changes": written.lessons, "left_out": left_out, "repositories": each,
    });
    serde_json::to_string_pretty(&all).expect("plain data")
}

/// The page's contents.
fn whole(repositories: &[Repository], tallies: &[Tally], about: &About, written: &Written) -> Page {
    let all = sum(tallies);
    let mut verbs: Vec<(String, u64)> = about
        .verbs
        .iter()
        .map(|(verb, count)| (verb.clone(), *count))
        .collect();
    verbs.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    verbs.truncate(VERBS);
    Page {
        commits: all.read,
        changes: written.lessons,
        left: left_out(tallies, written),
        lines: about
            .lines
            .iter()
            .map(|(lines, count)| (lines.to_string(), *count))
            .collect(),
        verbs,
        sources: repositories
            .iter()
            .zip(tallies)
            .map(|(repository, tally)| Source {
                name: repository.name().to_owned(),
                licence: repository.licence().to_owned(),
                commits: tally.read,
                changes: tally.kept,
            })
            .collect(),
        shown: about
            .shown
            .values()
            .map(|commit| Change {
                subject: commit.lesson.told.clone().unwrap_or_default(),
                file: commit.lesson.file.clone().unwrap_or_default(),
                repository: commit.lesson.source.clone(),
                commit: commit.commit.chars().take(12).collect(),
                licence: commit.licence.clone(),
                before: commit.lesson.parent.clone(),
                after: commit.lesson.child.clone(),
            })
            .collect(),
    }
}
