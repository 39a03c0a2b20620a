//! What the stand-ins have in common: log the call, look up the answer, give it.
//!
//! A script is a JSON list of answers. An answer is for every call whose arguments contain the
//! answer's words in that order; the last such answer counts. A call without an answer fails.

use std::ffi::OsString;
use std::fs::OpenOptions;
use std::io::{Read, Write};
use std::process::ExitCode;
use std::time::Duration;

use serde::Deserialize;

/// Names the file that every call is appended to, as one line of JSON.
const LOG: &str = "FAKE_LOG";
/// Exit code of a call that the script does not foresee.
const UNEXPECTED: u8 = 97;
/// How long a hanging call hangs at most, so that nothing is left behind for ever.
const HANG: Duration = Duration::from_secs(300);

#[derive(Deserialize)]
struct Answer {
    words: Vec<String>,
    stdout: String,
    stderr: String,
    code: u8,
    /// Do not end by itself after writing.
    hang: bool,
    /// Write bytes that are no text before anything else.
    junk: bool,
}

/// Plays the script named by `variable` for this call.
pub(crate) fn play(program: &str, variable: &str) -> ExitCode {
    let args: Vec<String> =
        std::env::args_os().skip(1).map(|arg| arg.to_string_lossy().into_owned()).collect();
    let mut stdin = String::new();
    // Input that is no text is told as none.
    let _ = std::io::stdin().read_to_string(&mut stdin);
    log(program, &args, &stdin);
    let script = variable_of(variable).expect("the variable that names the script is set");
    let script = std::fs::read_to_string(script).expect("the script can be read");
    let answers: Vec<Answer> = serde_json::from_str(&script).expect("the script is a JSON list");
    let Some(answer) = answers.iter().rev().find(|answer| is_for(answer, &args)) else {
        say(
            &mut std::io::stderr(),
            format!("fake {program}: unexpected call: {args:?}\n").as_bytes(),
        );
        return UNEXPECTED.into();
    };
    if answer.junk {
        say(&mut std::io::stdout(), b"\xff\xfe\x00");
        say(&mut std::io::stderr(), b"\xff\xfe\x00\n");
    }
    say(&mut std::io::stdout(), answer.stdout.as_bytes());
    say(&mut std::io::stderr(), answer.stderr.as_bytes());
    if answer.hang {
        std::thread::sleep(HANG);
    }
    answer.code.into()
}

fn is_for(answer: &Answer, args: &[String]) -> bool {
    let mut rest = args.iter();
    answer.words.iter().all(|word| rest.any(|arg| arg == word))
}

fn log(program: &str, args: &[String], stdin: &str) {
    let Some(path) = variable_of(LOG) else { return };
    let line = serde_json::json!({
        "program": program,
        "args": args,
        "stdin": stdin,
        "pid": std::process::id(),
        "variables": variables(),
    });
    let mut file =
        OpenOptions::new().create(true).append(true).open(path).expect("the log can be opened");
    // One write for a line, so that calls at the same time do not mix.
    file.write_all(format!("{line}\n").as_bytes()).expect("the log can be written");
}

/// Writes; a reader that went away is no failure of the stand-in.
fn say(stream: &mut dyn Write, bytes: &[u8]) {
    let _ = stream.write_all(bytes).and_then(|()| stream.flush());
}

#[expect(clippy::disallowed_methods, reason = "a program of its own, not part of the product")]
fn variable_of(name: &str) -> Option<OsString> {
    std::env::var_os(name)
}

#[expect(clippy::disallowed_methods, reason = "a program of its own, not part of the product")]
fn variables() -> Vec<String> {
    std::env::vars_os().map(|(name, _)| name.to_string_lossy().into_owned()).collect()
}
