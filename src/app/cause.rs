//! stub
use k8s_openapi::api::{apps::v1::{DaemonSet, Deployment, StatefulSet}, batch::v1::Job, core::v1::{Event, Pod}};
use std::time::Duration;
/// s
pub struct Snapshot<'a> { /// x
 pub deployments: &'a [Deployment], /// x
 pub stateful_sets: &'a [StatefulSet], /// x
 pub daemon_sets: &'a [DaemonSet], /// x
 pub jobs: &'a [Job], /// x
 pub pods: &'a [Pod], /// x
 pub events: &'a [Event], /// x
 pub nodes_ready: bool }
/// l
pub struct Limits { /// x
 pub unready_after: Duration }
/// c
#[derive(Debug, Clone, PartialEq)]
pub struct Cause { /// x
 pub object: String, /// x
 pub summary: String, /// x
 pub hints: Vec<String>, /// x
 pub wants_logs: Option<(String, String, bool)> }
/// s
pub enum State { /// x
 Ready, /// x
 Waiting(String), /// x
 Failing(Cause, Duration), /// x
 Failed(Cause) }
/// j
pub fn judge(_: &Snapshot<'_>, _: &Limits, _: jiff::Timestamp) -> State { State::Ready }
