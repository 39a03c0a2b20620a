//! Opens a folder: takes its lock, replays the log, cuts off a torn end, removes
//! files that nothing refers to.

use std::collections::HashMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::Sender;

use super::body::{Bodies, BodyFile};
use super::disk::{self, sync_dir};
use super::engine::{Durability, Options};
use super::error::StoreError;
use super::keeper::Chore;
use super::log::{Frame, Frames, Segment};
use super::record::{FileRun, Record};
use super::shared::Shared;

/// Written into the folder; another number is another form of the files.
const FORMAT: &str = "sandbox s3 store 1\n";

/// A folder that was read.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) shared: Arc<Shared>,
    /// Where the log goes on.
    pub(super) segment: Arc<Segment>,
    /// The last sequence number.
    pub(super) seq: u64,
    /// Held as long as the store is open.
    pub(super) lock: File,
}

pub(super) fn open(
    dir: &Path,
    options: Options,
    keeper: Sender<Chore>,
) -> Result<Opened, StoreError> {
    let log_dir = dir.join("log");
    let durable = options.durability == Durability::Durable;
    make_dir(&log_dir, durable)?;
    let lock = lock(dir)?;
    format(dir, durable)?;
    let bodies = Arc::new(Bodies::open(dir.join("bodies"), keeper.clone(), durable)?);
    if durable {
        sync_dir(dir)?;
    }
    let shared = Arc::new(Shared {
        clock: options.clock,
        log_dir,
        segment_size: options.segment_size.clamp(1 << 12, 1 << 30),
        catalog: super::state::Catalog::default(),
        bodies,
        segments: super::shared::Segments::default(),
        keeper,
        counters: super::shared::Counters::default(),
    });
    let mut replay = Replay { shared: shared.clone(), seq: 0, files: HashMap::new() };
    let last = replay.all()?;
    shared.catalog.settle();
    let Replay { mut seq, files, .. } = replay;
    // What only the replay still holds was deleted later in the log.
    let used = |(file, _): &&(Arc<BodyFile>, u64)| Arc::strong_count(file) > 1;
    for (file, len) in files.values().filter(used) {
        file.check(*len)?;
    }
    shared.bodies.sweep(|id| files.get(&id).as_ref().is_some_and(used))?;
    drop(files);
    shared.bodies.arm();
    let segment = if let Some(segment) = last {
        segment
    } else {
        seq += 1;
        shared.new_segment(1, seq)?
    };
    Ok(Opened { shared, segment, seq, lock })
}

/// Makes a folder and those it is in.
fn make_dir(dir: &Path, durable: bool) -> Result<(), StoreError> {
    let missing: Vec<_> = dir.ancestors().take_while(|dir| !dir.exists()).collect();
    std::fs::create_dir_all(dir).map_err(StoreError::io("make", dir))?;
    for made in missing.into_iter().filter(|_| durable) {
        match made.parent() {
            Some(parent) if parent != Path::new("") => sync_dir(parent)?,
            _ => sync_dir(Path::new("."))?,
        }
    }
    Ok(())
}

fn lock(dir: &Path) -> Result<File, StoreError> {
    let path = dir.join("lock");
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .map_err(StoreError::io("open", &path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::InUse(dir.to_owned())),
        Err(TryLockError::Error(error)) => Err(StoreError::io("lock", &path)(error)),
    }
}

/// Refuses a folder of another form; marks a new one.
fn format(dir: &Path, durable: bool) -> Result<(), StoreError> {
    let path = dir.join("format");
    let found = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(StoreError::io("read", &path)(error)),
    };
    if found == FORMAT {
        return Ok(());
    }
    // A crash may have left the beginning of it.
    if !FORMAT.starts_with(&found) {
        let reason = format!("not the form of this version: `{}`", found.trim_end());
        return Err(StoreError::Damaged { path, offset: 0, reason });
    }
    std::fs::write(&path, FORMAT).map_err(StoreError::io("write", &path))?;
    if !durable {
        return Ok(());
    }
    let file = File::open(&path).map_err(StoreError::io("open", &path))?;
    file.sync_all().map_err(StoreError::io("sync", &path))
}

struct Replay {
    shared: Arc<Shared>,
    seq: u64,
    /// One claim for each file that any record names, and how long it must be.
    /// None is given up before the end, as a later record may name it again.
    files: HashMap<u64, (Arc<BodyFile>, u64)>,
}

impl Replay {
    /// Reads all segments; gives the last one.
    fn all(&mut self) -> Result<Option<Arc<Segment>>, StoreError> {
        let mut numbers = Segment::numbers(&self.shared.log_dir)?;
        // Only the first segment of a log may be without its first frame.
        while let [_, .., last] = numbers.as_slice()
            && self.remove_unused(*last)?
        {
            numbers.pop();
        }
        let mut last = None;
        for (at, &number) in numbers.iter().enumerate() {
            // Segments go from the oldest on, so there is no gap.
            if at > 0 && numbers[at - 1] + 1 != number {
                let path = self.shared.log_dir.join(format!("{:016x}.log", number - 1));
                let reason = "the segment is missing".to_owned();
                return Err(StoreError::Damaged { path, offset: 0, reason });
            }
            let segment = Arc::new(Segment::open(&self.shared.log_dir, number)?);
            let is_last = at + 1 == numbers.len();
            if is_last && self.shared.bodies.durable() {
                self.persist(&segment)?;
            }
            self.segment(&segment, is_last)?;
            self.shared.segments.add(segment.clone());
            last = Some(segment);
        }
        Ok(last)
    }

    /// Removes a last segment that has no intact frame but its own: it was about to
    /// be used when the process ended, or could not be made; the one before it may
    /// have been written to after that.
    fn remove_unused(&self, number: u64) -> Result<bool, StoreError> {
        let segment = Arc::new(Segment::open(&self.shared.log_dir, number)?);
        let mut frames = Frames::new(segment.clone(), 0);
        loop {
            match frames.next()? {
                Some(Ok(frame)) if is_own(&frame) => {}
                Some(Ok(_)) => return Ok(false),
                Some(Err(reason)) => break frames.check_torn(reason)?,
                None => break,
            }
        }
        disk::remove(segment.path())?;
        sync_dir(&self.shared.log_dir)?;
        Ok(true)
    }

    /// Makes durable what the last segment has, before it is read for good: what
    /// follows from a record that a loss of power takes back would be wrong.
    fn persist(&self, segment: &Arc<Segment>) -> Result<(), StoreError> {
        let mut frames = Frames::new(segment.clone(), self.seq);
        while let Some(Ok(_)) = frames.next()? {}
        segment.persist(frames.synced(), frames.position())?;
        sync_dir(&self.shared.log_dir)
    }

    fn segment(&mut self, segment: &Arc<Segment>, last: bool) -> Result<(), StoreError> {
        let mut frames = Frames::new(segment.clone(), self.seq);
        while let Some(frame) = frames.next()? {
            match frame {
                Ok(frame) => self.frame(segment, frame, &frames)?,
                Err(reason) if last => {
                    frames.check_torn(reason)?;
                    segment.truncate(frames.position())?;
                    break;
                }
                Err(reason) => return Err(frames.damaged(reason)),
            }
        }
        Ok(())
    }

    fn frame(
        &mut self,
        segment: &Arc<Segment>,
        frame: Frame,
        frames: &Frames,
    ) -> Result<(), StoreError> {
        let record =
            Record::parse(&frame.head).map_err(|error| frames.damaged(&error.to_string()))?;
        self.seq = frame.seq;
        let slot = frame.slot(segment);
        let runs: &[FileRun] = match &record {
            Record::Version(record) => &record.files,
            Record::Part(record) => &record.files,
            _ => &[],
        };
        let claims = runs.iter().map(|run| self.claim(*run)).collect();
        // Only the documents of buckets are kept in memory.
        let keep = matches!(record, Record::Bucket(_));
        let body = if keep { frame.body.into() } else { bytes::Bytes::new() };
        self.shared.catalog.apply(record, body, slot, claims);
        Ok(())
    }

    fn claim(&mut self, (id, offset, len): FileRun) -> Arc<BodyFile> {
        let new = || (self.shared.bodies.claim(id), 0);
        let (file, needed) = self.files.entry(id).or_insert_with(new);
        *needed = (*needed).max(offset.saturating_add(len));
        file.clone()
    }
}

/// Whether it is the frame that each segment begins with.
fn is_own(frame: &Frame) -> bool {
    matches!(Record::parse(&frame.head), Ok(Record::Segment))
}
