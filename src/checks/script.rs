//! A database client in a pod, which tries again by itself until the reply is as expected.
//!
//! Owns the shell script and how its output is read, so that one pod is enough for a check. Whether
//! the last reply is good is decided by the kind; the script only decides when to stop.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use crate::checks::context::Context;
use crate::checks::{NAMESPACE, text};
use crate::tools::pod::{self, PodRun};

/// Between the columns of a row.
pub(super) const COLUMN: &str = "\u{1f}";
/// Between rows.
pub(super) const ROW: &str = "\u{1e}";
/// How long the pod may take beyond the script, to start late and to end.
const SLACK: Duration = Duration::from_secs(10);

/// Runs the client in its arguments until UNTIL, and stops early when it succeeds with the first
/// column of its first row equal to EXPECT, or, with LINES, one line of it. Writes the last reply,
/// or why there was none, and in the last line the client's exit code.
const SCRIPT: &str = r#"
column=$(printf '\037') row=$(printf '\036') carriage=$(printf '\r')
while :; do
    reply=$(timeout 5 "$@" 2>/tmp/check.error)
    status=$?
    reply=${reply%%"$row"*}
    reply=${reply%%"$column"*}
    if [ "$status" -eq 0 ]; then
        [ -z "${EXPECT+given}" ] && break
        [ "$reply" = "$EXPECT" ] && break
        [ -n "${LINES-}" ] && printf '%s\n' "$reply" |
            grep -Fxq -e "$EXPECT" -e "$EXPECT$carriage" && break
    fi
    [ "$(date +%s)" -ge "$UNTIL" ] && break
    sleep 0.5
done
[ "$status" -eq 0 ] || cat /tmp/check.error
printf '%s\n%s\n' "$reply" "$status"
"#;

/// A client to run.
pub(super) struct Client {
    /// The program with its arguments, none of them secret.
    pub(super) argv: Vec<String>,
    /// Its environment, which may be secret.
    pub(super) env: BTreeMap<String, String>,
    /// What to wait for.
    pub(super) expect: Option<String>,
    /// Whether one line of the reply is enough.
    pub(super) lines: bool,
    /// Image with the client.
    pub(super) image: String,
}

/// Runs the client; gives its last reply.
///
/// # Errors
/// One line: why there was no reply.
pub(super) async fn ask(
    context: &Context<'_>,
    client: Client,
    end: Instant,
) -> Result<String, String> {
    let cluster = context.workshop().await?;
    let left = end.saturating_duration_since(Instant::now());
    let run = pod_run(client, context.target.ca.as_ref(), left);
    let ended = pod::run(cluster, &run).await.map_err(|error| text::told(&error))?;
    read(&ended.output)
}

fn pod_run(client: Client, ca: Option<&String>, left: Duration) -> PodRun {
    let now = u64::try_from(jiff::Timestamp::now().as_second()).unwrap_or_default();
    let mut env = client.env;
    // Nodes are containers of this machine and have its clock.
    env.insert("UNTIL".to_owned(), (now + left.as_secs()).to_string());
    env.extend(client.expect.map(|expect| ("EXPECT".to_owned(), expect)));
    env.extend(client.lines.then(|| ("LINES".to_owned(), "yes".to_owned())));
    let script = ["sh", "-c", SCRIPT, "check"].map(str::to_owned);
    PodRun {
        prefix: "sandbox-check".to_owned(),
        namespace: NAMESPACE.to_owned(),
        image: client.image,
        command: script.to_vec(),
        args: client.argv,
        env,
        files: ca.map(|ca| ("ca.crt".to_owned(), ca.clone())).into_iter().collect(),
        claim: None,
        deadline: left + SLACK,
    }
}

/// The path of the certificate authority in the pod.
pub(super) fn ca_file() -> String {
    format!("{}/ca.crt", pod::FILES)
}

/// Reads what the script wrote.
fn read(output: &str) -> Result<String, String> {
    let (reply, status) = output.trim_end().rsplit_once('\n').unwrap_or(("", output.trim_end()));
    match status {
        "0" => Ok(reply.to_owned()),
        "124" => Err("no answer within 5s".to_owned()),
        "127" => Err("the image has no such client".to_owned()),
        _ if reply.trim().is_empty() => {
            Err(format!("the client failed: {}", text::line(status, 512)))
        }
        _ => Err(text::line(&reply.trim().replace('\n', "; "), 512)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(clippy::disallowed_methods, reason = "the script runs just as it does in the pod")]
    async fn on_this_machine(run: &PodRun) -> Result<String, String> {
        let mut command = tokio::process::Command::new(&run.command[0]);
        command.args(&run.command[1..]).args(&run.args).envs(&run.env);
        let output = command.output().await.unwrap();
        read(&String::from_utf8(output.stdout).unwrap())
    }

    async fn script(client: &[&str], expect: Option<&str>, lines: bool) -> Result<String, String> {
        let client = Client {
            argv: client.iter().map(|&arg| arg.to_owned()).collect(),
            env: BTreeMap::new(),
            expect: expect.map(str::to_owned),
            lines,
            image: String::new(),
        };
        let run = pod_run(client, None, Duration::ZERO);
        on_this_machine(&run).await
    }

    #[tokio::test]
    async fn the_reply_is_the_first_column_of_the_first_row() {
        let row = |text: &'static str| ["printf", text];
        assert_eq!(script(&row("t\\037x\\036f\\037y\\n"), Some("t"), false).await.unwrap(), "t");
        assert_eq!(script(&row("\\n"), None, false).await.unwrap(), "");
        let odd = ["printf", "%s", "a'b\"c $(x) \\ 100%"];
        assert_eq!(script(&odd, None, false).await.unwrap(), "a'b\"c $(x) \\ 100%");
        assert_eq!(script(&row("a\\nb\\n"), Some("b"), true).await.unwrap(), "a\nb");
    }

    #[tokio::test]
    async fn it_is_tried_again_until_it_fits() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("n").display().to_string();
        let count = "n=$(cat \"$0\" 2>/dev/null || echo 0); n=$((n + 1)); echo $n | tee \"$0\"";
        let client = Client {
            argv: ["sh", "-c", count, &file].map(str::to_owned).to_vec(),
            env: BTreeMap::new(),
            expect: Some("3".into()),
            lines: true,
            image: String::new(),
        };
        let run = pod_run(client, None, Duration::from_secs(20));
        assert_eq!(on_this_machine(&run).await.unwrap(), "3");
    }

    #[tokio::test]
    async fn a_failing_client_is_told_in_its_own_words() {
        let fails = ["sh", "-c", "echo 'FATAL:  no such role' >&2; exit 2"];
        assert_eq!(script(&fails, None, false).await.unwrap_err(), "FATAL:  no such role");
        let quiet = script(&["sh", "-c", "exit 3"], None, false).await;
        assert_eq!(quiet.unwrap_err(), "the client failed: 3");
        assert_eq!(read("124\n").unwrap_err(), "no answer within 5s");
        assert_eq!(read("").unwrap_err(), "the client failed: ");
    }
}
