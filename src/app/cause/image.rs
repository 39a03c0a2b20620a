//! Images that cannot be had.
//!
//! Owns the wording of pull failures.

use std::time::Duration;

use crate::app::cause::container::Subject;
use crate::app::cause::{CauseKind, Finding, one_line, seen};

/// How long pulling an image may fail.
const UNPULLED: Duration = Duration::from_secs(3);

impl Subject<'_> {
    /// The image is not there, cannot be pulled or has no valid name.
    pub(super) fn image(&self, reason: &str, message: &str) -> Option<Finding> {
        let image = self.spec.and_then(|spec| spec.image.as_deref()).unwrap_or(&self.status.image);
        let listed = || {
            format!(
                "list `{image}` under `images:` in sandbox.yaml (with `build:`, or after `docker \
                 pull {image}`), or fix the name or tag in the values"
            )
        };
        let (summary, hint, lasts) = match reason {
            "InvalidImageName" => (
                format!("`{image}` is no image name"),
                "fix `image:` in the values; a tag may be empty or a registry may have `https://`"
                    .to_owned(),
                Duration::ZERO,
            ),
            "ErrImageNeverPull" => (
                format!("image `{image}` is not on the node, and imagePullPolicy is Never"),
                listed(),
                Duration::ZERO,
            ),
            "ErrImagePull"
            | "ImagePullBackOff"
            | "RegistryUnavailable"
            | "ImageInspectError"
            | "SignatureValidationFailed" => {
                let why = pull_failure(message).or_else(|| {
                    let event =
                        seen::of_pod(self.scene.snapshot.events, self.about.pod, &["Failed"]);
                    event
                        .map(seen::message)
                        .filter(|told| told.contains(image))
                        .and_then(pull_failure)
                });
                let why = why.map_or_else(String::new, |why| format!(": {why}"));
                (format!("image `{image}` cannot be pulled{why}"), listed(), UNPULLED)
            }
            _ => return None,
        };
        let mut hints = vec![hint];
        if self.spec.and_then(|spec| spec.image_pull_policy.as_deref()) == Some("Always") {
            hints.push(
                "imagePullPolicy is Always, so the registry is asked even when the image was \
                 loaded; set it to IfNotPresent in the local values"
                    .to_owned(),
            );
        }
        let cause = self.cause(CauseKind::Image, summary, hints);
        Some(Finding { cause, lasts, symptom: None })
    }
}

/// The part of a pull failure that says something; the rest repeats the image's name.
fn pull_failure(message: &str) -> Option<String> {
    let known = [
        ("no match for platform", "it does not exist for this machine's CPU architecture"),
        ("no such host", "no such host"),
        ("insufficient_scope", "not found, or access denied"),
        ("repository does not exist", "not found, or access denied"),
        ("unauthorized", "unauthorized"),
        ("401 ", "unauthorized"),
        ("403 ", "forbidden"),
        ("toomanyrequests", "the registry's rate limit is reached"),
        ("429 ", "the registry's rate limit is reached"),
        ("x509:", "the registry's certificate is not trusted"),
        ("connection refused", "connection refused"),
        ("i/o timeout", "the registry does not answer"),
        ("deadline exceeded", "the registry does not answer"),
        ("not found", "not found"),
    ];
    let lower = message.to_lowercase();
    if let Some((_, why)) = known.iter().find(|(part, _)| lower.contains(part)) {
        return Some((*why).to_owned());
    }
    let last = one_line(message.rsplit(": ").next()?);
    let says_nothing = last.is_empty()
        || last.starts_with("Back-off pulling image")
        || matches!(last.as_str(), "ErrImagePull" | "ImagePullBackOff");
    (!says_nothing).then_some(last)
}
