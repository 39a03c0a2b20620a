//! Events as lines, for logs and CI: each with the time since the start.
//!
//! Owns the wording of lines.

use std::time::{Duration, Instant};

use crate::report::event::Event;

/// Progress of one step is told at most this often.
const PROGRESS_PAUSE: Duration = Duration::from_secs(2);

/// Turns events into lines.
#[derive(Debug)]
pub(super) struct Lines {
    start: Instant,
    last_progress: Option<Instant>,
}

impl Default for Lines {
    fn default() -> Self {
        Self { start: Instant::now(), last_progress: None }
    }
}

impl Lines {
    /// The line for an event, when it deserves one.
    pub(super) fn line(&mut self, event: &Event) -> Option<String> {
        let text = match event {
            Event::Started { title } => title.clone(),
            Event::StepStarted { step, title } if step.ends_with(title) => format!("… {step}"),
            Event::StepStarted { step, title } => format!("… {step}: {title}"),
            Event::StepProgress { step, text } => {
                let now = Instant::now();
                if self.last_progress.is_some_and(|last| now - last < PROGRESS_PAUSE) {
                    return None;
                }
                self.last_progress = Some(now);
                format!("  {step}: {text}")
            }
            Event::StepDone { step, detail, took } => {
                let detail = if detail.is_empty() { String::new() } else { format!(", {detail}") };
                format!("✓ {step} ({:.1}s{detail})", took.as_secs_f64())
            }
            Event::Kept { what } => format!("= {what}"),
            Event::StepFailed { step, message, took } => {
                format!("✗ {step} ({:.1}s): {message}", took.as_secs_f64())
            }
            Event::Note { text } => text.clone(),
            Event::Warning { text } => format!("! {text}"),
            // It is data.
            Event::Line { .. } => return None,
        };
        Some(format!("[{:6.1}s] {text}\n", self.start.elapsed().as_secs_f64()))
    }
}
