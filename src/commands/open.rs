//! `sandbox open`: where to look, and a browser there.
//!
//! Owns the list of addresses. A machine without a browser is no failure: the addresses are said.

use std::time::Duration;

use serde_json::json;

use super::{Outcome, page, recorded, up};
use crate::error::Result;
use crate::settings::Settings;
use crate::tools::process::{self, Cmd};
use crate::world::World;

/// Programs that open an address in the user's browser.
const OPENERS: [&str; 2] = ["xdg-open", "open"];
/// One that has not failed by then shows the address, or is the browser itself.
const PATIENCE: Duration = Duration::from_secs(2);
/// What a browser needs to know beside what every child does.
const DESKTOP: [&str; 12] = [
    "BROWSER",
    "DBUS_SESSION_BUS_ADDRESS",
    "DESKTOP_SESSION",
    "DISPLAY",
    "LC_ALL",
    "SHELL",
    "WAYLAND_DISPLAY",
    "XAUTHORITY",
    "XDG_CONFIG_DIRS",
    "XDG_CURRENT_DESKTOP",
    "XDG_DATA_DIRS",
    "XDG_SESSION_TYPE",
];

/// Runs the command.
///
/// # Errors
/// [`Kind::Cluster`](crate::error::Kind::Cluster) when the sandbox is not up.
pub(super) async fn run(world: &World, settings: &Settings, print: bool) -> Result<Outcome> {
    let (_, record) = recorded(world, settings)?;
    let mut places: Vec<(&str, String)> = Vec::new();
    places.extend(page::address(&record).map(|url| ("page", url)));
    places.extend(up::urls(&record).into_iter().map(|url| ("app", url)));
    if let Some((_, first)) = places.first().filter(|_| !print && has_screen(world)) {
        show(world, first).await;
    }
    let text = places.iter().map(|(what, url)| format!("{what:<6} {url}\n")).collect();
    let list: Vec<_> =
        places.iter().map(|(what, url)| json!({ "what": what, "url": url })).collect();
    Ok(Outcome { text, data: json!({ "places": list }), bad_news: None })
}

/// Whether a browser could show something.
fn has_screen(world: &World) -> bool {
    let env = &world.env;
    cfg!(target_os = "macos")
        || env.text("DISPLAY").is_some()
        || env.text("WAYLAND_DISPLAY").is_some()
}

async fn show(world: &World, url: &str) {
    for opener in OPENERS {
        let Ok(program) = process::find(opener, world.env.text("PATH"), &world.cwd) else {
            continue;
        };
        let mut command = Cmd::new(program, "open a browser")
            .arg(url)
            .env(world.env.for_children())
            .deadline(PATIENCE);
        for name in DESKTOP {
            if let Some(value) = world.env.text(name) {
                command = command.with(name, value);
            }
        }
        if command.leave().await.is_ok() {
            return;
        }
    }
    world.events.warn("no browser could be opened");
}
