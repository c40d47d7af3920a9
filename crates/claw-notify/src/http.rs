//! HTTP: a request, an answer, and why there is none; within bounds, and nowhere else than asked.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use rustls::CertificateError;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{DefaultConnector, NextTimeout};
use ureq::{Agent, Error, Proxy};

use claw_box::getent;

use crate::proxy;

/// What asks: one agent for all of a process, so that connections are used again.
#[derive(Debug)]
pub(crate) struct Http {
    timeout: Duration,
    plain: OnceLock<Agent>,
    secure: OnceLock<Agent>,
}

/// What was answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
    /// What `Retry-After` says, in seconds.
    pub(crate) retry_after: Option<u64>,
}

impl Answer {
    /// The first words of what was answered, for people.
    pub(crate) fn words(&self) -> String {
        const LONGEST: usize = 200;
        let text = String::from_utf8_lossy(&self.body);
        let line = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
        crate::text::cut(line.trim(), LONGEST)
    }
}

impl Http {
    /// Each request has that long for all that belongs to it.
    pub(crate) fn new(timeout: Duration) -> Self {
        Self { timeout, plain: OnceLock::new(), secure: OnceLock::new() }
    }

    /// Posts a body. The reason why there is no answer never holds the address.
    pub(crate) fn post(
        &self,
        url: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Result<Answer, String> {
        let uri: Uri = url.parse().map_err(|_| NO_URL.to_owned())?;
        let proxy = proxy::of(&uri, |name| std::env::var(name).ok())?;
        let way = proxy
            .as_ref()
            .map(|proxy| format!("through the proxy {}:{}: ", proxy.host(), proxy.port()));
        let reason = |error| way.clone().unwrap_or_default() + &reason(&error);
        let is_secure = [Some(&uri), proxy.as_ref().map(Proxy::uri)]
            .iter()
            .any(|uri| uri.is_some_and(|uri| uri.scheme_str() == Some("https")));
        let mut request = self.agent(is_secure).post(uri).config().proxy(proxy).build();
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut response = request.send(body).map_err(reason)?;
        /// More than any service answers that was told something.
        const LONGEST_BYTES: u64 = 64 * 1024;
        let retry_after = response.headers().get("retry-after");
        let retry_after = retry_after.and_then(|value| value.to_str().ok()?.trim().parse().ok());
        let status = response.status().as_u16();
        let body = response.body_mut().with_config().limit(LONGEST_BYTES).read_to_vec();
        let body = match body {
            Ok(body) => body,
            // The status is an answer too, but for one that says all is well.
            Err(_) if status >= 300 => Vec::new(),
            Err(error) => return Err(reason(error)),
        };
        Ok(Answer { status, body, retry_after })
    }

    fn agent(&self, is_secure: bool) -> &Agent {
        if is_secure {
            self.secure.get_or_init(|| agent(self.timeout, system_certificates()))
        } else {
            self.plain.get_or_init(|| agent(self.timeout, Vec::new()))
        }
    }
}

fn agent(timeout: Duration, certificates: Vec<Certificate<'static>>) -> Agent {
    let tls = TlsConfig::builder()
        .root_certs(RootCerts::Specific(Arc::new(certificates)))
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .build();
    let config = Config::builder()
        .tls_config(tls)
        // Each request says whether there is one.
        .proxy(None)
        .http_status_as_error(false)
        // Whoever answers does not decide who else is told.
        .max_redirects(0)
        .max_redirects_will_error(false)
        .timeout_global(Some(timeout))
        .timeout_connect(Some(timeout / 2))
        .user_agent("claw-notify")
        .max_idle_connections(16)
        .max_idle_connections_per_host(8)
        .build();
    Agent::with_parts(config, DefaultConnector::default(), Names)
}

/// The certificates that the box trusts.
fn system_certificates() -> Vec<Certificate<'static>> {
    let found = rustls_native_certs::load_native_certs().certs;
    found.iter().map(|found| Certificate::from_der(found).to_owned()).collect()
}

const NO_URL: &str = "the address is no URL";

/// Why there is no answer, without the address.
fn reason(error: &Error) -> String {
    match error {
        Error::Timeout(_) => "no answer in time".to_owned(),
        Error::HostNotFound => "unknown host".to_owned(),
        Error::ConnectionFailed => "nobody accepts a connection".to_owned(),
        Error::Io(error) => match error.get_ref().and_then(|inner| inner.downcast_ref()) {
            Some(error) => tls(error),
            None => error.to_string(),
        },
        Error::Rustls(error) => tls(error),
        Error::BadUri(_) => NO_URL.to_owned(),
        Error::BodyExceedsLimit(_) => "the answer is too long".to_owned(),
        Error::ConnectProxyFailed(why) => match why.rsplit('/').next() {
            Some(status) if status.parse::<u16>().is_ok() => format!("it answers {status}"),
            _ => "it does not answer".to_owned(),
        },
        Error::Protocol(error) => format!("not HTTP: {error}"),
        // Others are new, and may hold anything.
        _ => "the request failed".to_owned(),
    }
}

/// Why a connection is not trusted.
fn tls(error: &rustls::Error) -> String {
    use CertificateError as Why;
    let rustls::Error::InvalidCertificate(why) = error else { return format!("TLS: {error}") };
    let why = match why {
        Why::Expired | Why::ExpiredContext { .. } => "it is expired".to_owned(),
        Why::NotValidYet | Why::NotValidYetContext { .. } => {
            "it is not valid yet, if this box knows the time".to_owned()
        }
        Why::NotValidForName | Why::NotValidForNameContext { .. } => {
            "it is for another name".to_owned()
        }
        Why::UnknownIssuer | Why::BadSignature => {
            "nobody whom this box trusts has signed it".to_owned()
        }
        other => other.to_string(),
    };
    format!("its certificate is refused: {why}")
}

/// Finds the addresses of a name by asking another program: the C library's own resolver does not
/// work in a program that is linked statically.
#[derive(Debug)]
struct Names;

impl Resolver for Names {
    fn resolve(
        &self,
        uri: &Uri,
        _config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, Error> {
        const MOST: usize = 16;
        let host = uri.host().ok_or(Error::HostNotFound)?;
        let default = if uri.scheme_str() == Some("https") { 443 } else { 80 };
        let port = uri.port_u16().unwrap_or(default);
        let mut found = self.empty();
        for address in addresses(host, *timeout.after)?.into_iter().take(MOST) {
            found.push(SocketAddr::new(address, port));
        }
        if found.is_empty() { Err(Error::HostNotFound) } else { Ok(found) }
    }
}

/// The addresses of a host, within that time. What needs no resolver is not given to it.
pub(crate) fn addresses(host: &str, within: Duration) -> Result<Vec<IpAddr>, Error> {
    const LONGEST: Duration = Duration::from_secs(10);
    let literal = host.trim_start_matches('[').trim_end_matches(']');
    if let Ok(address) = literal.parse() {
        return Ok(vec![address]);
    }
    let name = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
    if name == "localhost" || name.ends_with(".localhost") {
        return Ok(vec![IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)]);
    }
    getent::ahosts(host, Instant::now() + within.min(LONGEST))
        .map_err(|why| Error::Io(std::io::Error::other(why)))
}
