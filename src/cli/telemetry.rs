//! `sandbox telemetry`: its words.

use clap::{Args, Subcommand};

/// So many traces or lines are shown unless told another number.
const LISTED: usize = 20;

/// What to ask about.
#[derive(Debug, Subcommand)]
pub enum TelemetryCommand {
    /// Services, with what they were asked and how they did
    Services(TelemetryFilter),
    /// Traces, or one of them with its spans
    Traces {
        /// The id of one trace
        #[arg(conflicts_with_all = ["service", "env", "conditions", "since", "error", "limit"])]
        id: Option<String>,
        /// Which ones.
        #[command(flatten)]
        filter: TelemetryFilter,
        /// Only what failed
        #[arg(long)]
        error: bool,
        /// At most this many, the newest
        #[arg(long, value_name = "NUMBER", default_value_t = LISTED)]
        limit: usize,
        /// Go on with what arrives
        #[arg(long, short, conflicts_with = "id")]
        follow: bool,
    },
    /// Metrics, or one of them with its values
    Metrics {
        /// The name of one metric
        name: Option<String>,
        /// Which ones.
        #[command(flatten)]
        filter: TelemetryFilter,
    },
    /// Logged lines
    Logs {
        /// Words that must be in the line
        text: Option<String>,
        /// At least of this level
        #[arg(long, value_name = "LEVEL")]
        level: Option<String>,
        /// Which ones.
        #[command(flatten)]
        filter: TelemetryFilter,
        /// At most this many, the newest
        #[arg(long, value_name = "NUMBER", default_value_t = LISTED)]
        limit: usize,
        /// Go on with what arrives
        #[arg(long, short)]
        follow: bool,
    },
    /// Make the collector refuse what arrives, or show and end that
    Faults {
        /// What to do; shows the faults when absent
        #[command(subcommand)]
        command: Option<IntakeFaultsCommand>,
    },
    /// Forget everything that arrived
    Clear,
}

/// What to ask for.
#[derive(Debug, Clone, Default, Args)]
pub struct TelemetryFilter {
    /// Only of this service
    #[arg(long, short, value_name = "NAME")]
    pub service: Option<String>,
    /// Only of this environment
    #[arg(long, value_name = "NAME")]
    pub env: Option<String>,
    /// Only with this attribute or tag: `key=value`, `key!=value`, `key~regex`, `key>5`, `key`,
    /// `!key`; all of several must hold; in quotes, as `>` means something to the shell
    #[arg(long = "where", value_name = "CONDITION")]
    pub conditions: Vec<String>,
    /// Only what is not older
    #[arg(long, value_name = "TIME", default_value = "15m")]
    pub since: String,
}

/// What to do about faults.
#[derive(Debug, Subcommand)]
pub enum IntakeFaultsCommand {
    /// Add a fault
    Add {
        /// Where it arrives: a path such as `/v0.5/traces` or `/v1/*`, `dogstatsd`, `otlp.grpc`, or `*`
        #[arg(long, value_name = "PATH", default_value = "*")]
        endpoint: String,
        /// Answer with this status
        #[arg(long, value_name = "STATUS")]
        status: Option<u16>,
        /// Answer later by this many milliseconds
        #[arg(long, value_name = "MS")]
        latency: Option<u64>,
        /// How likely it is, from 0 to 1
        #[arg(long, value_name = "NUMBER", default_value_t = 1.0)]
        probability: f64,
        /// Ends after this many times
        #[arg(long, value_name = "NUMBER")]
        times: Option<u64>,
    },
    /// End all faults
    Clear,
}
