//! What stands beside a trained model: for people in `README.md`, for programs in `card.json`.

use std::io::IsTerminal;
use std::path::Path;

use learn::course::Course;
use learn::operator::Settings;
use learn::{Left, trial};
use lm::train::supervised::Trained;
use mutate::{Shares, diff};
use serde_json::{Value, json};

use super::Trial;
use super::source::Source;
use crate::cli::TrainOperatorArgs;
use crate::{Failure, say};

/// A trained operator.
pub struct Card<'a> {
    pub args: &'a TrainOperatorArgs,
    pub sources: &'a [Source],
    pub settings: &'a Settings,
    pub course: &'a Course<'a>,
    pub left: &'a Left,
    pub trained: &'a Trained,
    pub arithmetic: String,
    /// The base's sum.
    pub base: Option<String>,
    pub parameters: u64,
    pub seconds: f64,
    pub trial: Option<Trial>,
}

impl Card<'_> {
    fn value(&self) -> Value {
        let Self { args, course, .. } = self;
        let place = &self.trained.place;
        let sources = self.sources.iter();
        let sources: Vec<_> = sources
            .map(|source| json!({"path": source.path, "weight": source.weight}))
            .collect();
        json!({
            "task": diff::TASK,
            "samara": env!("CARGO_PKG_VERSION"),
            "sources": sources,
            "lessons": course.texts,
            "left_out": self.left.to_string(),
            "base": self.base.as_ref().map(|sum| json!({"name": args.base, "sha256": sum})),
            "settings": self.settings,
            "training": course.training,
            "arithmetic": self.arithmetic,
            "parameters": course.config.parameters(),
            "trained": self.parameters,
            "tokens": place.tokens,
            "updates": place.updates,
            "ended": self.trained.ended,
            "held_out_loss": {"before": place.first, "after": place.best},
            "seconds": self.seconds,
            "trial": self.trial.as_ref().map(|trial| json!({
                "parents": trial.parents, "held": trial.held, "free": trial.free,
            })),
        })
    }

    /// Writes both into the model's folder.
    pub fn write(&self, folder: &Path) -> Result<(), Failure> {
        let json = serde_json::to_string_pretty(&self.value()).expect("plain data") + "\n";
        lm::write_card(folder, &self.text(), &json)?;
        Ok(())
    }

    /// The card for people.
    fn text(&self) -> String {
        let Self { args, course, .. } = self;
        let place = &self.trained.place;
        let loss = |loss: Option<f64>| loss.map_or_else(|| "-".to_owned(), |x| format!("{x:.3}"));
        let sources: String = (self.sources.iter())
            .map(|source| format!("- `{}`, weight {}\n", source.path.display(), source.weight))
            .collect();
        let from = match &args.preset {
            Some(preset) => format!("scratch, size {preset}"),
            None => format!("`{}`", args.base),
        };
        let trial = self.trial.as_ref().map_or_else(String::new, trial_table);
        format!(
            "# A mutation operator\n\n\
             Trained by samara {} from {from}. It writes unified diffs of Python programs:\n\n\
             ```\nsamara evolve --operator diff --model {}\n```\n\n\
             ## Lessons\n\n{} changes of programs; left out: {}.\n\n{sources}\n\
             ## Training\n\n\
             {} tokens in {} updates, highest rate {}, seed {}; {}. Loss of a diff's token on programs held out: {} before, {} after.\n\
             {trial}",
            env!("CARGO_PKG_VERSION"),
            args.output.display(),
            course.texts,
            self.left,
            place.tokens,
            place.updates,
            course.training.rate,
            self.settings.seed,
            self.arithmetic,
            loss(place.first),
            loss(place.best),
        )
    }

    /// Prints what came of it.
    pub fn say(&self) -> std::io::Result<()> {
        let folder = self.args.output.display();
        if !std::io::stdout().is_terminal() {
            let mut value = self.value();
            value["event"] = "done".into();
            value["model"] = folder.to_string().into();
            return say!("{value}");
        }
        let place = &self.trained.place;
        if let (Some(before), Some(after)) = (place.first, place.best) {
            say!(
                "loss      {before:.3} before, {after:.3} after, of a diff's token on programs held out"
            )?;
        }
        if let Some(trial) = &self.trial {
            say!("guided    {}", trial::told(trial.held))?;
            say!("free      {}", trial::told(trial.free))?;
        }
        say!(
            "written   {folder} in {:.0} s; use it with: samara evolve --operator diff --model {folder}",
            self.seconds
        )
    }
}

/// Shares of a trial as a table in Markdown, by what `of` are.
pub fn table(of: &str, rows: [(&str, Shares); 2]) -> String {
    let row = |(name, shares): (&str, Shares)| {
        let percent = shares.percent().map(|share| format!("{share:.1} %"));
        let cells = percent.join(" | ");
        format!("| {name} | {} | {cells} |\n", shares.children)
    };
    format!(
        "| | {of} | valid | runnable | accepted | unique |\n| --- | ---: | ---: | ---: | ---: | ---: |\n{}",
        rows.map(row).concat()
    )
}

fn trial_table(trial: &Trial) -> String {
    let rows = [("held to what applies", trial.held), ("free", trial.free)];
    format!(
        "\n## Trial\n\n\
         Children of {} programs held out; accepted by a map that holds these programs alone.\n\n{}",
        trial.parents,
        table("children", rows)
    )
}
