//! How far something is: a bar on a terminal, lines elsewhere.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Between two lines where no terminal watches.
const QUIET: Duration = Duration::from_secs(10);

/// A bar where standard error is a terminal; where standard output is none either, the time for lines.
pub struct Meter {
    bar: Option<ProgressBar>,
    last_line: Instant,
}

impl Meter {
    /// One with a template of `indicatif`'s, to so much where that is known.
    pub fn new(length: Option<u64>, template: &str) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let style = ProgressStyle::with_template(template).expect("a valid template");
            ProgressBar::with_draw_target(length, ProgressDrawTarget::stderr_with_hz(5))
                .with_style(style)
        });
        Self {
            bar,
            last_line: Instant::now(),
        }
    }

    /// The bar, where there is one.
    pub fn bar(&self) -> Option<&ProgressBar> {
        self.bar.as_ref()
    }

    /// Whether a line is due: nobody watches, and some time has gone since the last, or this one is `urgent`.
    pub fn wants_line(&mut self, urgent: bool) -> bool {
        let due = self.bar.is_none()
            && !std::io::stdout().is_terminal()
            && (urgent || self.last_line.elapsed() >= QUIET);
        if due {
            self.last_line = Instant::now();
        }
        due
    }

    /// Takes the bar away.
    pub fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// Bytes as people say them.
pub fn size(bytes: u64) -> String {
    match bytes {
        0..1_000_000 => format!("{:.1} kB", bytes as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", bytes as f64 / 1e6),
        _ => format!("{:.2} GB", bytes as f64 / 1e9),
    }
}
