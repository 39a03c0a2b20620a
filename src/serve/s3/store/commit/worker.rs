//! The thread that commits.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};

use super::super::disk::sync_dir;
use super::super::error::StoreError;
use super::super::keeper::Chore;
use super::super::log::Segment;
use super::super::record::Record;
use super::super::shared::Shared;
use super::touch::Touched;
use super::{Batch, Touches};

/// Changes that may wait before those who bring more have to.
const QUEUE: usize = 1024;
/// A batch takes no more changes after so many bytes.
const BATCH_BYTES: usize = 4 << 20;

type Decide = Box<dyn FnOnce(&mut Batch) -> Option<Finish> + Send>;
type Finish = Box<dyn FnOnce(Result<(), StoreError>) + Send>;

/// A change: what it touches, and how it is decided. Gives what is to be done
/// after the sync, or nothing when it has answered already.
pub(in super::super) struct Job {
    touches: Touches,
    decide: Decide,
}

impl Job {
    /// A change, and where its answer comes.
    pub(in super::super) fn new<T: Send + 'static>(
        touches: Touches,
        decide: impl FnOnce(&mut Batch) -> Result<T, StoreError> + Send + 'static,
    ) -> (Self, oneshot::Receiver<Result<T, StoreError>>) {
        let (answer, receiver) = oneshot::channel();
        let decide = Box::new(move |batch: &mut Batch| match decide(batch) {
            Ok(value) => Some(Box::new(move |written: Result<(), StoreError>| {
                // Whoever asked may have gone; the change stays.
                let _ = answer.send(written.map(|()| value));
            }) as Finish),
            Err(error) => {
                let _ = answer.send(Err(error));
                None
            }
        });
        (Self { touches, decide }, receiver)
    }
}

/// Where changes are handed in.
#[derive(Clone, Debug)]
pub(in super::super) struct Submitter(mpsc::Sender<Job>);

impl Submitter {
    /// Has a change decided and made durable.
    pub(in super::super) async fn run<T: Send + 'static>(
        &self,
        touches: Touches,
        decide: impl FnOnce(&mut Batch) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (job, answer) = Job::new(touches, decide);
        self.0.send(job).await.map_err(|_| StoreError::Closed)?;
        answer.await.map_err(|_| StoreError::Closed)?
    }

    /// For the keeper, which must not keep the committer alive.
    pub(in super::super) fn downgrade(&self) -> mpsc::WeakSender<Job> {
        self.0.downgrade()
    }
}

/// The committing thread; ends when the last submitter is gone.
#[derive(Debug)]
pub(in super::super) struct Committer {
    thread: JoinHandle<()>,
}

impl Committer {
    /// Begins to commit after sequence number `seq`, into `segment`.
    pub(in super::super) fn start(
        shared: Arc<Shared>,
        segment: Arc<Segment>,
        seq: u64,
    ) -> Result<(Self, Submitter), StoreError> {
        let (sender, jobs) = mpsc::channel(QUEUE);
        let dir = shared.log_dir.clone();
        let mut worker = Worker {
            batch: Batch::new(shared, segment, seq),
            touched: Touched::default(),
            deferred: VecDeque::new(),
        };
        let thread = std::thread::Builder::new()
            .name("s3-commit".to_owned())
            .spawn(move || worker.run(jobs))
            .map_err(StoreError::io("start the committer of", dir))?;
        Ok((Self { thread }, Submitter(sender)))
    }

    /// Waits for the end.
    pub(in super::super) fn join(self) {
        // A panic was already told by the thread.
        let _ = self.thread.join();
    }
}

struct Worker {
    batch: Batch,
    touched: Touched,
    /// Changes that wait for one of an earlier batch, in their order.
    deferred: VecDeque<Job>,
}

impl Worker {
    fn run(&mut self, mut jobs: mpsc::Receiver<Job>) {
        let mut finishes = Vec::new();
        loop {
            self.touched.clear();
            self.rotate_when_full();
            for job in std::mem::take(&mut self.deferred) {
                self.take(job, &mut finishes);
            }
            if finishes.is_empty() && self.deferred.is_empty() {
                let Some(job) = jobs.blocking_recv() else { return };
                self.take(job, &mut finishes);
            }
            while self.batch.len() < BATCH_BYTES && self.deferred.len() < QUEUE {
                let Ok(job) = jobs.try_recv() else { break };
                self.take(job, &mut finishes);
            }
            self.write(&mut finishes);
        }
    }

    fn take(&mut self, job: Job, finishes: &mut Vec<Finish>) {
        if self.touched.admit(&job.touches) {
            finishes.extend((job.decide)(&mut self.batch));
        } else {
            self.deferred.push_back(job);
        }
    }

    /// Makes the batch durable, visible, and answers.
    fn write(&mut self, finishes: &mut Vec<Finish>) {
        let mut result = Ok(());
        if !self.batch.is_empty() {
            result = self.try_write();
            match &result {
                Ok(()) => {
                    let counters = &self.batch.shared.counters;
                    counters.commits.fetch_add(finishes.len() as u64, Ordering::Relaxed);
                    counters.batches.fetch_add(1, Ordering::Relaxed);
                    self.batch.apply();
                }
                Err(_) => self.batch.forget(),
            }
        }
        for finish in finishes.drain(..) {
            finish(match &result {
                Ok(()) => Ok(()),
                Err(error) => Err(again(error)),
            });
        }
    }

    fn try_write(&mut self) -> Result<(), StoreError> {
        self.batch.shared.bodies.check_writable()?;
        self.batch.write().map_err(|(error, unknown)| {
            if unknown {
                self.batch.shared.bodies.fail(format!("{error}: {}", cause(&error)));
            }
            error
        })
    }

    /// Goes on in a new segment. A failure is no harm: the next batch tries again.
    fn rotate_when_full(&mut self) {
        let full = self.batch.segment().size() >= self.batch.shared.segment_size;
        if full && self.batch.shared.bodies.failure().is_none() {
            let _ = self.rotate();
        }
    }

    fn rotate(&mut self) -> Result<(), StoreError> {
        let old = self.batch.segment().clone();
        // With relaxed durability, only the last segment may be torn.
        old.sync()?;
        let seq = self.batch.next_seq();
        let segment = self.batch.shared.new_segment(old.id() + 1, seq)?;
        self.batch.rotate(segment);
        let _ = self.batch.shared.keeper.send(Chore::Compact);
        Ok(())
    }
}

impl Shared {
    /// Makes a segment that begins with its own frame.
    pub(in super::super) fn new_segment(
        &self,
        id: u64,
        seq: u64,
    ) -> Result<Arc<Segment>, StoreError> {
        let segment = Segment::open(&self.log_dir, id)?;
        // Left by an attempt that failed.
        if segment.size() > 0 {
            segment.truncate(0)?;
        }
        let mut bytes = Vec::new();
        super::super::log::encode(&mut bytes, 0, seq, &Record::Segment.to_bytes()?, &Bytes::new());
        segment.append(&bytes).map_err(|(error, _)| error)?;
        if self.bodies.durable() {
            segment.sync()?;
            sync_dir(&self.log_dir)?;
        }
        let segment = Arc::new(segment);
        self.segments.add(segment.clone());
        Ok(segment)
    }
}

/// The same error for another one who waits.
fn again(error: &StoreError) -> StoreError {
    match error {
        StoreError::Io { action, path, source } => {
            let source = match source.raw_os_error() {
                Some(code) => std::io::Error::from_raw_os_error(code),
                None => source.kind().into(),
            };
            StoreError::Io { action, path: path.clone(), source }
        }
        other => StoreError::ReadOnly(other.to_string()),
    }
}

fn cause(error: &StoreError) -> String {
    std::error::Error::source(error).map(ToString::to_string).unwrap_or_default()
}
