//! TLS over a connection, with what the server presents of itself.

mod certificate;
mod witness;

use std::io::{self, ErrorKind};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

pub(crate) use certificate::Certificate;
pub(crate) use witness::Presented;

use crate::network::probe::{Clocks, Failure, Socket};
use crate::network::url::Endpoint;
use witness::Witness;

/// Whom a probe talks to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trust {
    /// Anybody, as it tells and believes nothing that matters.
    Anybody,
    /// Those whom the roots of this box vouch for.
    Roots,
}

/// Agrees on TLS. With [`Trust::Roots`], a server that is not to be trusted is sent nothing more.
pub(crate) fn connect(
    socket: Socket,
    endpoint: &Endpoint,
    trust: Trust,
    clocks: &Clocks,
) -> Result<StreamOwned<ClientConnection, Socket>, Failure> {
    let roots = match trust {
        Trust::Anybody => None,
        Trust::Roots => Some(roots()?),
    };
    let (connection, presented) = handshake(socket, endpoint, roots, clocks)?;
    match presented.objection() {
        Some(why) if trust == Trust::Roots => Err(Failure::Untrusted(why)),
        _ => Ok(connection),
    }
}

/// What the server at the other end of a connection presents of itself.
pub(crate) fn presented(
    socket: Socket,
    endpoint: &Endpoint,
    clocks: &Clocks,
) -> Result<Presented, Failure> {
    Ok(handshake(socket, endpoint, Some(roots()?), clocks)?.1)
}

fn handshake(
    mut socket: Socket,
    endpoint: &Endpoint,
    roots: Option<Arc<RootCertStore>>,
    clocks: &Clocks,
) -> Result<(StreamOwned<ClientConnection, Socket>, Presented), Failure> {
    let no_tls = |error: rustls::Error| Failure::Tls(error.to_string());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let witness = Arc::new(Witness::new(&provider, roots));
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(no_tls)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::clone(&witness) as _)
        .with_no_client_auth();
    let name = ServerName::try_from(endpoint.host.clone())
        .map_err(|_| Failure::Tls("the name is not one that a certificate can hold".to_owned()))?;
    let mut connection = ClientConnection::new(Arc::new(config), name).map_err(no_tls)?;
    while connection.is_handshaking() {
        connection.complete_io(&mut socket).map_err(|error| failure(&error, &socket, clocks))?;
    }
    let presented = witness.presented().cloned();
    let presented = presented.ok_or_else(|| Failure::Tls("no certificate".to_owned()))?;
    Ok((StreamOwned::new(connection, socket), presented))
}

fn failure(error: &io::Error, socket: &Socket, clocks: &Clocks) -> Failure {
    let within = clocks.elapsed();
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match (error.kind(), inner, socket.received()) {
        (_, Some(rustls::Error::InvalidMessage(_)), _) => {
            Failure::Tls("it speaks something else".to_owned())
        }
        (_, Some(inner), _) => Failure::Tls(inner.to_string()),
        (ErrorKind::TimedOut | ErrorKind::WouldBlock, _, 0) => Failure::Silent(within),
        (ErrorKind::TimedOut | ErrorKind::WouldBlock, _, bytes) => {
            Failure::Dribble { bytes, within }
        }
        (ErrorKind::UnexpectedEof, _, bytes) => Failure::Closed { bytes },
        (ErrorKind::ConnectionReset | ErrorKind::BrokenPipe, _, _) => Failure::Reset,
        _ => Failure::Tls(error.to_string()),
    }
}

/// The root certificates of this box. To read them takes longer than all else that a probe does,
/// so that only those read them who need them, and once an hour: they may change while a monitor runs.
fn roots() -> Result<Arc<RootCertStore>, Failure> {
    const KEPT: Duration = Duration::from_secs(3600);
    static ROOTS: Mutex<Option<(Instant, Arc<RootCertStore>)>> = Mutex::new(None);
    // No thread panics while it holds the lock, so it is never poisoned.
    let mut kept = ROOTS.lock().unwrap_or_else(PoisonError::into_inner);
    let fresh = kept.as_ref().filter(|(read, roots)| read.elapsed() < KEPT && !roots.is_empty());
    let roots = fresh.map(|(_, roots)| Arc::clone(roots)).unwrap_or_else(|| {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        let roots = Arc::new(roots);
        *kept = Some((Instant::now(), Arc::clone(&roots)));
        roots
    });
    if roots.is_empty() {
        let why = "this box has no root certificates; install ca-certificates";
        return Err(Failure::Tls(why.to_owned()));
    }
    Ok(roots)
}
