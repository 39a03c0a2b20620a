//! The command line. Doc comments are the help.
//!
//! Owns the clap types only.

mod s3;
mod serve;
mod telemetry;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::error::Kind;
use crate::settings::Flags;

pub use s3::{ClockCommand, End, Fault, FaultKind, FaultsCommand, LogFilter, Place, S3Command};
pub use serve::{Port, ServeCommand, ServeRelay, ServeS3, ServeTelemetry};
pub use telemetry::{IntakeFaultsCommand, TelemetryCommand, TelemetryFilter};

/// A local Kind cluster that answers like EKS, DOKS or K3s on EC2.
#[derive(Debug, Parser)]
#[command(name = "sandbox", version, after_help = exit_codes())]
pub struct Cli {
    /// Flags of every command.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Flags that mean the same everywhere.
#[derive(Debug, Clone, Default, Args)]
pub struct Global {
    /// Name of the sandbox [default: `name:` in sandbox.yaml, else the folder's name]
    #[arg(long, global = true)]
    pub name: Option<String>,
    /// The sandbox.yaml to use [default: looked for here and in the parent folders]
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Which cloud to answer like: `minimal`, `eks`, `doks` or `k3s-ec2`
    #[arg(long, global = true)]
    pub profile: Option<String>,
    /// Where third-party images come from: `auto`, `registry` or `packages`
    #[arg(id = "source", long = "images", global = true, value_name = "SOURCE")]
    pub images: Option<String>,
    /// Print JSON lines on stdout instead of talk on stderr
    #[arg(long, global = true)]
    pub json: bool,
    /// Say nothing but warnings and failures
    #[arg(long, short, global = true, conflicts_with = "json")]
    pub quiet: bool,
}

/// Ports of a sandbox.
#[derive(Debug, Clone, Default, Args)]
pub struct PortFlags {
    /// Port of 127.0.0.1 for plain HTTP [default: 8080, or the next free one]
    #[arg(long, value_name = "PORT", value_parser = port())]
    pub http_port: Option<u16>,
    /// Port of 127.0.0.1 for HTTPS [default: 8443, or the next free one]
    #[arg(long, value_name = "PORT", value_parser = port())]
    pub https_port: Option<u16>,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make the cluster, install the addons and the app; run it again to apply changes
    Up {
        /// Only show what would be done
        #[arg(long)]
        dry_run: bool,
        /// Replace the cluster when it does not fit the settings; all data in it is lost
        #[arg(long)]
        recreate: bool,
        /// Ports to use.
        #[command(flatten)]
        ports: PortFlags,
    },
    /// Run the checks of sandbox.yaml
    Test {
        /// Make a sandbox of its own, test, and always take it down again
        #[arg(long)]
        ephemeral: bool,
        /// Run only these checks
        #[arg(long, value_name = "CHECK")]
        only: Vec<String>,
        /// Write a JUnit report
        #[arg(long, value_name = "FILE")]
        junit: Option<PathBuf>,
    },
    /// Remove the cluster and everything that belongs to it, and prove that nothing is left
    Down {
        /// Every sandbox of this user
        #[arg(long)]
        all: bool,
    },
    /// Show the state of every part and where to click
    Status {
        /// Show every setting and where its value comes from
        #[arg(long)]
        settings: bool,
    },
    /// Look for everything on this machine that would get in the way
    Doctor,
    /// Build the app's images, send changed layers to the nodes, restart what uses them
    Load {
        /// Only these images
        #[arg(value_name = "IMAGE")]
        images: Vec<String>,
    },
    /// Print the path of the sandbox's own kubeconfig
    Kubeconfig {
        /// Print its content instead
        #[arg(long)]
        raw: bool,
    },
    /// Print how to connect to Redis, Postgres and the rest: `eval "$(sandbox env)"`
    Env {
        /// As pods see it, not this machine
        #[arg(long)]
        cluster: bool,
        /// Print only the value of one fact, such as `redis.url`
        #[arg(value_name = "FACT")]
        fact: Option<String>,
    },
    /// The sandbox's own certificate authority
    #[command(subcommand)]
    Ca(CaCommand),
    /// The third-party images that a sandbox is made of
    #[command(subcommand)]
    Images(ImagesCommand),
    /// Open the page that shows what the app does, and say where everything is
    Open {
        /// Only say it
        #[arg(long)]
        print: bool,
    },
    /// Ask what the app sent: traces, metrics and logs
    #[command(subcommand)]
    Telemetry(TelemetryCommand),
    /// Look into the mock S3, make it fail, move its clock
    #[command(subcommand)]
    S3(S3Command),
    /// Run one of the sandbox's own servers here, without any cluster
    #[command(subcommand)]
    Serve(ServeCommand),
    /// The part of a check that runs in a pod
    #[command(subcommand, hide = true)]
    Probe(ProbeCommand),
}

/// What to look at.
#[derive(Debug, Clone, Copy, Subcommand)]
pub enum ProbeCommand {
    /// The mock S3
    S3,
    /// The collector
    Telemetry,
}

/// What to do with the certificate authority.
#[derive(Debug, Subcommand)]
pub enum CaCommand {
    /// Print its certificate (PEM), to be added to what a program trusts; never its key
    ///
    /// What this machine trusts is not changed.
    Export {
        /// Print variables that make curl, Node, Python and Java trust it, for `eval "$(…)"`
        ///
        /// `SSL_CERT_FILE`, `CURL_CA_BUNDLE` and `REQUESTS_CA_BUNDLE` replace what a program
        /// trusts, and so does Java's option. They are pointed at files that hold the roots of
        /// this machine as well. `NODE_EXTRA_CA_CERTS` adds to what Node trusts.
        #[arg(long)]
        env: bool,
        /// Write a PKCS#12 truststore with this certificate alone; its password is `changeit`
        #[arg(long, value_name = "FILE")]
        pkcs12: Option<PathBuf>,
    },
}

/// What to do with the third-party images.
#[derive(Debug, Subcommand)]
pub enum ImagesCommand {
    /// Show each image, whether the engine has it and where it came from
    List,
    /// Pull what the engine lacks, by digest
    Pull,
    /// Build what the engine lacks from packages (needs a checkout)
    Build,
}

impl Global {
    /// What the flags say about settings.
    #[must_use]
    pub fn flags(&self, ports: &PortFlags) -> Flags {
        Flags {
            name: self.name.clone(),
            config: self.config.clone(),
            profile: self.profile.clone(),
            images: self.images.clone(),
            http_port: ports.http_port,
            https_port: ports.https_port,
        }
    }
}

/// 0 would mean any port, which is what no flag means already.
fn port() -> clap::builder::RangedI64ValueParser<u16> {
    clap::value_parser!(u16).range(1..)
}

/// The table of exit codes, for the help.
fn exit_codes() -> String {
    let mut text = "Exit codes:\n    0  all is well\n".to_owned();
    for kind in Kind::ALL {
        text.push_str(&format!("  {:3}  {}\n", kind.exit_code(), kind.meaning()));
    }
    text
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_help_lists_every_exit_code() {
        let help = Cli::command().render_long_help().to_string();
        for kind in Kind::ALL {
            assert!(help.contains(kind.meaning()), "{kind:?}");
        }
    }
}
