//! How a training is shown: what it takes, a bar on a terminal, lines of JSON elsewhere.

use std::io::IsTerminal;

use learn::Left;
use learn::course::Course;
use lm::train::Trainer;
use lm::train::supervised::Progress;
use serde_json::json;

use crate::meter::{Meter, size};
use crate::say;

/// Shows where a training stands.
pub struct Display {
    meter: Meter,
    held_out: Option<f64>,
}

impl Display {
    /// Says what the training will take, and begins. `what` are the texts: lessons, programs.
    pub fn begin(
        what: &str,
        course: &Course<'_>,
        held_out: usize,
        left: &Left,
        trainer: &dyn Trainer,
        seconds: f64,
        goes_on: bool,
    ) -> std::io::Result<Self> {
        let (texts, tokens) = (course.texts, course.tokens());
        let minutes = seconds / 60.0;
        let readings = tokens as f64 / course.epoch_tokens.max(1) as f64;
        if std::io::stdout().is_terminal() {
            say!("{what:<9} {texts} to learn, {held_out} held out; left out: {left}")?;
            say!(
                "model     {:.1} million numbers, {} learn; vocabulary {}; {}",
                course.config.parameters() as f64 / 1e6,
                trainer.parameters(),
                course.tokenizer.vocab_size(),
                trainer.arithmetic()
            )?;
            say!(
                "takes     {tokens} tokens ({readings:.1} readings of all), about {minutes:.1} minutes, {} of memory beside the {what}",
                size(course.bytes())
            )?;
            if goes_on {
                say!("goes on where it was interrupted")?;
            }
        } else {
            say!(
                "{}",
                json!({
                    "event": "begin", what: texts, "held_out": held_out, "left_out": left.to_string(),
                    "tokens": tokens, "readings": readings, "minutes": minutes, "bytes": course.bytes(),
                    "parameters": course.config.parameters(), "trained": trainer.parameters(),
                    "arithmetic": trainer.arithmetic(), "goes_on": goes_on,
                })
            )?;
        }
        let template = "{bar:30.green} {percent:>3}%  {elapsed_precise}, {msg}";
        Ok(Self {
            meter: Meter::new(Some(tokens), template),
            held_out: None,
        })
    }

    /// Shows a new state.
    pub fn update(&mut self, progress: &Progress) {
        let place = &progress.place;
        self.held_out = progress.held_out.or(self.held_out).or(place.first);
        let held_out = self
            .held_out
            .map_or_else(String::new, |loss| format!(" (held out {loss:.3})"));
        if let Some(bar) = self.meter.bar() {
            bar.set_position(place.tokens);
            bar.set_message(format!(
                "{:.0} s left  {:.0} tokens/s  loss {:.3}{held_out}  rate {:.1e}",
                progress.seconds_left, progress.tokens_per_second, progress.loss, progress.rate
            ));
        } else if self.meter.wants_line(progress.held_out.is_some()) {
            // Whoever reads may have gone; the training goes on.
            let _ = say!(
                "{}",
                json!({
                    "event": "progress", "updates": place.updates, "tokens": place.tokens, "total": progress.total,
                    "epoch": progress.epoch, "loss": progress.loss, "held_out": progress.held_out, "rate": progress.rate,
                    "norm": progress.norm, "tokens_per_second": progress.tokens_per_second,
                    "seconds_left": progress.seconds_left,
                })
            );
        }
    }

    /// Takes the bar away.
    pub fn finish(&self) {
        self.meter.finish();
    }
}
