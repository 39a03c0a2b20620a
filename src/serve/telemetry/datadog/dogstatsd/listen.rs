//! Receives datagrams as fast as the kernel gives them. Owns a thread that
//! does nothing else, so that no work on other requests lets a socket's buffer
//! run over, and the queue behind it, whose size is bounded. What finds no
//! place there waits in the kernel. Must not know what is in a datagram.

use std::io;
use std::os::fd::AsFd;

use tokio::net::{UdpSocket, UnixDatagram};
use tokio::sync::mpsc::{self, error::TrySendError};
use tokio_util::sync::CancellationToken;

/// The largest datagram there is.
const DATAGRAM: usize = 64 << 10;
/// What a socket's buffer is asked to hold. The kernel gives up to
/// `net.core.rmem_max`, and more to a privileged process.
const KERNEL_BUFFER: usize = 32 << 20;
/// Pieces are passed on at this size, or when there is nothing more to read.
const PIECE: usize = 128 << 10;
/// How many pieces may wait.
const PIECES: usize = 256;

/// Datagrams that were received one after the other.
#[derive(Debug, Default)]
pub(super) struct Piece {
    /// Their bytes, each followed by a line break.
    pub(super) bytes: Vec<u8>,
    /// Where each of them ends.
    pub(super) ends: Vec<usize>,
}

/// A datagram socket of either kind.
pub(super) enum Socket {
    Udp(std::net::UdpSocket),
    Unix(std::os::unix::net::UnixDatagram),
}

impl Socket {
    /// Takes a socket from the runtime, which it comes from, and enlarges its
    /// buffer.
    pub(super) fn udp(socket: UdpSocket) -> io::Result<Self> {
        enlarge(&socket);
        Ok(Self::Udp(socket.into_std()?))
    }

    /// The same for a Unix socket.
    pub(super) fn unix(socket: UnixDatagram) -> io::Result<Self> {
        enlarge(&socket);
        Ok(Self::Unix(socket.into_std()?))
    }
}

/// A smaller buffer is no failure: it is what the machine allows.
fn enlarge(socket: impl AsFd) {
    use rustix::net::sockopt;
    if sockopt::set_socket_recv_buffer_size_force(&socket, KERNEL_BUFFER).is_err() {
        let _ = sockopt::set_socket_recv_buffer_size(&socket, KERNEL_BUFFER);
    }
}

/// Receives until `stop`, in a thread of its own. The end of the channel says
/// that it is over; what was sent before is in it.
pub(super) fn receive(socket: Socket, stop: CancellationToken) -> mpsc::Receiver<Piece> {
    let (sender, receiver) = mpsc::channel(PIECES);
    tokio::task::spawn_blocking(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build();
        // Without a runtime there is nothing to receive with, which the end
        // of the channel tells.
        let Ok(runtime) = runtime else { return };
        // At the end the kernel is asked without the runtime, which may not
        // have heard yet of what came last.
        runtime.block_on(async move {
            match socket {
                Socket::Udp(kernel) => {
                    let Ok(socket) = kernel.try_clone().and_then(UdpSocket::from_std) else {
                        return;
                    };
                    let reads = Reads {
                        ready: async || socket.readable().await,
                        next: |buffer: &mut [u8]| socket.try_recv(buffer),
                        last: |buffer: &mut [u8]| kernel.recv(buffer),
                    };
                    pump(reads, &sender, &stop).await;
                }
                Socket::Unix(kernel) => {
                    let socket = kernel.try_clone().and_then(UnixDatagram::from_std);
                    let Ok(socket) = socket else { return };
                    let reads = Reads {
                        ready: async || socket.readable().await,
                        next: |buffer: &mut [u8]| socket.try_recv(buffer),
                        last: |buffer: &mut [u8]| kernel.recv(buffer),
                    };
                    pump(reads, &sender, &stop).await;
                }
            }
        });
    });
    receiver
}

/// The ways to read from a socket, none of which waits but `ready`.
struct Reads<Ready, Next, Last> {
    /// Comes back when there is something to read.
    ready: Ready,
    /// Reads a datagram, and remembers when there is none.
    next: Next,
    /// Reads a datagram from the kernel itself.
    last: Last,
}

async fn pump(
    reads: Reads<
        impl AsyncFn() -> io::Result<()>,
        impl Fn(&mut [u8]) -> io::Result<usize>,
        impl Fn(&mut [u8]) -> io::Result<usize>,
    >,
    sender: &mpsc::Sender<Piece>,
    stop: &CancellationToken,
) {
    let mut buffer = vec![0; DATAGRAM];
    let mut piece = Piece::default();
    loop {
        let stopping = tokio::select! {
            () = stop.cancelled() => true,
            ready = (reads.ready)() => ready.is_err(),
            permit = sender.reserve(), if !piece.ends.is_empty() => {
                let Ok(permit) = permit else { return };
                permit.send(std::mem::take(&mut piece));
                continue;
            }
        };
        loop {
            let more = if stopping {
                fill(&mut piece, &mut buffer, &reads.last)
            } else {
                fill(&mut piece, &mut buffer, &reads.next)
            };
            if piece.ends.is_empty() {
                break;
            }
            let full = std::mem::take(&mut piece);
            if more || stopping {
                if sender.send(full).await.is_err() {
                    return;
                }
            } else {
                // While the queue has no place, small pieces become one.
                match sender.try_send(full) {
                    Ok(()) => {}
                    Err(TrySendError::Full(back)) => piece = back,
                    Err(TrySendError::Closed(_)) => return,
                }
            }
            if !more {
                break;
            }
        }
        if stopping {
            return;
        }
    }
}

/// Reads what is there, up to a piece; says whether there may be more.
fn fill(
    piece: &mut Piece,
    buffer: &mut [u8],
    read: &impl Fn(&mut [u8]) -> io::Result<usize>,
) -> bool {
    while piece.bytes.len() < PIECE {
        match read(buffer) {
            Ok(len) => {
                piece.bytes.extend_from_slice(buffer.get(..len).unwrap_or_default());
                piece.bytes.push(b'\n');
                piece.ends.push(piece.bytes.len());
            }
            // There is nothing more, or an error of the network, which is over
            // when it was read.
            Err(_) => return false,
        }
    }
    true
}
