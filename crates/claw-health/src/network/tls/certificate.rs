//! What a certificate says of itself.

use std::net::{Ipv4Addr, Ipv6Addr};

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use x509_cert::der::Decode;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;

/// The parts of a certificate that people ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Certificate {
    pub(crate) subject: String,
    pub(crate) issuer: String,
    /// The names and addresses it is for.
    pub(crate) names: Vec<String>,
    /// When it begins to be valid, in seconds since 1970.
    pub(crate) begins: u64,
    /// When it ends.
    pub(crate) ends: u64,
}

impl Certificate {
    /// Reads a certificate.
    pub(crate) fn read(der: &CertificateDer<'_>) -> Result<Self, String> {
        let whole = x509_cert::Certificate::from_der(der)
            .map_err(|error| format!("a certificate that cannot be read: {error}"))?;
        let its = &whole.tbs_certificate;
        let names = match its.get::<SubjectAltName>() {
            Ok(Some((_, names))) => names.0.iter().filter_map(name).collect(),
            _ => Vec::new(),
        };
        Ok(Self {
            subject: its.subject.to_string(),
            issuer: its.issuer.to_string(),
            names,
            begins: its.validity.not_before.to_unix_duration().as_secs(),
            ends: its.validity.not_after.to_unix_duration().as_secs(),
        })
    }

    /// Reads every certificate of a PEM file, whatever else it holds.
    pub(crate) fn read_pem(text: &str) -> Result<Vec<Self>, String> {
        let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text.as_bytes())
            .map(|der| der.map_err(|_| "it is garbled".to_owned()).and_then(|der| Self::read(&der)))
            .collect();
        match certificates {
            Ok(none) if none.is_empty() => Err("it holds no certificate".to_owned()),
            certificates => certificates,
        }
    }

    /// Did it vouch for itself?
    pub(crate) fn is_self_signed(&self) -> bool {
        self.subject == self.issuer
    }

    /// What to call it.
    pub(crate) fn name(&self) -> &str {
        self.names.first().unwrap_or(&self.subject)
    }
}

fn name(name: &GeneralName) -> Option<String> {
    match name {
        GeneralName::DnsName(name) => Some(name.to_string()),
        GeneralName::IpAddress(bytes) => {
            let v4 =
                <[u8; 4]>::try_from(bytes.as_bytes()).map(|its| Ipv4Addr::from(its).to_string());
            let v6 = || <[u8; 16]>::try_from(bytes.as_bytes());
            v4.or_else(|_| v6().map(|its| Ipv6Addr::from(its).to_string())).ok()
        }
        _ => None,
    }
}
