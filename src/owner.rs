//! Whose is it? Asked before anything is changed or deleted.
//!
//! Owns the labels of what a sandbox makes in Docker and the rule that decides ownership. kind
//! offers no way to label its containers, but it takes a network: each sandbox has a network of
//! its own with the labels below, and a node is ours when it is on that network. Pure.

use std::collections::HashMap;

use crate::settings::Name;
use crate::state::Record;
use crate::tools::docker::{NetworkInfo, NodeInfo};

/// Label with the name of the sandbox.
pub const NAME_LABEL: &str = "dev.sandbox.name";
/// Label with the random id of the sandbox.
pub const INSTANCE_LABEL: &str = "dev.sandbox.instance";
/// Label with the state folder, which tells sandboxes of different users apart.
pub const STATE_LABEL: &str = "dev.sandbox.state";

/// The labels of what a sandbox owns.
#[must_use]
pub fn labels(name: &Name, instance: &str, state: &str) -> Vec<(String, String)> {
    vec![
        (NAME_LABEL.to_owned(), name.to_string()),
        (INSTANCE_LABEL.to_owned(), instance.to_owned()),
        (STATE_LABEL.to_owned(), state.to_owned()),
    ]
}

/// Whose the things under a sandbox's name are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Owner {
    /// There is nothing of that name.
    Nobody,
    /// All of it is provably ours.
    Us,
    /// At least one thing is not provably ours; says which and why.
    Foreign(String),
}

/// Decides whose the network and the nodes under a sandbox's name are.
#[must_use]
pub fn of(
    name: &Name,
    state: &str,
    record: Option<&Record>,
    network: Option<&NetworkInfo>,
    nodes: &[NodeInfo],
) -> Owner {
    if let Some(network) = network
        && let Err(why) = network_is_ours(name, state, record, &network.labels)
    {
        return Owner::Foreign(format!("network `{}` {why}", network.name));
    }
    let stranger = nodes.iter().find(|node| !network.is_some_and(|network| is_on(node, network)));
    if let Some(node) = stranger {
        return Owner::Foreign(format!(
            "node `{}` is not on the network of this sandbox",
            node.name
        ));
    }
    if network.is_none() && nodes.is_empty() { Owner::Nobody } else { Owner::Us }
}

/// Whether a node is on that very network, or will be once it is started.
fn is_on(node: &NodeInfo, network: &NetworkInfo) -> bool {
    node.networks
        .iter()
        .any(|(name, id)| *id == network.id || (id.is_empty() && *name == network.name))
}

fn network_is_ours(
    name: &Name,
    state: &str,
    record: Option<&Record>,
    labels: &HashMap<String, String>,
) -> Result<(), String> {
    let label = |key: &str| labels.get(key).map(String::as_str).unwrap_or_default();
    if label(NAME_LABEL) != name.as_str() || label(INSTANCE_LABEL).is_empty() {
        return Err("does not carry this sandbox's labels".to_owned());
    }
    if label(STATE_LABEL) != state {
        return Err(format!("belongs to the state folder `{}`", label(STATE_LABEL)));
    }
    match record {
        Some(record) if record.instance != label(INSTANCE_LABEL) => {
            Err("belongs to another sandbox of the same name".to_owned())
        }
        // A lost record is no reason to leave things behind: the labels are proof enough.
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::Ports;
    use crate::tools::docker::NodeState;

    fn node(network: &str) -> NodeInfo {
        NodeInfo {
            id: "1".into(),
            name: "sandbox-hello-control-plane".into(),
            cluster: "sandbox-hello".into(),
            role: "control-plane".into(),
            state: NodeState::Running,
            networks: vec![("sandbox-hello".into(), network.into())],
            volumes: vec![],
            ports: vec![],
        }
    }

    fn network(instance: &str, state: &str) -> NetworkInfo {
        let name = Name::new("hello").unwrap();
        NetworkInfo {
            id: "net".into(),
            name: "sandbox-hello".into(),
            labels: labels(&name, instance, state).into_iter().collect(),
            containers: vec![],
        }
    }

    fn decide(
        record: Option<&Record>,
        network: impl Into<Option<NetworkInfo>>,
        nodes: &[NodeInfo],
    ) -> Owner {
        let network = network.into();
        of(&Name::new("hello").unwrap(), "/state", record, network.as_ref(), nodes)
    }

    fn foreign(owner: &Owner) -> bool {
        matches!(owner, Owner::Foreign(_))
    }

    #[test]
    fn a_kind_cluster_of_our_name_that_we_did_not_make_is_foreign() {
        assert!(foreign(&decide(None, None, &[node("kind")])));
        assert!(foreign(&decide(None, Some(network("a", "/state")), &[node("kind")])));
    }

    #[test]
    fn nodes_on_our_labelled_network_are_ours_even_without_a_record() {
        let owner = decide(None, Some(network("a", "/state")), &[node("net")]);
        assert_eq!(owner, Owner::Us);
        let starting = decide(None, Some(network("a", "/state")), &[node("")]);
        assert_eq!(starting, Owner::Us, "a container that was not started yet has no network id");
        assert_eq!(decide(None, None, &[]), Owner::Nobody);
    }

    #[test]
    fn another_state_folder_or_another_instance_is_foreign() {
        assert!(foreign(&decide(None, Some(network("a", "/other")), &[node("net")])));
        let record = Record::intent("eks", "x", Ports { http: 1, https: 2, api: 3 });
        assert!(foreign(&decide(Some(&record), Some(network("a", "/state")), &[])));
        let ours = network(&record.instance, "/state");
        assert_eq!(decide(Some(&record), Some(ours), &[node("net")]), Owner::Us);
    }

    #[test]
    fn an_unlabelled_network_of_our_name_is_foreign() {
        let mut bare = network("a", "/state");
        bare.labels.clear();
        assert!(foreign(&decide(None, Some(bare), &[])));
    }
}
