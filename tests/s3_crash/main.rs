//! Kills a process that uses the store, again and again, and looks at what is
//! left: all that was acknowledged, every object whole, and nothing else but
//! what was under way.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod child;
mod content;
mod model;

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use content::Random;
use model::Model;

/// How long the child may say nothing.
const SILENCE: Duration = Duration::from_secs(60);

#[test]
fn what_was_acknowledged_survives_kills() {
    run(5, 1_000);
}

#[test]
#[ignore = "takes minutes: 10 000 operations with a kill after every few hundred"]
fn long_ten_thousand_operations_survive_kills() {
    run(20, 10_000);
}

/// Goes on until so many kills and so many acknowledged operations.
fn run(kills: u32, operations: u64) {
    let dir = tempfile::tempdir().unwrap();
    let mut model = Model::default();
    let mut random = Random::new(u64::from(std::process::id()));
    let (mut round, mut done) = (0, 0);
    while round < kills || done < operations {
        round += 1;
        let limit = 1 + random.below(2 * operations / u64::from(kills));
        done += work_and_kill(dir.path(), round, limit, &mut model);
        model.compare(dir.path(), round);
    }
}

/// Lets a child work until it has acknowledged `limit` operations, and kills it.
fn work_and_kill(dir: &Path, round: u32, limit: u64, model: &mut Model) -> u64 {
    let mut child = start(dir, round);
    let lines = lines(&mut child);
    let mut done = 0;
    loop {
        match lines.recv_timeout(SILENCE) {
            Ok(line) => done += u64::from(model.note(&line)),
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => {
                child.kill().unwrap();
                panic!("round {round}: waited for the next operation of the child");
            }
        }
        if done == limit {
            child.kill().unwrap();
        }
    }
    let status = child.wait().unwrap();
    assert!(done >= limit, "round {round}: the child ended by itself: {status}");
    done
}

#[expect(clippy::disallowed_methods, reason = "a process that is there to be killed")]
fn start(dir: &Path, round: u32) -> Child {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["child::works_until_killed", "--exact", "--ignored", "--nocapture"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    writeln!(child.stdin.take().unwrap(), "{round} {}", dir.display()).unwrap();
    child
}

fn lines(child: &mut Child) -> Receiver<String> {
    let stdout = BufReader::new(child.stdout.take().unwrap());
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for line in stdout.lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    receiver
}
