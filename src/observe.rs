//! Looks at what there is, all at once, and changes nothing.
//!
//! Owns filling [`Facts`] from Docker, the state folder and the cluster. Decides nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::apps::v1::{DaemonSet, Deployment, StatefulSet};
use k8s_openapi::api::core::v1::{ConfigMap, Node, Pod, Secret, Service};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::ListParams;

use crate::addons::{self, ADDON_LABEL};
use crate::app::Parts;
use crate::app::cause::{self, Limits};
use crate::error::{Context, Kind, Result};
use crate::owner;
use crate::plan::facts::{Api, Facts, ImageFact, Inside};
use crate::profile::{Labels, Profile};
use crate::settings::file::{AppImage, Build};
use crate::settings::{App, HTTP_PORT, HTTPS_PORT, Settings};
use crate::state::{AppStamp, Place, Ports, Record};
use crate::tools::docker::{BuildRequest, Docker, NodeInfo, NodeState};
use crate::tools::kube::Cluster;
use crate::tools::{oci, ports};
use crate::world::World;

/// How long the API server may take to say that it is ready when it should be.
const API_PATIENCE: Duration = Duration::from_secs(3);

/// How long reading everything in the cluster may take.
const INSIDE_PATIENCE: Duration = Duration::from_secs(20);

/// Limits for a look that only asks whether all is ready.
const NO_PATIENCE: Limits =
    Limits { unready_after: Duration::ZERO, not_before: None, looking_since: None };

/// Looks at everything that `up` depends on.
///
/// # Errors
/// When Docker does not answer or the app's files cannot be read. A silent API server is a fact.
pub async fn observe(world: &World, settings: &Settings, place: &Place) -> Result<Facts> {
    let docker = world.docker()?;
    let engine = docker.info().await?;
    let name = &settings.name.value;
    let record = place.record()?;
    let (network, nodes) = (name.network(), name.cluster());
    let (network, nodes) = tokio::try_join!(docker.network(&network), docker.nodes(&nodes))?;
    let state = place.root().display().to_string();
    let owner = owner::of(name, &state, record.as_ref(), network.as_ref(), &nodes);
    let ours = owner == owner::Owner::Us;
    let catalogue =
        futures::future::try_join_all(world.catalogue.images.iter().map(|(name, image)| async {
            Ok::<_, crate::Error>((name.clone(), docker.image(&image.reference).await?))
        }));
    let images = futures::future::try_join_all(
        settings.images.iter().map(|image| image_fact(&docker, settings, record.as_ref(), image)),
    );
    let running: Vec<&NodeInfo> =
        nodes.iter().filter(|node| ours && node.state == NodeState::Running).collect();
    let node_images = node_images(&docker, &running);
    let known = record.as_ref().filter(|_| !running.is_empty());
    let inside = look_inside(place, known, settings);
    let (catalogue, images, node_images, (api, inside)) =
        tokio::join!(catalogue, images, node_images, inside);
    let images = images?;
    let mut inside = inside;
    if let Some((inside, pods)) = &mut inside {
        inside.stale = stale(&images, pods);
    }
    let ports = choose_ports(settings, record.as_ref())?;
    let service_ports = choose_service_ports(settings, record.as_ref(), ports);
    Ok(Facts {
        engine,
        ports,
        service_ports,
        taken: taken_ports(&docker, settings).await?,
        record,
        owner,
        network,
        nodes,
        catalogue: catalogue?.into_iter().collect(),
        images,
        node_images,
        api,
        inside: inside.map(|(inside, _)| inside),
    })
}

/// How an image is built, with paths resolved.
#[must_use]
pub fn build_request(settings: &Settings, reference: &str, build: &Build) -> BuildRequest {
    BuildRequest {
        reference: reference.to_owned(),
        context: settings.root.join(&build.context),
        dockerfile: build.dockerfile.clone(),
        args: build.args.clone().into_iter().collect(),
        target: build.target.clone(),
        network: build.network.clone(),
        // The same for every build, so that building again gives the same image.
        labels: vec![(owner::NAME_LABEL.to_owned(), settings.name.value.to_string())],
    }
}

async fn image_fact(
    docker: &Docker,
    settings: &Settings,
    record: Option<&Record>,
    image: &AppImage,
) -> Result<ImageFact> {
    let input = match &image.build {
        Some(build) => Some(build_request(settings, &image.reference, build).fingerprint()?),
        None => None,
    };
    let engine = docker.image(&image.reference).await?;
    let node_id = engine.as_ref().map(|found| node_id(record, &image.reference, &found.id));
    Ok(ImageFact { reference: image.reference.clone(), engine, node_id, input })
}

/// The id that an image has on nodes.
#[must_use]
pub fn node_id(record: Option<&Record>, reference: &str, engine: &str) -> String {
    record.map_or(engine, |record| record.node_id(reference, engine)).to_owned()
}

/// Images of each node; a node that does not answer has none.
async fn node_images(
    docker: &Docker,
    nodes: &[&NodeInfo],
) -> BTreeMap<String, BTreeMap<String, String>> {
    let lists = nodes.iter().map(|node| async {
        let images = oci::node_images(docker, &node.name).await.ok()?;
        Some((node.name.clone(), images))
    });
    futures::future::join_all(lists).await.into_iter().flatten().collect()
}

async fn look_inside(
    place: &Place,
    record: Option<&Record>,
    settings: &Settings,
) -> (Api, Option<(Inside, Vec<Pod>)>) {
    let Some(record) = record else { return (Api::Silent, None) };
    let Ok(cluster) = Cluster::open(&place.kubeconfig()).await else { return (Api::Silent, None) };
    if !cluster.is_ready().await {
        return (Api::Silent, None);
    }
    let asked = tokio::time::timeout(API_PATIENCE, cluster.identity()).await;
    let Ok(Ok(identity)) = asked else { return (Api::Silent, None) };
    match &record.identity {
        Some(known) if *known != identity => {
            let why = format!("another cluster answers at port {}", record.ports.api);
            return (Api::Foreign(why), None);
        }
        Some(_) => {}
        None => return (Api::Silent, None),
    }
    let inside = tokio::time::timeout(INSIDE_PATIENCE, read_inside(&cluster, record, settings));
    (Api::Ours, inside.await.ok().and_then(Result::ok))
}

async fn read_inside(
    cluster: &Cluster,
    record: &Record,
    settings: &Settings,
) -> Result<(Inside, Vec<Pod>)> {
    let failed = || "cannot read the cluster".to_owned();
    let all = ListParams::default();
    let nodes = async { cluster.all::<Node>().list(&all).await.context(Kind::Cluster, failed) };
    let release = async {
        // By the settings, as a first installation that was cut off is not in the record.
        match &settings.app {
            Some(app) => release(cluster, app).await,
            None => Ok((None, false)),
        }
    };
    let app = async {
        match &record.app {
            Some(app) => app_state(cluster, app).await,
            None => Ok((false, Vec::new())),
        }
    };
    let (nodes, ready_workloads, present, (release, deployed_once), (app_ready, pods)) =
        tokio::try_join!(nodes, ready_workloads(cluster), present(cluster), release, app)?;
    let name = settings.name.value.cluster();
    let inside = Inside {
        nodes_ready: nodes.items.iter().all(node_is_ready)
            && missing_labels(&settings.profile.value, &name, &nodes.items).is_empty(),
        ready_workloads,
        present,
        release,
        release_deployed_once: deployed_once,
        app_ready,
        stale: Vec::new(),
    };
    Ok((inside, pods))
}

/// Services, Secrets and `ConfigMap`s of addons, as `Kind namespace/name`: what goes unnoticed
/// when somebody deletes it, for example with its namespace.
async fn present(cluster: &Cluster) -> Result<BTreeSet<String>> {
    let labelled = ListParams::default().labels(ADDON_LABEL);
    let services = cluster.all::<Service>();
    let secrets = cluster.all::<Secret>();
    let config_maps = cluster.all::<ConfigMap>();
    let (services, secrets, config_maps) = tokio::try_join!(
        services.list_metadata(&labelled),
        secrets.list_metadata(&labelled),
        config_maps.list_metadata(&labelled),
    )
    .context(Kind::Cluster, || "cannot read the addons".to_owned())?;
    let shown = |kind: &str, meta: &ObjectMeta| {
        let namespace = meta.namespace.as_deref().unwrap_or_default();
        format!("{kind} {namespace}/{}", meta.name.as_deref().unwrap_or_default())
    };
    let services = services.items.iter().map(|one| shown("Service", &one.metadata));
    let secrets = secrets.items.iter().map(|one| shown("Secret", &one.metadata));
    let config_maps = config_maps.items.iter().map(|one| shown("ConfigMap", &one.metadata));
    Ok(services.chain(secrets).chain(config_maps).collect())
}

/// Workloads of addons that are ready, as `namespace/name`.
async fn ready_workloads(cluster: &Cluster) -> Result<BTreeSet<String>> {
    let failed = || "cannot read the addons".to_owned();
    let labelled = ListParams::default().labels(ADDON_LABEL);
    let deployments = cluster.all::<Deployment>();
    let stateful_sets = cluster.all::<StatefulSet>();
    let daemon_sets = cluster.all::<DaemonSet>();
    let (deployments, stateful_sets, daemon_sets) = tokio::try_join!(
        deployments.list(&labelled),
        stateful_sets.list(&labelled),
        daemon_sets.list(&labelled)
    )
    .context(Kind::Cluster, failed)?;
    let name = |meta: &ObjectMeta| {
        let namespace = meta.namespace.as_deref().unwrap_or_default();
        format!("{namespace}/{}", meta.name.as_deref().unwrap_or_default())
    };
    // Scaled to nothing by somebody, all of its pods are ready.
    let is_wanted = |replicas: Option<i32>| replicas != Some(0);
    let deployments = deployments
        .items
        .into_iter()
        .filter(|one| is_wanted(one.spec.as_ref().and_then(|spec| spec.replicas)))
        .map(|one| (name(&one.metadata), Parts { deployments: vec![one], ..Parts::default() }));
    let stateful_sets = stateful_sets
        .items
        .into_iter()
        .filter(|one| is_wanted(one.spec.as_ref().and_then(|spec| spec.replicas)))
        .map(|one| (name(&one.metadata), Parts { stateful_sets: vec![one], ..Parts::default() }));
    let daemon_sets = daemon_sets
        .items
        .into_iter()
        .map(|one| (name(&one.metadata), Parts { daemon_sets: vec![one], ..Parts::default() }));
    let is_ready = |parts: &Parts| {
        let state = cause::judge(&parts.snapshot(true), &NO_PATIENCE, jiff::Timestamp::now());
        matches!(state, cause::State::Ready)
    };
    let all = deployments.chain(stateful_sets).chain(daemon_sets);
    Ok(all.filter(|(_, parts)| is_ready(parts)).map(|(name, _)| name).collect())
}

/// Whether a node has the condition `Ready`.
#[must_use]
pub fn node_is_ready(node: &Node) -> bool {
    let conditions = node.status.as_ref().and_then(|status| status.conditions.as_ref());
    conditions.is_some_and(|list| list.iter().any(|c| c.type_ == "Ready" && c.status == "True"))
}

/// Labels that nodes of a profile lack although the API would take them, by the node's name.
#[must_use]
pub fn missing_labels(profile: &Profile, cluster: &str, nodes: &[Node]) -> Vec<(String, Labels)> {
    let wanted = profile.api_labels().into_iter().filter_map(|(suffix, mut labels)| {
        let name = format!("{cluster}-{suffix}");
        let node = nodes.iter().find(|node| node.metadata.name.as_ref() == Some(&name))?;
        let has = node.metadata.labels.clone().unwrap_or_default();
        labels.retain(|key, value| has.get(key) != Some(value));
        (!labels.is_empty()).then_some((name, labels))
    });
    wanted.collect()
}

/// How many of these nodes are ready.
#[must_use]
pub fn ready_nodes(nodes: &[Arc<Node>]) -> usize {
    nodes.iter().filter(|node| node_is_ready(node)).count()
}

/// The newest revision of a release and whether any was ever deployed, from the labels of helm's
/// Secrets. Source: helm 4 `pkg/storage/driver/secrets.go`, labels `owner`, `status`, `version`.
async fn release(cluster: &Cluster, app: &App) -> Result<(Option<(String, u32)>, bool)> {
    let params = ListParams::default().labels(&format!("owner=helm,name={}", app.release));
    let secrets = cluster
        .namespaced::<Secret>(&app.namespace)
        .list_metadata(&params)
        .await
        .context(Kind::Cluster, || "cannot read helm's releases".to_owned())?;
    let mut revisions: Vec<(u32, String)> = secrets
        .items
        .into_iter()
        .filter_map(|secret| {
            let labels = secret.metadata.labels?;
            Some((labels.get("version")?.parse().ok()?, labels.get("status")?.clone()))
        })
        .collect();
    revisions.sort();
    let once = revisions.iter().any(|(_, status)| status == "deployed" || status == "superseded");
    Ok((revisions.pop().map(|(revision, status)| (status, revision)), once))
}

/// Whether all workloads are ready, and the pods of the app's namespace.
async fn app_state(cluster: &Cluster, app: &AppStamp) -> Result<(bool, Vec<Pod>)> {
    let mut namespaces: Vec<&str> = app.workloads.iter().map(|w| w.namespace.as_str()).collect();
    namespaces.push(&app.namespace);
    namespaces.sort_unstable();
    namespaces.dedup();
    let seen = namespaces.iter().map(|namespace| Parts::read(cluster, namespace));
    let mut all = Parts::default();
    for parts in futures::future::try_join_all(seen).await? {
        all.add(parts);
    }
    all.keep(&app.workloads);
    // A finished Job may be gone by its time to live; its absence is no failure.
    let jobs = app.workloads.iter().filter(|workload| workload.kind == "Job").count();
    let present = all.count() + jobs >= app.workloads.len() + all.jobs.len();
    let state = cause::judge(&all.snapshot(true), &NO_PATIENCE, jiff::Timestamp::now());
    Ok((present && matches!(state, cause::State::Ready), all.pods))
}

/// References whose pods run another image than the engine's.
#[must_use]
pub fn stale(images: &[ImageFact], pods: &[Pod]) -> Vec<String> {
    let is_stale = |fact: &&ImageFact| {
        let Some(id) = &fact.node_id else { return false };
        let name = oci::full_name(&fact.reference);
        pods.iter().filter(|pod| pod.metadata.deletion_timestamp.is_none()).any(|pod| {
            let status = pod.status.as_ref();
            let mut running =
                status.and_then(|status| status.container_statuses.as_ref()).into_iter().flatten();
            running.any(|container| {
                oci::full_name(&container.image) == name
                    && container.image_id.starts_with("sha256:")
                    && container.image_id != *id
            })
        })
    };
    images.iter().filter(is_stale).map(|fact| fact.reference.clone()).collect()
}

/// The recorded ports, else those asked for, else the first free ones.
fn choose_ports(settings: &Settings, record: Option<&Record>) -> Result<Ports> {
    let recorded = record.map(|record| record.ports);
    let none = || "there is no free port on 127.0.0.1".to_owned();
    let pick = |asked: Option<u16>, recorded: Option<u16>, from: u16, taken: &[u16]| {
        let kept = recorded.filter(|port| asked.is_none() && !taken.contains(port));
        asked.or(kept).or_else(|| ports::first_free(from, taken))
    };
    let no_port = || std::io::Error::other("all are taken");
    let http = pick(settings.http_port.value, recorded.map(|p| p.http), HTTP_PORT, &[])
        .ok_or_else(no_port)
        .context(Kind::Machine, none)?;
    let https = pick(settings.https_port.value, recorded.map(|p| p.https), HTTPS_PORT, &[http])
        .ok_or_else(no_port)
        .context(Kind::Machine, none)?;
    let api = match recorded {
        Some(ports) => ports.api,
        None => ports::any_free().context(Kind::Machine, none)?,
    };
    Ok(Ports { http, https, api })
}

/// Ports for addons: the recorded ones, else those asked for, else the first free ones.
fn choose_service_ports(
    settings: &Settings,
    record: Option<&Record>,
    ports: Ports,
) -> BTreeMap<String, u16> {
    let mut taken = vec![ports.http, ports.https, ports.api];
    let mut chosen = BTreeMap::new();
    for (name, preferred, asked) in addons::host_ports(&settings.addons) {
        let recorded = record.and_then(|record| record.service_ports.get(name).copied());
        if let Some(port) = asked.or(recorded).or_else(|| ports::first_free(preferred, &taken)) {
            taken.push(port);
            chosen.insert(name.to_owned(), port);
        }
    }
    chosen
}

/// Ports that were asked for and that something outside this sandbox holds.
async fn taken_ports(
    docker: &Docker,
    settings: &Settings,
) -> Result<BTreeMap<u16, Option<String>>> {
    let mut asked = vec![settings.http_port.value, settings.https_port.value];
    asked.extend(addons::host_ports(&settings.addons).into_iter().map(|(_, _, asked)| asked));
    let taken: Vec<u16> =
        asked.into_iter().flatten().filter(|port| !ports::is_free(*port)).collect();
    if taken.is_empty() {
        return Ok(BTreeMap::new());
    }
    let publishers = docker.publishers().await?;
    let own = settings.name.value.cluster();
    let mut holders = BTreeMap::new();
    for port in taken {
        let container =
            publishers.iter().find(|c| c.ports.iter().any(|published| published.host == port));
        match container {
            Some(container) if container.cluster == own => {}
            Some(container) => {
                holders.insert(port, Some(format!("container `{}`", container.name)));
            }
            None => {
                holders.insert(port, ports::holder(port));
            }
        }
    }
    Ok(holders)
}
