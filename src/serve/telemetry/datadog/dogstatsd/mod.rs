//! `DogStatsD`: metrics, events and service checks in datagrams. Owns the way
//! from a socket to the store.

mod batch;
mod kernel;
mod listen;
mod parse;
#[cfg(test)]
mod parse_tests;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::time::Duration;

use tokio::net::{UdpSocket, UnixDatagram};
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use self::batch::Batch;
use self::kernel::Drops;
use self::listen::{Piece, Socket, receive};
use crate::serve::telemetry::intake::Intake;
use crate::serve::telemetry::model::Protocol;
use crate::serve::telemetry::store::Counter;

/// The endpoint's name in counters and faults.
const ENDPOINT: &str = "dogstatsd";
/// How often the kernel is asked what it dropped, while something comes in.
const ASK: Duration = Duration::from_secs(1);
/// The same while nothing does.
const NEVER: Duration = Duration::from_secs(3600);

/// Takes datagrams from a UDP socket until `stop`, then those that are there.
pub(crate) async fn udp(socket: UdpSocket, intake: Intake, stop: CancellationToken) {
    let drops = Drops::of(&socket);
    run(Socket::udp(socket), drops, &intake, stop).await;
}

/// The same for a Unix socket.
pub(crate) async fn unix(socket: UnixDatagram, intake: Intake, stop: CancellationToken) {
    run(Socket::unix(socket), None, &intake, stop).await;
}

async fn run(
    socket: std::io::Result<Socket>,
    mut drops: Option<Drops>,
    intake: &Intake,
    stop: CancellationToken,
) {
    let socket = match socket {
        Ok(socket) => socket,
        Err(error) => return (intake.log)(&format!("dogstatsd cannot receive: {error}")),
    };
    let mut pieces = receive(socket, stop);
    let mut asked = Instant::now();
    let mut unasked = false;
    loop {
        if !unasked {
            asked = Instant::now();
        }
        let until = if unasked { asked + ASK } else { asked + NEVER };
        let Ok(piece) = timeout_at(until, pieces.recv()).await else {
            count_drops(drops.as_mut(), intake);
            unasked = false;
            continue;
        };
        let Some(piece) = piece else { break };
        unasked = true;
        keep(&piece, intake);
        // The rest of the server gets its turn also when this never ends.
        tokio::task::yield_now().await;
    }
    count_drops(drops.as_mut(), intake);
}

fn count_drops(drops: Option<&mut Drops>, intake: &Intake) {
    let more = drops.map_or(0, Drops::more);
    if more > 0 {
        intake.store.counters().add(ENDPOINT, Counter::Dropped, more);
        (intake.log)(&format!("dogstatsd: the kernel dropped {more} datagrams"));
    }
}

fn keep(piece: &Piece, intake: &Intake) {
    let counters = intake.store.counters();
    let datagrams = u64::try_from(piece.ends.len()).unwrap_or(u64::MAX);
    let bytes = u64::try_from(piece.bytes.len()).unwrap_or(u64::MAX);
    counters.add(ENDPOINT, Counter::Requests, datagrams);
    counters.add(ENDPOINT, Counter::Bytes, bytes.saturating_sub(datagrams));
    let (kept, lost) = strike(piece, intake);
    if lost > 0 {
        counters.add(ENDPOINT, Counter::Dropped, lost);
    }
    lines(&kept, ENDPOINT, intake);
}

/// Takes out the datagrams that a fault loses; says how many they are.
fn strike<'p>(piece: &'p Piece, intake: &Intake) -> (Cow<'p, [u8]>, u64) {
    let mut kept = Cow::Borrowed(&piece.bytes[..]);
    let (mut lost, mut begin) = (0, 0);
    for end in &piece.ends {
        let datagram = piece.bytes.get(begin..*end).unwrap_or_default();
        if intake.faults.drops(ENDPOINT) {
            if lost == 0 {
                kept = Cow::Owned(piece.bytes.get(..begin).unwrap_or_default().to_vec());
            }
            lost += 1;
        } else if lost > 0 {
            kept.to_mut().extend_from_slice(datagram);
        }
        begin = *end;
    }
    (kept, lost)
}

/// Keeps the lines of datagrams, which may also come over HTTP.
pub(super) fn lines(bytes: &[u8], endpoint: &'static str, intake: &Intake) {
    let text = String::from_utf8_lossy(bytes);
    let batch = Batch::read(&text);
    let counters = intake.store.counters();
    if !batch.points.is_empty() {
        intake.store.add_points(Protocol::Dogstatsd, &batch.points);
    }
    if !batch.logs.is_empty() {
        intake.store.add_logs(Protocol::Dogstatsd, &batch.logs);
    }
    let kept = batch.points.len() + batch.logs.len();
    if kept > 0 {
        counters.add(endpoint, Counter::Accepted, u64::try_from(kept).unwrap_or(u64::MAX));
    }
    if batch.malformed > 0 {
        counters.add(endpoint, Counter::Malformed, batch.malformed);
    }
}
