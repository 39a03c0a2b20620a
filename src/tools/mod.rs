//! The only doors to the outside: programs, the Docker engine and the Kubernetes API.
//!
//! Each outside thing has exactly one module. Modules here know nothing of steps or commands.

pub mod ca;
pub mod docker;
pub mod helm;
pub mod kind;
pub mod kube;
pub mod manifests;
pub mod oci;
pub mod orphans;
pub mod plain;
pub mod pod;
pub mod ports;
pub mod process;
pub mod program;
pub mod ready;
pub mod route;
pub mod s3;
pub mod telemetry;
pub mod x509;
