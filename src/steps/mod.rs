//! Steps: carrying out a plan. Each step starts as soon as what it needs is there.
//!
//! Owns the executor and what steps share. Each step's work is in a file by what it works on. Must
//! not decide what is done: that is the plan's.

mod addons;
mod app;
mod cluster;
mod images;
mod names;
mod storage;
mod teardown;

use std::collections::BTreeSet;
use std::sync::Mutex;

use futures::StreamExt;
use futures::stream::FuturesUnordered;

use crate::addons::Addon;
use crate::app::Rendered;
use crate::error::{Error, Kind, Result};
use crate::plan::facts::Facts;
use crate::plan::{Action, Plan, Step};
use crate::report::event::StepEvents;
use crate::settings::Settings;
use crate::state::{Place, Record};
use crate::tools::docker::{Docker, NetworkInfo, NodeInfo};
use crate::tools::helm::HelmTool;
use crate::tools::kind::KindTool;
use crate::tools::kube::Cluster;
use crate::world::World;

use images::Nodes;
pub use teardown::leftovers;

/// What steps work with.
pub struct Cx<'a> {
    /// The outside.
    pub world: &'a World,
    /// The settings.
    pub settings: &'a Settings,
    /// The state folder.
    pub place: &'a Place,
    /// The engine.
    pub docker: Docker,
    /// The program `kind`, when the plan needs it.
    pub kind: Option<KindTool>,
    /// The program `helm`, when the plan needs it.
    pub helm: Option<HelmTool>,
    /// The rendered chart, when the plan installs one.
    pub rendered: Option<Rendered>,
    /// The addons that are on.
    pub addons: &'a [Addon],
    /// Hash of the app's input, when the plan installs one.
    pub app_input: Option<String>,
    /// When the last addon became ready in this run: the app could not be before.
    pub addons_at: Mutex<Option<jiff::Timestamp>>,
    /// What was observed before.
    pub observed: Observed<'a>,
    /// The record as it is on disk.
    pub record: Mutex<Option<Record>>,
    /// One image transfer at a time: what one has sent the next need not send.
    pub transfer: tokio::sync::Mutex<()>,
}

/// What was observed before the plan was made.
#[derive(Clone, Copy)]
pub enum Observed<'a> {
    /// By `up` and `load`.
    Up(&'a Facts),
    /// By `down`.
    Down {
        /// The nodes to remove.
        nodes: &'a [NodeInfo],
        /// The network to remove.
        network: Option<&'a NetworkInfo>,
    },
}

impl<'a> Cx<'a> {
    /// What steps work with when the plan needs no tools, no chart and no addons.
    ///
    /// # Errors
    /// When the engine cannot be reached.
    pub fn new(
        world: &'a World,
        settings: &'a Settings,
        place: &'a Place,
        observed: Observed<'a>,
        record: Option<Record>,
    ) -> Result<Self> {
        Ok(Self {
            world,
            settings,
            place,
            docker: world.docker()?,
            kind: None,
            helm: None,
            rendered: None,
            addons: &[],
            app_input: None,
            addons_at: Mutex::new(None),
            observed,
            record: Mutex::new(record),
            transfer: tokio::sync::Mutex::new(()),
        })
    }
}

impl Cx<'_> {
    /// Runs all steps of a plan.
    ///
    /// # Errors
    /// The first failure; what else runs then is stopped.
    pub async fn run(&self, plan: &Plan) -> Result<()> {
        for what in &plan.kept {
            self.world.events.kept(what);
        }
        let mut waiting: Vec<&Step> = plan.steps.iter().collect();
        let mut done: BTreeSet<&str> = BTreeSet::new();
        let mut running = FuturesUnordered::new();
        loop {
            let (ready, rest): (Vec<&Step>, Vec<&Step>) = waiting
                .into_iter()
                .partition(|step| step.needs.iter().all(|need| done.contains(need.as_str())));
            waiting = rest;
            running.extend(ready.into_iter().map(|step| self.run_step(step)));
            match running.next().await {
                Some(Ok(id)) => done.insert(id),
                Some(Err(error)) => return Err(error),
                None if waiting.is_empty() => return Ok(()),
                None => {
                    let ids: Vec<_> = waiting.iter().map(|step| step.id.as_str()).collect();
                    let message = format!("the plan has a circle among {}", ids.join(", "));
                    return Err(Error::new(Kind::Unexpected, message));
                }
            };
        }
    }

    async fn run_step<'p>(&self, step: &'p Step) -> Result<&'p str> {
        self.crash_point("before", &step.id);
        let events = self.world.events.step(&step.id, &step.title);
        match self.act(&step.action, &events).await {
            Ok(detail) => {
                events.done(detail);
                self.crash_point("after", &step.id);
                Ok(&step.id)
            }
            Err(error) => {
                events.failed(error.to_string());
                Err(error)
            }
        }
    }

    async fn act(&self, action: &Action, events: &StepEvents) -> Result<String> {
        match action {
            Action::PullImage(name) => self.pull_image(name, events).await,
            Action::RemoveRemains => self.remove_remains().await,
            Action::CreateNetwork => self.create_network().await,
            Action::CreateCluster => self.create_cluster(events).await,
            Action::StartNodes => self.start_nodes().await,
            Action::ReachApi => self.reach_api(events).await,
            Action::NodesReady => self.nodes_ready(events).await,
            Action::InstallAddon(name) => self.install_addon(name, events).await,
            Action::RemoveAddon(name) => self.remove_addon(name, events).await,
            Action::LoadAddonImages(references) => {
                self.load_images(references, Nodes::Addons, events).await
            }
            Action::PackProgram => self.pack_program().await,
            Action::LoadProgram(reference) => self.load_program(reference, events).await,
            Action::BuildImage(index) => self.build_image(*index, events).await,
            Action::LoadImage(reference) => {
                self.load_images(std::slice::from_ref(reference), Nodes::All, events).await
            }
            Action::RecoverRelease(how) => self.recover_release(*how, events).await,
            Action::InstallApp => self.install_app().await,
            Action::RestartApp(references) => self.restart_app(references).await,
            Action::AppReady => self.app_ready(events).await,
            Action::RoutesAnswer => self.routes_answer(events).await,
            Action::RemoveNodes => self.remove_nodes().await,
            Action::RemoveVolumes => self.remove_volumes().await,
            Action::RemoveNetwork => self.remove_network().await,
            Action::RemoveOldBuilds => self.remove_old_builds().await,
            Action::RemoveState => self.remove_state(),
        }
    }

    /// The facts of `up`.
    fn facts(&self) -> Result<&Facts> {
        match self.observed {
            Observed::Up(facts) => Ok(facts),
            Observed::Down { .. } => {
                Err(Error::new(Kind::Unexpected, "a step of `up` ran in a plan of `down`"))
            }
        }
    }

    /// The cluster, after its identity was compared with the record: called at the start of
    /// every step that changes something in it.
    async fn cluster(&self) -> Result<Cluster> {
        let known = self.with_record(|record| record.identity.clone())?;
        Cluster::open_known(&self.place.kubeconfig(), known.as_ref()).await
    }

    fn with_record<T>(&self, look: impl FnOnce(&Record) -> T) -> Result<T> {
        let record = self.record.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        record
            .as_ref()
            .map(look)
            .ok_or_else(|| Error::new(Kind::Unexpected, "there is no record of this sandbox yet"))
    }

    /// Changes the record and writes it to disk.
    fn change_record(&self, change: impl FnOnce(&mut Record)) -> Result<()> {
        let mut record = self.record.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let Some(record) = record.as_mut() else {
            return Err(Error::new(Kind::Unexpected, "there is no record of this sandbox yet"));
        };
        change(record);
        self.place.write_record(record)
    }

    /// Dies as if by kill -9 where a test asks for it; not in a release build.
    fn crash_point(&self, when: &str, step: &str) {
        #[cfg(debug_assertions)]
        if self.world.env.text(crate::env::CRASH) == Some(&format!("{when}:{step}")) {
            let _ = rustix::process::kill_process(
                rustix::process::getpid(),
                rustix::process::Signal::KILL,
            );
        }
        #[cfg(not(debug_assertions))]
        let _ = (when, step);
    }
}
