//! `sandbox doctor`: everything on this machine that would get in the way, at once, each with
//! the command that cures it.

use serde_json::json;

use super::Outcome;
use crate::error::{Error, Kind, Result};
use crate::machine::{Machine, Severity};
use crate::plan::kind_config::node_count;
use crate::settings::{HTTP_PORT, HTTPS_PORT, Settings};
use crate::tools::docker::EngineInfo;
use crate::tools::ports;
use crate::world::World;

/// One line of the report.
struct Finding {
    mark: &'static str,
    what: String,
    cures: Vec<String>,
}

impl Finding {
    fn good(what: impl Into<String>) -> Self {
        Self { mark: "ok", what: what.into(), cures: Vec::new() }
    }

    fn bad(error: &Error) -> Self {
        let mut what = error.to_string();
        for cause in error.causes() {
            what.push_str(&format!(": {cause}"));
        }
        Self { mark: "BAD", what, cures: error.hints().to_vec() }
    }
}

/// Runs the command.
///
/// # Errors
/// None of its own: what is wrong with the machine is the answer.
pub(super) async fn run(world: &World, settings: &Settings) -> Result<Outcome> {
    let mut findings = Vec::new();
    match engine(world).await {
        Ok(engine) => {
            findings.push(Finding::good(format!(
                "Docker engine {} ({}, cgroup v{})",
                engine.version, engine.architecture, engine.cgroup_version
            )));
            machine(settings, &engine, &mut findings);
            images(world, &mut findings).await?;
        }
        Err(error) => findings.push(Finding::bad(&error)),
    }
    match world.kind().await {
        Ok(kind) => findings.push(Finding::good(format!("kind at {}", kind.program().display()))),
        Err(error) => findings.push(Finding::bad(&error)),
    }
    match world.helm().await {
        Ok(helm) => findings.push(Finding::good(format!("helm at {}", helm.program().display()))),
        Err(error) => findings.push(Finding::bad(&error)),
    }
    self::ports(world, settings, &mut findings);
    let bad = findings.iter().filter(|finding| finding.mark == "BAD").count();
    let mut text = String::new();
    for finding in &findings {
        text.push_str(&format!("{:<4} {}\n", finding.mark, finding.what));
        for cure in &finding.cures {
            text.push_str(&format!("     cure: {cure}\n"));
        }
    }
    let rows: Vec<_> = findings
        .iter()
        .map(|f| json!({ "mark": f.mark, "what": f.what, "cures": f.cures }))
        .collect();
    let bad_news = (bad > 0).then_some(Kind::Machine);
    Ok(Outcome { text, data: json!({ "findings": rows }), bad_news })
}

async fn engine(world: &World) -> Result<EngineInfo> {
    world.docker()?.info().await
}

fn machine(settings: &Settings, engine: &EngineInfo, findings: &mut Vec<Finding>) {
    let nodes = node_count(&settings.profile.value) as u64;
    let problems = Machine::read(engine).problems(nodes, engine);
    if problems.is_empty() {
        findings.push(Finding::good(format!("disk, memory and limits for {nodes} node(s)")));
    }
    for problem in problems {
        let mark = if problem.severity == Severity::Fatal { "BAD" } else { "warn" };
        findings.push(Finding { mark, what: problem.what, cures: vec![problem.cure] });
    }
}

async fn images(world: &World, findings: &mut Vec<Finding>) -> Result<()> {
    let docker = world.docker()?;
    for name in ["node", "ingress-nginx"] {
        let reference = &world.catalogue.image(name).reference;
        if docker.image(reference).await?.is_some() {
            findings.push(Finding::good(format!("image {reference}")));
        } else {
            let what = format!("image {reference} is missing");
            let cures = vec![format!("images/build {name}"), "sandbox images pull".to_owned()];
            findings.push(Finding { mark: "warn", what, cures });
        }
    }
    Ok(())
}

fn ports(world: &World, settings: &Settings, findings: &mut Vec<Finding>) {
    let own = world
        .place(&settings.name.value)
        .and_then(|place| place.record())
        .ok()
        .flatten()
        .map(|record| record.ports);
    let wanted = [
        (settings.http_port.value, HTTP_PORT, own.map(|ports| ports.http)),
        (settings.https_port.value, HTTPS_PORT, own.map(|ports| ports.https)),
    ];
    for (asked, preferred, own) in wanted {
        let port = asked.unwrap_or(preferred);
        if own == Some(port) {
            findings.push(Finding::good(format!("port {port} is this sandbox's own")));
        } else if ports::is_free(port) {
            findings.push(Finding::good(format!("port {port} is free")));
        } else {
            let holder = ports::holder(port).unwrap_or_else(|| "another process".to_owned());
            let mark = if asked.is_some() { "BAD" } else { "warn" };
            let what = format!("port {port} is taken by {holder}");
            let cure = match asked {
                Some(_) => "stop it, or choose another port: `ports:`",
                None => "none is needed: the next free one is used",
            };
            let cures = vec![cure.to_owned()];
            findings.push(Finding { mark, what, cures });
        }
    }
}
