//! What happens, as data. Everything that wants to be seen becomes an event.
//!
//! Owns the event types and the sender. Must not print.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::Serialize;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// One thing that happened.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// A command began.
    Started {
        /// What is being done, for a heading.
        title: String,
    },
    /// A step began.
    StepStarted {
        /// Name of the step, unique within the run.
        step: String,
        /// What it does, for people.
        title: String,
    },
    /// A step has something to say about where it is.
    StepProgress {
        /// Name of the step.
        step: String,
        /// Where it is.
        text: String,
    },
    /// A step ended well.
    StepDone {
        /// Name of the step.
        step: String,
        /// What it did or found, in a few words; may be empty.
        detail: String,
        /// How long it took.
        #[serde(rename = "seconds", serialize_with = "seconds")]
        took: Duration,
    },
    /// Something was already as it should be, so no step was needed.
    Kept {
        /// What was kept.
        what: String,
    },
    /// A step failed.
    StepFailed {
        /// Name of the step.
        step: String,
        /// One line of what failed.
        message: String,
        /// How long it took.
        #[serde(rename = "seconds", serialize_with = "seconds")]
        took: Duration,
    },
    /// Something to tell that is no failure.
    Note {
        /// The text.
        text: String,
    },
    /// Something that may surprise later.
    Warning {
        /// The text.
        text: String,
    },
    /// One line of data, out as soon as it is there.
    Line {
        /// The line, without its end.
        text: String,
        /// Given back when the line is out, where lines may come faster than they are taken.
        #[serde(skip)]
        turn: Option<Arc<OwnedSemaphorePermit>>,
    },
}

fn seconds<S: serde::Serializer>(took: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64((took.as_secs_f64() * 1000.0).round() / 1000.0)
}

/// Sends events to the reporter; cheap to clone. Sending never fails and never blocks.
#[derive(Debug, Clone)]
pub struct Events(UnboundedSender<Event>);

impl Events {
    /// Makes a sender and the receiver that the reporter drains.
    #[must_use]
    pub fn channel() -> (Self, UnboundedReceiver<Event>) {
        let (sender, receiver) = unbounded_channel();
        (Self(sender), receiver)
    }

    /// Sends one event. An absent reporter is no reason to fail.
    pub fn send(&self, event: Event) {
        let _ = self.0.send(event);
    }

    /// Tells something that is no failure.
    pub fn note(&self, text: impl Into<String>) {
        self.send(Event::Note { text: text.into() });
    }

    /// Tells something that may surprise later.
    pub fn warn(&self, text: impl Into<String>) {
        self.send(Event::Warning { text: text.into() });
    }

    /// Sends one line of data.
    pub fn line(&self, text: impl Into<String>) {
        self.send(Event::Line { text: text.into(), turn: None });
    }

    /// Says that something was already as it should be.
    pub fn kept(&self, what: impl Into<String>) {
        self.send(Event::Kept { what: what.into() });
    }

    /// Begins a step and returns what reports its progress and end.
    #[must_use]
    pub fn step(&self, step: impl Into<String>, title: impl Into<String>) -> StepEvents {
        let step = step.into();
        self.send(Event::StepStarted { step: step.clone(), title: title.into() });
        StepEvents { events: self.clone(), step, since: Instant::now() }
    }
}

/// The events of one running step.
#[derive(Debug, Clone)]
pub struct StepEvents {
    events: Events,
    step: String,
    since: Instant,
}

impl StepEvents {
    /// Says where the step is.
    pub fn progress(&self, text: impl Into<String>) {
        self.events.send(Event::StepProgress { step: self.step.clone(), text: text.into() });
    }

    /// Tells something that is no failure, outside the step's own line.
    pub fn note(&self, text: impl Into<String>) {
        self.events.note(text);
    }

    /// Tells something that may surprise later.
    pub fn warn(&self, text: impl Into<String>) {
        self.events.warn(text);
    }

    /// How long the step has been running.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.since.elapsed()
    }

    /// Ends the step well.
    pub fn done(&self, detail: impl Into<String>) {
        self.events.send(Event::StepDone {
            step: self.step.clone(),
            detail: detail.into(),
            took: self.elapsed(),
        });
    }

    /// Ends the step badly.
    pub fn failed(&self, message: impl Into<String>) {
        self.events.send(Event::StepFailed {
            step: self.step.clone(),
            message: message.into(),
            took: self.elapsed(),
        });
    }
}
