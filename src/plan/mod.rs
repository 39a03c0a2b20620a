//! The plan: which steps are needed, and what each needs first. Data, printed by `--dry-run`.
//!
//! Owns the graph. A plan is a pure function of settings and facts (`up`, `down`); running it is
//! the business of `steps`. Must not look at the world.

pub mod down;
pub mod facts;
pub mod kind_config;
pub mod load;
pub mod up;

use std::collections::BTreeSet;

use serde::Serialize;

/// What is to be done, in an order that satisfies every need.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Plan {
    /// The steps.
    pub steps: Vec<Step>,
    /// What is already as it should be.
    pub kept: Vec<String>,
}

/// One step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Step {
    /// Name, unique in the plan.
    pub id: String,
    /// What it does, for people.
    pub title: String,
    /// Steps that must have ended well before this one begins.
    pub needs: Vec<String>,
    /// What to do.
    pub action: Action,
}

/// What a step does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// Pull a catalogue image.
    PullImage(String),
    /// Remove what an unfinished command left.
    RemoveRemains,
    /// Write the intent and make the Docker network.
    CreateNetwork,
    /// Make the Kind cluster.
    CreateCluster,
    /// Start nodes that were stopped.
    StartNodes,
    /// Wait until the API server answers, and keep its kubeconfig and identity.
    ReachApi,
    /// Wait until all nodes are ready.
    NodesReady,
    /// Apply an addon's objects and wait until it is ready.
    InstallAddon(String),
    /// Delete what an addon that was turned off consists of.
    RemoveAddon(String),
    /// Bring the addons' images to the node that carries addons.
    LoadAddonImages(Vec<String>),
    /// Make an image of this very program.
    PackProgram,
    /// Bring an image of this very program to all nodes.
    LoadProgram(String),
    /// Build the app's image of that index.
    BuildImage(usize),
    /// Bring an image of the app to all nodes.
    LoadImage(String),
    /// Bring a release that was left half-way back to a state that helm works with.
    RecoverRelease(Recovery),
    /// Install or upgrade the chart.
    InstallApp,
    /// Restart what runs an old build of these images.
    RestartApp(Vec<String>),
    /// Wait until the app is ready.
    AppReady,
    /// Wait until every Ingress rule answers through the ports of 127.0.0.1.
    RoutesAnswer,
    /// Remove nodes with their volumes.
    RemoveNodes,
    /// Remove the folder with the volumes of all nodes.
    RemoveVolumes,
    /// Remove the network.
    RemoveNetwork,
    /// Remove images that lost their name by being built again.
    RemoveOldBuilds,
    /// Remove the state folder.
    RemoveState,
}

/// How to recover a release that helm refuses to work on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Recovery {
    /// It never was deployed: remove it.
    Uninstall,
    /// It was deployed before: go back to that.
    RollBack,
}

impl Plan {
    /// Adds a step and returns its id; needs that are not part of the plan are left out, as what
    /// they would do is done already.
    pub fn add(&mut self, id: &str, title: impl Into<String>, needs: &[&str], action: Action) {
        let known: BTreeSet<&str> = self.steps.iter().map(|step| step.id.as_str()).collect();
        let needs = needs.iter().filter(|need| known.contains(*need)).map(|&n| n.into()).collect();
        self.steps.push(Step { id: id.to_owned(), title: title.into(), needs, action });
    }

    /// Says that something is already as it should be.
    pub fn keep(&mut self, what: impl Into<String>) {
        self.kept.push(what.into());
    }

    /// Whether a step of that name is in the plan.
    #[must_use]
    pub fn has(&self, id: &str) -> bool {
        self.steps.iter().any(|step| step.id == id)
    }

    /// The plan as text for people.
    #[must_use]
    pub fn shown(&self) -> String {
        let mut lines: Vec<String> = self.kept.iter().map(|what| format!("keep  {what}")).collect();
        for step in &self.steps {
            let needs = if step.needs.is_empty() {
                String::new()
            } else {
                format!("  (after {})", step.needs.join(", "))
            };
            lines.push(format!("do    {}: {}{needs}", step.id, step.title));
        }
        if self.steps.is_empty() {
            lines.push("nothing to do".to_owned());
        }
        lines.join("\n") + "\n"
    }
}
