//! `sandbox load`: new code to the nodes, without looking at anything else.
//!
//! Owns choosing the images.

use super::{Outcome, interruptible, up};
use crate::error::{Error, Kind, Result};
use crate::observe::observe;
use crate::plan;
use crate::report::event::Event;
use crate::settings::Settings;
use crate::state::Lock;
use crate::tools::orphans::end_orphans;
use crate::world::World;

/// Runs the command.
///
/// # Errors
/// [`Kind::Usage`] for an image that is not in the settings, [`Kind::Cluster`] when the sandbox is
/// not up, or what building, sending or restarting failed with.
pub(super) async fn run(world: &World, settings: &Settings, images: &[String]) -> Result<Outcome> {
    let known: Vec<&str> = settings.images.iter().map(|image| image.reference.as_str()).collect();
    if let Some(unknown) = images.iter().find(|image| !known.contains(&image.as_str())) {
        return Err(Error::new(
            Kind::Usage,
            format!("`{unknown}` is none of the images of {}", settings.shown()),
        )
        .hint(format!("the images are: {}", known.join(", "))));
    }
    let place = world.place(&settings.name.value)?;
    let _lock = Lock::take(&place, "sandbox load")?;
    end_orphans(&place.dir()).await;
    let facts = interruptible(&world.cancel, observe(world, settings, &place)).await?;
    let plan = plan::load::load(settings, &facts, images)?;
    let name = &settings.name.value;
    world.events.send(Event::Started { title: format!("sandbox {name}: load") });
    up::carry_out(world, settings, &place, &facts, &plan, None).await?;
    let text = if plan.steps.is_empty() { "nothing to do\n" } else { "loaded\n" };
    let data = serde_json::json!({ "name": name.as_str(), "changed": !plan.steps.is_empty() });
    Ok(Outcome { text: text.to_owned(), data, bad_news: None })
}
