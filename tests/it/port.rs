//! A port for a server that is a process of its own.

use std::net::{Ipv4Addr, SocketAddr};

use tokio::net::TcpSocket;

/// A loopback port that nobody else is given as long as this is kept. A server that sets `SO_REUSEADDR`, as
/// they do, can listen there at once, and after it another: nothing listens here. Looking for a free port
/// and letting it go again leaves it to whoever asks next, and a test then talks to somebody else's server.
pub(crate) struct Port {
    number: u16,
    _held: TcpSocket,
}

impl Port {
    /// Any that is free.
    pub(crate) fn reserve() -> Self {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.set_reuseaddr(true).expect("an option of every socket");
        socket.bind((Ipv4Addr::LOCALHOST, 0).into()).expect("a free port");
        let number = socket.local_addr().expect("it is bound").port();
        Self { number, _held: socket }
    }

    /// Its number.
    pub(crate) fn number(&self) -> u16 {
        self.number
    }

    /// Where its server listens.
    pub(crate) fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.number).into()
    }
}
