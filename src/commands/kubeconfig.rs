//! `sandbox kubeconfig`: where the sandbox's own kubeconfig is.

use serde_json::json;

use super::Outcome;
use crate::error::{Context, Error, Kind, Result};
use crate::settings::Settings;
use crate::world::World;

/// Runs the command.
///
/// # Errors
/// [`Kind::Cluster`] when the sandbox has none yet.
pub(super) fn run(world: &World, settings: &Settings, raw: bool) -> Result<Outcome> {
    let path = world.place(&settings.name.value)?.kubeconfig();
    if !path.is_file() {
        return Err(Error::new(
            Kind::Cluster,
            format!("sandbox `{}` has no kubeconfig", settings.name.value),
        )
        .hint("sandbox up"));
    }
    let text = if raw {
        std::fs::read_to_string(&path)
            .context(Kind::Machine, || format!("cannot read `{}`", path.display()))?
    } else {
        format!("{}\n", path.display())
    };
    Ok(Outcome { text, data: json!({ "kubeconfig": path }), bad_news: None })
}
