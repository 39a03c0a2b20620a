//! Events as a live tree on a terminal: running steps at the bottom, finished ones above.
//!
//! Owns spinners and colours. Nothing is told by colour alone.

use std::collections::HashMap;
use std::time::Duration;

use console::style;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use crate::report::event::Event;

/// The live tree.
#[derive(Debug, Default)]
pub(super) struct Tree {
    bars: MultiProgress,
    running: HashMap<String, (ProgressBar, String)>,
}

impl Tree {
    /// Shows one event.
    pub(super) fn show(&mut self, event: &Event) {
        match event {
            Event::Started { title } => self.line(&style(title).bold().to_string()),
            Event::StepStarted { step, title } => {
                let bar = self.bars.add(ProgressBar::new_spinner());
                if let Ok(look) =
                    ProgressStyle::with_template("{spinner} {prefix} {msg:.dim} {elapsed:.dim}")
                {
                    bar.set_style(look);
                }
                bar.set_prefix(title.clone());
                bar.enable_steady_tick(Duration::from_millis(100));
                self.running.insert(step.clone(), (bar, title.clone()));
            }
            Event::StepProgress { step, text } => {
                if let Some((bar, _)) = self.running.get(step) {
                    bar.set_message(text.clone());
                }
            }
            Event::StepDone { step, detail, took } => {
                let title = self.take(step);
                let took = format!("{:.1}s", took.as_secs_f64());
                let mark = style("✓").green();
                let rest = [detail.as_str(), &took].join(" ");
                self.line(&format!("{mark} {title} {}", style(rest.trim_start()).dim()));
            }
            Event::Kept { what } => self.line(&format!("{} {what}", style("=").dim())),
            Event::StepFailed { step, message, took } => {
                let title = self.take(step);
                let took = format!("{:.1}s", took.as_secs_f64());
                self.line(&format!(
                    "{} {title}: {message} {}",
                    style("✗").red(),
                    style(took).dim()
                ));
            }
            Event::Note { text } => self.line(text),
            Event::Warning { text } => self.line(&format!("{} {text}", style("!").yellow())),
            // It is data.
            Event::Line { .. } => {}
        }
    }

    /// Leaves the terminal tidy: steps that were stopped leave no spinner behind.
    pub(super) fn end(&mut self) {
        for (_, (bar, _)) in self.running.drain() {
            bar.finish_and_clear();
        }
    }

    fn take(&mut self, step: &str) -> String {
        match self.running.remove(step) {
            Some((bar, title)) => {
                bar.finish_and_clear();
                title
            }
            None => step.to_owned(),
        }
    }

    fn line(&self, text: &str) {
        // The terminal went away: nobody is left to tell.
        let _ = self.bars.println(text);
    }
}
