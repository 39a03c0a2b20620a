//! The plan of `down`: everything that is provably ours, and nothing else.
//!
//! Owns the order of removal. Pure.

use crate::error::{Error, Kind, Result};
use crate::owner::Owner;
use crate::plan::{Action, Plan};
use crate::settings::Name;
use crate::tools::docker::{NetworkInfo, NodeInfo};

/// What `down` needs to know.
#[derive(Debug, Clone)]
pub struct Present {
    /// Whose the things under the name are.
    pub owner: Owner,
    /// The nodes.
    pub nodes: Vec<NodeInfo>,
    /// The network.
    pub network: Option<NetworkInfo>,
    /// Whether there is a folder with volumes.
    pub volumes: bool,
    /// Whether there is a state folder.
    pub state: bool,
}

/// Makes the plan.
///
/// # Errors
/// [`Kind::Refused`] when something under the name is not provably ours.
pub fn down(name: &Name, present: &Present) -> Result<Plan> {
    if let Owner::Foreign(why) = &present.owner {
        return Err(Error::new(
            Kind::Refused,
            format!("`{}` is not provably ours; nothing was touched", name.cluster()),
        )
        .because(Error::new(Kind::Refused, why.clone()))
        .hint(format!(
            "to remove it all the same: kind delete cluster --name {}; docker network rm {}",
            name.cluster(),
            name.network()
        )));
    }
    let mut plan = Plan::default();
    if !present.nodes.is_empty() {
        let title = format!("remove {} node(s) and their volumes", present.nodes.len());
        plan.add("nodes", title, &[], Action::RemoveNodes);
    }
    if present.network.is_some() {
        plan.add("network", "remove the network", &["nodes"], Action::RemoveNetwork);
    }
    if present.volumes {
        // Once no node can write to it.
        plan.add("volumes", "remove what pods stored", &["nodes"], Action::RemoveVolumes);
    }
    if present.state || present.owner == Owner::Us {
        plan.add("images", "remove old builds", &["nodes"], Action::RemoveOldBuilds);
        let needs = ["nodes", "network", "volumes", "images"];
        plan.add("state", "remove the record and the kubeconfig", &needs, Action::RemoveState);
    }
    Ok(plan)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name() -> Name {
        Name::new("hello").unwrap()
    }

    #[test]
    fn foreign_things_are_refused() {
        let present = Present {
            owner: Owner::Foreign("x".into()),
            nodes: vec![],
            network: None,
            volumes: false,
            state: true,
        };
        assert_eq!(down(&name(), &present).unwrap_err().kind(), Kind::Refused);
    }

    #[test]
    fn nothing_there_is_nothing_to_do() {
        let present = Present {
            owner: Owner::Nobody,
            nodes: vec![],
            network: None,
            volumes: false,
            state: false,
        };
        assert!(down(&name(), &present).unwrap().steps.is_empty());
    }

    #[test]
    fn the_record_goes_last_so_that_a_kill_leaves_it() {
        let network = NetworkInfo {
            id: "n".into(),
            name: "sandbox-hello".into(),
            labels: std::collections::HashMap::default(),
            containers: vec![],
        };
        let present = Present {
            owner: Owner::Us,
            nodes: vec![],
            network: Some(network),
            volumes: true,
            state: true,
        };
        let plan = down(&name(), &present).unwrap();
        assert_eq!(plan.steps.last().unwrap().id, "state");
        assert_eq!(plan.steps.last().unwrap().needs, ["network", "volumes", "images"]);
    }
}
