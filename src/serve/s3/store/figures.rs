//! Figures for metrics.

/// Sums over a bucket or over all of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Bytes of all versions; shared bodies count once for each.
    pub bytes: u64,
    /// Keys whose current version is not a delete marker.
    pub objects: u64,
    /// Versions that are not delete markers.
    pub versions: u64,
    /// Delete markers.
    pub delete_markers: u64,
    /// Open uploads.
    pub uploads: u64,
    /// Parts of open uploads.
    pub parts: u64,
    /// Bytes of those parts.
    pub part_bytes: u64,
}

/// Figures of the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogFigures {
    /// Bytes of all segments.
    pub bytes: u64,
    /// Bytes of records that still count.
    pub live_bytes: u64,
    /// How many segments.
    pub segments: u64,
    /// Changes written since the store was opened.
    pub commits: u64,
    /// Batches, which is syncs of the log, since the store was opened.
    pub batches: u64,
    /// Files of large bodies.
    pub body_files: u64,
}

impl std::ops::AddAssign for Figures {
    fn add_assign(&mut self, other: Self) {
        self.bytes += other.bytes;
        self.objects += other.objects;
        self.versions += other.versions;
        self.delete_markers += other.delete_markers;
        self.uploads += other.uploads;
        self.parts += other.parts;
        self.part_bytes += other.part_bytes;
    }
}
