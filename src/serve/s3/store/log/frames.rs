//! Reads a segment from its beginning, and tells a torn end from damage.

use std::os::unix::fs::FileExt;
use std::sync::Arc;

use super::super::error::StoreError;
use super::frame::{HEADER, Header, MAGIC};
use super::segment::{Segment, Slot};

/// How much is read from the file at once.
const BUFFER: usize = 256 * 1024;

/// One intact frame.
#[derive(Debug)]
pub(in super::super) struct Frame {
    pub(in super::super) offset: u32,
    pub(in super::super) seq: u64,
    pub(in super::super) head: Vec<u8>,
    pub(in super::super) body: Vec<u8>,
}

impl Frame {
    pub(in super::super) fn slot(&self, segment: &Arc<Segment>) -> Slot {
        let len = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        Slot::new(segment.clone(), self.offset, len(&self.head), len(&self.body))
    }
}

/// The frames of a segment.
#[derive(Debug)]
pub(in super::super) struct Frames {
    segment: Arc<Segment>,
    end: u64,
    at: u64,
    seq: u64,
    synced: u64,
    buffer: Vec<u8>,
    buffer_at: u64,
}

impl Frames {
    /// Begins at the first frame, whose number must be greater than `seq`.
    pub(in super::super) fn new(segment: Arc<Segment>, seq: u64) -> Self {
        let end = segment.size();
        Self { segment, end, at: 0, seq, synced: 0, buffer: Vec::new(), buffer_at: 0 }
    }

    /// The end of the last intact frame.
    pub(in super::super) fn position(&self) -> u64 {
        self.at
    }

    /// How much of the segment was surely synced: what the last intact frame says.
    pub(in super::super) fn synced(&self) -> u64 {
        self.synced
    }

    /// The next frame; `None` at the end. The inner error says why no intact frame
    /// is there.
    pub(in super::super) fn next(
        &mut self,
    ) -> Result<Option<Result<Frame, &'static str>>, StoreError> {
        if self.at == self.end {
            return Ok(None);
        }
        let frame = self.frame(self.at, self.seq)?;
        if let Ok((frame, synced)) = &frame {
            self.at += (HEADER + frame.head.len() + frame.body.len()) as u64;
            self.seq = frame.seq;
            self.synced = u64::from(*synced);
        }
        Ok(Some(frame.map(|(frame, _)| frame)))
    }

    /// After a frame that is not intact in the last segment: the end was torn when
    /// it was written, unless a later frame says that this place was synced
    /// before. Then it is damage, and cutting it off would lose what was
    /// acknowledged.
    pub(in super::super) fn check_torn(&mut self, reason: &'static str) -> Result<(), StoreError> {
        let torn_at = self.at;
        let mut rest = vec![0; usize::try_from(self.end - torn_at).unwrap_or(0)];
        self.read_at(&mut rest, torn_at)?;
        let starts: Vec<_> = memchr::memmem::find_iter(&rest, &MAGIC).collect();
        for start in starts {
            let found = self.frame(torn_at + start as u64, self.seq)?;
            if found.is_ok_and(|(_, durable)| u64::from(durable) > torn_at) {
                return Err(self.segment.damaged(torn_at, reason));
            }
        }
        Ok(())
    }

    /// The error for a frame that is not intact in a segment that was finished.
    pub(in super::super) fn damaged(&self, reason: &str) -> StoreError {
        self.segment.damaged(self.at, reason)
    }

    fn frame(
        &mut self,
        at: u64,
        after: u64,
    ) -> Result<Result<(Frame, u32), &'static str>, StoreError> {
        let left = self.end - at;
        if left < HEADER as u64 {
            return Ok(Err("the header is cut off"));
        }
        let mut start = [0; HEADER];
        self.read_at(&mut start, at)?;
        let header = match Header::parse(&start) {
            Ok(header) => header,
            Err(reason) => return Ok(Err(reason)),
        };
        let (head_len, body_len) = (header.head as usize, header.body as usize);
        if left < (HEADER + head_len + body_len) as u64 {
            return Ok(Err("the frame is cut off"));
        }
        let Ok(offset) = u32::try_from(at) else { return Ok(Err("the segment is too long")) };
        let mut head = vec![0; head_len];
        self.read_at(&mut head, at + HEADER as u64)?;
        if let Err(reason) = header.check_head(&start, &head) {
            return Ok(Err(reason));
        }
        let mut body = vec![0; body_len];
        self.read_at(&mut body, at + (HEADER + head_len) as u64)?;
        if let Err(reason) = header.check_body(&body) {
            return Ok(Err(reason));
        }
        if header.seq <= after {
            return Ok(Err("the frame is older than the one before it"));
        }
        Ok(Ok((Frame { offset, seq: header.seq, head, body }, header.durable)))
    }

    /// Fills `target` from the file by way of the buffer.
    fn read_at(&mut self, target: &mut [u8], at: u64) -> Result<(), StoreError> {
        let path = self.segment.path().to_owned();
        if target.len() > BUFFER {
            let read = self.segment.file().read_exact_at(target, at);
            return read.map_err(StoreError::io("read", path));
        }
        let within = at >= self.buffer_at
            && at + target.len() as u64 <= self.buffer_at + self.buffer.len() as u64;
        if !within {
            let len = usize::try_from(self.end - at).unwrap_or(BUFFER).min(BUFFER);
            self.buffer.resize(len, 0);
            self.buffer_at = at;
            let read = self.segment.file().read_exact_at(&mut self.buffer, at);
            read.map_err(StoreError::io("read", path))?;
        }
        let from = usize::try_from(at - self.buffer_at).unwrap_or(0);
        target.copy_from_slice(&self.buffer[from..from + target.len()]);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::super::encode;
    use super::*;

    /// A segment of three frames; the third was written after the first two were
    /// synced.
    fn segment(dir: &std::path::Path) -> (Arc<Segment>, usize) {
        let mut bytes = Vec::new();
        encode(&mut bytes, 0, 1, b"one", b"body one");
        encode(&mut bytes, 0, 2, b"two", b"");
        let synced = bytes.len();
        encode(&mut bytes, u32::try_from(synced).unwrap(), 3, b"three", b"body");
        let segment = Segment::open(dir, 1).unwrap();
        segment.append(&bytes).unwrap();
        (Arc::new(segment), synced)
    }

    fn heads(frames: &mut Frames) -> (Vec<String>, Option<&'static str>) {
        let mut heads = Vec::new();
        while let Some(frame) = frames.next().unwrap() {
            match frame {
                Ok(frame) => heads.push(String::from_utf8(frame.head).unwrap()),
                Err(reason) => return (heads, Some(reason)),
            }
        }
        (heads, None)
    }

    #[test]
    fn a_torn_end_is_told_from_damage() {
        let dir = tempfile::tempdir().unwrap();
        let (whole, synced) = segment(dir.path());
        assert_eq!(heads(&mut Frames::new(whole.clone(), 0)).0, ["one", "two", "three"]);

        whole.truncate(whole.size() - 1).unwrap();
        let mut frames = Frames::new(whole.clone(), 0);
        let (found, reason) = heads(&mut frames);
        assert_eq!((found.len(), frames.position()), (2, synced as u64));
        frames.check_torn(reason.unwrap()).unwrap();
    }

    #[test]
    fn damage_before_a_sync_is_not_cut_off() {
        let dir = tempfile::tempdir().unwrap();
        let (whole, _) = segment(dir.path());
        whole.file().write_all_at(b"X", 40).unwrap();
        let mut frames = Frames::new(whole, 0);
        let (found, reason) = heads(&mut frames);
        assert!(found.is_empty());
        let error = frames.check_torn(reason.unwrap()).unwrap_err();
        assert!(matches!(error, StoreError::Damaged { offset: 0, .. }), "{error}");
    }

    #[test]
    fn a_slot_counts_while_it_exists() {
        let dir = tempfile::tempdir().unwrap();
        let (whole, _) = segment(dir.path());
        let frame = Frames::new(whole.clone(), 0).next().unwrap().unwrap().unwrap();
        let slot = frame.slot(&whole);
        assert_eq!(whole.live(), (HEADER + 11) as u64);
        assert_eq!(slot.read().unwrap(), (Bytes::from("one"), Bytes::from("body one")));
        assert_eq!(slot.head().unwrap(), "one");
        drop(slot);
        assert_eq!(whole.live(), 0);
    }
}
