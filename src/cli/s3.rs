//! `sandbox s3`: its words.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};

use super::serve::duration;

/// What to ask the mock S3.
#[derive(Debug, Subcommand)]
pub enum S3Command {
    /// List buckets, or what is in one
    Ls {
        /// `BUCKET` or `BUCKET/PREFIX`, with or without `s3://`
        place: Option<Place>,
        /// Everything below, not one level
        #[arg(long, short)]
        recursive: bool,
    },
    /// Copy a file into a bucket, or an object into a file
    Cp {
        /// A file, `-` for standard input, or `s3://BUCKET/KEY`
        from: End,
        /// `s3://BUCKET/KEY`, a file, or `-` for standard output
        to: End,
    },
    /// Remove an object
    Rm {
        /// `BUCKET/KEY`, with or without `s3://`
        place: Place,
        /// Everything that begins like it
        #[arg(long, short)]
        recursive: bool,
    },
    /// Print an object
    Cat {
        /// `BUCKET/KEY`, with or without `s3://`
        place: Place,
    },
    /// Show the requests that came
    Log(LogFilter),
    /// Make requests fail, or show and end that
    Faults {
        /// What to do; shows the faults when absent
        #[command(subcommand)]
        command: Option<FaultsCommand>,
    },
    /// Show or move the server's clock, which lifecycle rules and presigned URLs go by
    Clock {
        /// What to do; shows the clock when absent
        #[command(subcommand)]
        command: Option<ClockCommand>,
    },
}

/// Which requests to show.
#[derive(Debug, Clone, Default, Args)]
pub struct LogFilter {
    /// Only of this operation, such as `PutObject`
    #[arg(long, value_name = "NAME")]
    pub operation: Option<String>,
    /// Only to this bucket
    #[arg(long, value_name = "BUCKET")]
    pub bucket: Option<String>,
    /// Only to keys that begin like this
    #[arg(long, value_name = "PREFIX")]
    pub key: Option<String>,
    /// Only with this status
    #[arg(long, value_name = "STATUS")]
    pub status: Option<u16>,
    /// At most this many, the newest
    #[arg(long, value_name = "NUMBER", default_value_t = 50)]
    pub limit: usize,
}

/// What to do about faults.
#[derive(Debug, Subcommand)]
pub enum FaultsCommand {
    /// Add a fault
    Add(Fault),
    /// End all faults
    Clear,
}

/// A fault.
#[derive(Debug, Clone, Args)]
pub struct Fault {
    /// Operations, such as `GetObject` or `*Object`
    #[arg(long, value_name = "NAME", default_value = "*")]
    pub operation: String,
    /// Only in this bucket
    #[arg(long, value_name = "BUCKET")]
    pub bucket: Option<String>,
    /// Only for keys like this, with `*`
    #[arg(long, value_name = "KEY")]
    pub key: Option<String>,
    /// How likely it is, from 0 to 1
    #[arg(long, value_name = "NUMBER", default_value_t = 1.0)]
    pub probability: f64,
    /// Ends after this many times
    #[arg(long, value_name = "NUMBER")]
    pub times: Option<u64>,
    /// What happens.
    #[command(flatten)]
    pub kind: FaultKind,
}

/// What a fault does; exactly one.
#[derive(Debug, Clone, Args)]
#[group(required = true, multiple = false)]
pub struct FaultKind {
    /// Answer later by this much
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub latency: Option<Duration>,
    /// Answer with an error of S3, such as `SlowDown` or `InternalError`
    #[arg(long, value_name = "CODE")]
    pub error: Option<String>,
    /// Cut the connection in the middle of the answer
    #[arg(long)]
    pub cut: bool,
    /// Send the answer with this many bytes a second
    #[arg(long, value_name = "BYTES")]
    pub slow: Option<u64>,
}

/// What to do with the clock.
#[derive(Debug, Subcommand)]
pub enum ClockCommand {
    /// Move it on, and run the lifecycle rules: `advance 25h`
    Advance {
        /// By how much
        #[arg(value_parser = duration)]
        by: Duration,
    },
    /// Back to the real time
    Reset,
}

/// A bucket and a key, or the beginning of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The bucket.
    pub bucket: String,
    /// The key, or the beginning of one; may be empty.
    pub key: String,
}

impl std::str::FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let rest = text.strip_prefix("s3://").unwrap_or(text);
        let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
        if bucket.is_empty() {
            return Err("a bucket, such as `s3://uploads/key`".to_owned());
        }
        Ok(Self { bucket: bucket.to_owned(), key: key.to_owned() })
    }
}

/// One end of a copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// An object.
    Object(Place),
    /// A file; `-` is a standard stream.
    File(PathBuf),
}

impl std::str::FromStr for End {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.starts_with("s3://") {
            return text.parse().map(Self::Object);
        }
        Ok(Self::File(PathBuf::from(text)))
    }
}
