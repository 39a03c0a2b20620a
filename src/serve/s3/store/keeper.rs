//! The thread that keeps the folder small: removes files of bodies that nothing
//! holds any more, and compacts the log.
//!
//! Compaction takes the oldest segment, has the committer write what still
//! matters of it once more at the end of the log, and removes it. As it is
//! always the oldest one, no older record can come to life again when a record
//! of a deletion goes; the folder is synced after each removal so that segments
//! also vanish in this order.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::thread::JoinHandle;

use bytes::Bytes;
use tokio::sync::mpsc::WeakSender;

use super::body::BodyFile;
use super::commit::{Batch, Job, Touches};
use super::disk;
use super::error::StoreError;
use super::log::{Frame, Frames, Segment};
use super::record::Record;
use super::shared::Shared;
use super::sync::read;

/// Bytes of records that are on their way at once.
const GROUP_BYTES: usize = 1 << 20;
/// The log may have so many segments more than twice of what matters.
const SLACK_SEGMENTS: u64 = 2;

/// Something to be done in the background.
#[derive(Debug)]
pub(super) enum Chore {
    /// Remove the file of a body.
    Remove(PathBuf),
    /// Look whether the log has grown too large.
    Compact,
    /// The store is being closed.
    Stop,
}

/// The background thread.
#[derive(Debug)]
pub(super) struct Keeper {
    thread: JoinHandle<()>,
}

impl Keeper {
    pub(super) fn start(
        shared: Arc<Shared>,
        chores: Receiver<Chore>,
        committer: WeakSender<Job>,
    ) -> Result<Self, StoreError> {
        let dir = shared.log_dir.clone();
        let work = Work { shared, chores, committer, stopped: false };
        let thread = std::thread::Builder::new()
            .name("s3-keep".to_owned())
            .spawn(move || work.run())
            .map_err(StoreError::io("start the keeper of", dir))?;
        Ok(Self { thread })
    }

    /// Waits for the end, which [`Chore::Stop`] brings.
    pub(super) fn join(self) {
        // A panic was already told by the thread.
        let _ = self.thread.join();
    }
}

/// What the thread does.
struct Work {
    shared: Arc<Shared>,
    chores: Receiver<Chore>,
    committer: WeakSender<Job>,
    stopped: bool,
}

impl Work {
    fn run(mut self) {
        while !self.stopped
            && let Ok(chore) = self.chores.recv()
        {
            match chore {
                // A file that stays is removed at the next start.
                Chore::Remove(path) => drop(disk::remove(&path)),
                // What could not be compacted is tried again after the next segment;
                // damage is told when it is read.
                Chore::Compact => drop(self.compact()),
                Chore::Stop => self.stopped = true,
            }
        }
    }

    /// Does what waits and need not wait for the end of compaction.
    fn tidy(&mut self) -> Result<(), StoreError> {
        while let Ok(chore) = self.chores.try_recv() {
            match chore {
                Chore::Remove(path) => drop(disk::remove(&path)),
                // It goes on until the log is small enough.
                Chore::Compact => {}
                Chore::Stop => self.stopped = true,
            }
        }
        if self.stopped { Err(StoreError::Closed) } else { Ok(()) }
    }

    /// Compacts until the log is small enough.
    fn compact(&mut self) -> Result<(), StoreError> {
        let shared = self.shared.clone();
        loop {
            let (bytes, live, _) = shared.segments.sums();
            if bytes <= 2 * live + SLACK_SEGMENTS * shared.segment_size {
                return Ok(());
            }
            let Some(segment) = shared.segments.oldest_finished() else { return Ok(()) };
            self.move_out(&segment)?;
            disk::remove(segment.path())?;
            disk::sync_dir(&shared.log_dir)?;
            // As long as it may be there it is the oldest one: were a later one removed
            // first, the log would have a gap.
            shared.segments.remove(segment.id());
        }
    }

    /// Writes all that matters of a segment once more.
    fn move_out(&mut self, segment: &Arc<Segment>) -> Result<(), StoreError> {
        let mut frames = Frames::new(segment.clone(), 0);
        loop {
            let mut answers = Vec::new();
            let mut bytes = 0;
            while bytes < GROUP_BYTES {
                let frame = match frames.next()? {
                    None => break,
                    Some(Ok(frame)) => frame,
                    Some(Err(reason)) => return Err(frames.damaged(reason)),
                };
                bytes += frame.head.len() + frame.body.len();
                let Some((job, answer)) = job(&self.shared, segment, frame, &frames)? else {
                    continue;
                };
                let sender = self.committer.upgrade().ok_or(StoreError::Closed)?;
                sender.blocking_send(job).map_err(|_| StoreError::Closed)?;
                answers.push(answer);
            }
            if bytes == 0 {
                return Ok(());
            }
            for answer in answers {
                answer.blocking_recv().map_err(|_| StoreError::Closed)??;
            }
            self.tidy()?;
        }
    }
}

type Move = (Job, tokio::sync::oneshot::Receiver<Result<(), StoreError>>);

/// What writes the record of a frame once more; nothing for records that only
/// take something away, and for those whose bucket is gone.
fn job(
    shared: &Shared,
    segment: &Segment,
    frame: Frame,
    frames: &Frames,
) -> Result<Option<Move>, StoreError> {
    let record = Record::parse(&frame.head).map_err(|error| frames.damaged(&error.to_string()))?;
    let Some(touches) = touches(shared, &record) else { return Ok(None) };
    let (segment, offset) = (segment.id(), frame.offset);
    let body = Bytes::from(frame.body);
    Ok(Some(Job::new(touches, move |batch: &mut Batch| {
        match claims(&batch.shared, &record, segment, offset) {
            Some(files) => batch.commit(record, body, files),
            None => Ok(()),
        }
    })))
}

/// What a record is of, exactly as the changes of clients say it.
fn touches(shared: &Shared, record: &Record) -> Option<Touches> {
    let id = match record {
        Record::Segment
        | Record::DropBucket { .. }
        | Record::DropVersion { .. }
        | Record::DropUpload { .. } => return None,
        Record::Bucket(record) => record.id,
        Record::Version(record) => record.bucket,
        Record::Upload(record) => record.bucket,
        Record::Part(record) => record.bucket,
    };
    let state = shared.catalog.by_id(id)?.state()?;
    let bucket = &state.info.name;
    Some(match record {
        Record::Version(record) => Touches::version(bucket, &record.key, record.version_id()),
        Record::Upload(record) => Touches::upload(bucket, record.id),
        Record::Part(record) => Touches::part(bucket, record.upload, record.info.number),
        _ => Touches::bucket(bucket),
    })
}

/// The files of a record, when the place is the one that counts for it.
fn claims(
    shared: &Shared,
    record: &Record,
    segment: u64,
    offset: u32,
) -> Option<Vec<Arc<BodyFile>>> {
    match record {
        Record::Bucket(record) => {
            let state = shared.catalog.by_id(record.id)?.state()?;
            state.slot.is(segment, offset).then(Vec::new)
        }
        Record::Version(record) => {
            let bucket = shared.catalog.by_id(record.bucket)?;
            let version = read(&bucket.index).at_seq(&record.key, record.seq)?.clone();
            version.slot.is(segment, offset).then(|| version.files.to_vec())
        }
        Record::Upload(record) => {
            let bucket = shared.catalog.by_id(record.bucket)?;
            let index = read(&bucket.index);
            let slot = index.upload(&record.key, record.id)?.slot.as_ref()?;
            slot.is(segment, offset).then(Vec::new)
        }
        Record::Part(record) => {
            let bucket = shared.catalog.by_id(record.bucket)?;
            let index = read(&bucket.index);
            let upload = index.upload(&record.key, record.upload)?;
            let part = upload.parts.get(&record.info.number)?;
            let files = part.extents.iter().map(|extent| extent.file.clone());
            part.slot.is(segment, offset).then(|| files.collect())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::bucket::NewBucket;
    use super::super::commit::Committer;
    use super::super::engine::{Durability, Options, Store};
    use super::super::open::{Opened, open};
    use super::*;

    fn relaxed(segment_size: u64) -> Options {
        Options { durability: Durability::Relaxed, segment_size, ..Options::default() }
    }

    /// A segment of which little matters.
    async fn fill(dir: &std::path::Path) {
        let store = Store::open(dir, relaxed(1 << 30)).unwrap();
        let bucket = NewBucket { name: "b".to_owned(), ..NewBucket::default() };
        store.create_bucket(bucket).await.unwrap();
        for _ in 0..100 {
            store.put_config("b", "cors", Bytes::from_static(&[b'x'; 1000])).await.unwrap();
        }
    }

    #[test]
    fn files_are_removed_while_the_log_is_compacted() {
        let dir = tempfile::tempdir().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(fill(dir.path()));
        let (sender, chores) = std::sync::mpsc::channel();
        let opened = open(dir.path(), relaxed(4096), sender).unwrap();
        let Opened { shared, segment, seq, lock: _lock } = opened;
        let first = segment.path().to_owned();
        let (committer, submitter) = Committer::start(shared.clone(), segment, seq).unwrap();
        assert!(matches!(chores.recv().unwrap(), Chore::Compact), "the first segment is full");

        let unused = dir.path().join("bodies/1");
        std::fs::write(&unused, "").unwrap();
        shared.keeper.send(Chore::Remove(unused.clone())).unwrap();
        let committing = submitter.downgrade();
        let mut work = Work { shared, chores, committer: committing, stopped: false };
        work.compact().unwrap();
        assert!(!unused.exists());
        assert!(!first.exists());
        drop(submitter);
        committer.join();
    }
}
