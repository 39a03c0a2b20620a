//! Datagrams over real sockets: all of them arrive, on both kinds, and what is
//! malformed is counted.

use std::time::Duration;

use tokio::net::{UdpSocket, UnixDatagram};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::super::testing::intake;
use super::{ENDPOINT, udp, unix};
use crate::serve::telemetry::intake::Intake;
use crate::serve::telemetry::store::Counter;

const DEADLINE: Duration = Duration::from_secs(20);

/// Ends the server and says what it counted.
async fn end(task: JoinHandle<()>, intake: &Intake, stop: &CancellationToken) -> [u64; 5] {
    stop.cancel();
    timeout(DEADLINE, task).await.expect("the server ends").unwrap();
    Counter::ALL.map(|counter| intake.store.counters().get(ENDPOINT, counter))
}

#[tokio::test]
async fn udp_datagrams_arrive_or_are_counted_as_dropped() {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    let (intake, stop) = (intake(), CancellationToken::new());
    let task = tokio::spawn(udp(socket, intake.clone(), stop.clone()));
    let client = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    client.connect(address).await.unwrap();
    for _ in 0..5000 {
        client.send(b"a:1|c|#env:dev\nb:2|g").await.unwrap();
    }
    client.send(b"malformed\n_sc|up|0\n_e{1,1}:a|b").await.unwrap();
    let [requests, _, accepted, malformed, dropped] = end(task, &intake, &stop).await;
    assert_eq!(requests + dropped, 5001);
    if dropped == 0 {
        assert_eq!((accepted, malformed), (10_002, 1));
    }
}

#[tokio::test]
async fn datagrams_of_a_unix_socket_are_never_lost() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dsd.socket");
    let socket = UnixDatagram::bind(&path).unwrap();
    let (intake, stop) = (intake(), CancellationToken::new());
    let task = tokio::spawn(unix(socket, intake.clone(), stop.clone()));
    let client = UnixDatagram::unbound().unwrap();
    client.connect(&path).unwrap();
    for _ in 0..5000 {
        timeout(DEADLINE, client.send(b"a:1:2|d|@0.5\n")).await.expect("there is room").unwrap();
    }
    let counted = end(task, &intake, &stop).await;
    assert_eq!(counted, [5000, 13 * 5000, 5000, 0, 0]);
}

#[tokio::test]
async fn a_fault_loses_single_datagrams() {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    let (intake, stop) = (intake(), CancellationToken::new());
    let fault = r#"{"endpoint": "dogstatsd", "drop": true, "times": 2}"#;
    intake.faults.add(serde_json::from_str(fault).unwrap()).unwrap();
    let task = tokio::spawn(udp(socket, intake.clone(), stop.clone()));
    let client = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    for _ in 0..5 {
        client.send_to(b"a:1|c\nb:1|c", address).await.unwrap();
    }
    let [requests, _, accepted, malformed, dropped] = end(task, &intake, &stop).await;
    assert_eq!((requests, accepted, malformed, dropped), (5, 6, 0, 2));
}
