//! The addons' part of the plan of `up`.
//!
//! Owns which addons are installed, waited for, kept or removed. Pure.

use std::collections::BTreeSet;

use super::provide;
use crate::addons::{Addon, Image, crds};
use crate::catalogue::Catalogue;
use crate::error::Result;
use crate::plan::facts::{Facts, Inside};
use crate::plan::{Action, Plan};
use crate::settings::Settings;

/// The step that makes an image of this program.
const PROGRAM: &str = "program";
/// The step that brings it to the nodes.
const LOAD_PROGRAM: &str = "load program";

/// What is to be done about the addons.
pub(super) struct AddonPlan<'a> {
    /// Each addon that is on, and what to do about it.
    addons: Vec<(&'a Addon, Todo)>,
    /// Addons that were turned off.
    gone: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Todo {
    Install,
    /// Apply it again: what is not ready may have been changed or scaled by hand.
    Repair,
    Keep,
}

impl<'a> AddonPlan<'a> {
    pub(super) fn new(facts: &Facts, addons: &'a [Addon], inside: &Inside, fresh: bool) -> Self {
        let installed = facts.record.as_ref().filter(|_| !fresh).map(|record| &record.addons);
        let todo = |addon: &Addon| {
            let stamp = installed.and_then(|all| all.get(addon.name));
            let is_ready = addon.workloads().iter().all(|workload| {
                let name = format!("{}/{}", workload.namespace, workload.name);
                inside.ready_workloads.contains(&name)
            });
            // Of these nothing says so when they are gone.
            let watched = ["Service", "Secret", "ConfigMap"];
            let is_whole = stamp.is_some_and(|stamp| {
                let objects = stamp.objects.iter();
                objects.filter(|object| watched.contains(&object.kind.as_str())).all(|object| {
                    let name = format!("{} {}/{}", object.kind, object.namespace, object.name);
                    inside.present.contains(&name)
                })
            });
            let is_ready = is_ready && is_whole;
            match stamp {
                Some(stamp) if stamp.hash == addon.hash() && is_ready => Todo::Keep,
                Some(stamp) if stamp.hash == addon.hash() => Todo::Repair,
                _ => Todo::Install,
            }
        };
        let names: BTreeSet<&str> = addons.iter().map(|addon| addon.name).collect();
        // Definitions stay: what the app keeps in their resources would go with them.
        let gone = installed.into_iter().flat_map(|all| all.keys());
        let gone = gone.filter(|name| !names.contains(name.as_str()) && *name != crds::NAME);
        Self {
            addons: addons.iter().map(|addon| (addon, todo(addon))).collect(),
            gone: gone.cloned().collect(),
        }
    }

    /// Makes sure that the engine gets the images of what is to be installed.
    pub(super) fn provide(
        &self,
        settings: &Settings,
        catalogue: &Catalogue,
        facts: &Facts,
        plan: &mut Plan,
    ) -> Result<()> {
        for (addon, todo) in &self.addons {
            let images = addon.images.iter().filter(|_| *todo == Todo::Install);
            for name in images.filter_map(|image| image.catalogue.as_deref()) {
                provide(settings, catalogue, facts, name, plan)?;
            }
        }
        Ok(())
    }

    /// Adds the steps.
    pub(super) fn add(&self, plan: &mut Plan) {
        for name in &self.gone {
            let step = format!("remove {name}");
            plan.add(&step, step.clone(), &["api"], Action::RemoveAddon(name.clone()));
        }
        let install = self.addons.iter().filter(|(_, todo)| *todo == Todo::Install);
        let (programs, images): (Vec<&Image>, Vec<&Image>) =
            install.flat_map(|(addon, _)| &addon.images).partition(|image| image.program);
        if let Some(program) = programs.first() {
            let title = "make an image of this program";
            plan.add(PROGRAM, title, &[], Action::PackProgram);
            let title = "bring this program to the nodes";
            let load = Action::LoadProgram(program.reference.clone());
            plan.add(LOAD_PROGRAM, title, &[PROGRAM, "network", "start"], load);
        }
        let references: BTreeSet<String> =
            images.into_iter().map(|image| image.reference.clone()).collect();
        if !references.is_empty() {
            let pulls: Vec<String> = plan.steps.iter().map(|step| step.id.clone()).collect();
            let mut needs: Vec<&str> =
                pulls.iter().map(String::as_str).filter(|id| id.starts_with("image ")).collect();
            needs.extend(["network", "start"]);
            let title = format!("bring {} addon image(s) to the node", references.len());
            let load = Action::LoadAddonImages(references.into_iter().collect());
            plan.add("load addons", title, &needs, load);
        }
        for (addon, todo) in &self.addons {
            let name = addon.name;
            let verb = match todo {
                Todo::Keep => {
                    plan.keep(name);
                    continue;
                }
                Todo::Install => "install",
                Todo::Repair => "repair",
            };
            let mut needs = vec!["api"];
            // Not before its images: a pod that finds none waits ten seconds and more to look
            // again.
            let brought = |image: &Image| if image.program { LOAD_PROGRAM } else { "load addons" };
            needs.extend(addon.images.iter().map(brought).collect::<BTreeSet<_>>());
            let action = Action::InstallAddon(name.to_owned());
            plan.add(name, format!("{verb} {name}"), &needs, action);
        }
    }
}
