//! Listening on a fixed, preferred or free port.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use tokio::net::TcpListener;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Port {
    Exactly(u16),
    /// This port, or any free one if it is taken.
    Preferably(u16),
    /// Any free port.
    Any,
}

/// Listens on that address and port.
pub async fn listen(host: IpAddr, port: Port) -> io::Result<TcpListener> {
    let (port, required) = match port {
        Port::Exactly(port) => (port, true),
        Port::Preferably(port) => (port, false),
        Port::Any => (0, true),
    };
    match TcpListener::bind((host, port)).await {
        Err(_) if !required => TcpListener::bind((host, 0)).await,
        listener => listener,
    }
}

/// The URL of a listener on this machine. A listener on all addresses is reached at loopback.
pub fn url(listener: &TcpListener) -> io::Result<String> {
    let mut address = listener.local_addr()?;
    if address.ip().is_unspecified() {
        address.set_ip(match address.ip() {
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    Ok(format!("http://{address}"))
}
