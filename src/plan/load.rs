//! The plan of `load`: build, send, restart; the cluster and the chart are left alone.
//!
//! Pure.

use super::up;
use super::{Action, Plan};
use crate::error::{Error, Kind, Result};
use crate::plan::facts::{Api, Facts};
use crate::settings::Settings;

/// Makes the plan for these images; none named = all.
///
/// # Errors
/// [`Kind::Cluster`] when the sandbox is not up, [`Kind::Machine`] when an image is missing.
pub fn load(settings: &Settings, facts: &Facts, only: &[String]) -> Result<Plan> {
    up::refuse_foreign(settings, facts)?;
    if facts.api != Api::Ours {
        return Err(Error::new(
            Kind::Cluster,
            format!("sandbox `{}` is not up", settings.name.value),
        )
        .hint("sandbox up"));
    }
    let mut facts = facts.clone();
    facts.images.retain(|fact| only.is_empty() || only.contains(&fact.reference));
    let mut plan = Plan::default();
    up::images(settings, &facts, false, &mut plan)?;
    let loads: Vec<String> = plan
        .steps
        .iter()
        .filter(|step| matches!(step.action, Action::LoadImage(_)))
        .map(|step| step.id.clone())
        .collect();
    let stale = facts.inside.as_ref().is_some_and(|inside| !inside.stale.is_empty());
    let installed = facts.record.as_ref().is_some_and(|record| record.app.is_some());
    if installed && (!loads.is_empty() || stale) {
        let references = facts.images.iter().map(|fact| fact.reference.clone()).collect();
        let needs: Vec<&str> = loads.iter().map(String::as_str).collect();
        let restart = Action::RestartApp(references);
        plan.add("restart", "restart what runs an old image", &needs, restart);
        plan.add("app", "wait for the app", &["restart"], Action::AppReady);
        if settings.addons.ingress_nginx.options().is_some() {
            plan.add("routes", "wait for the app's addresses", &["app"], Action::RoutesAnswer);
        }
    }
    Ok(plan)
}
