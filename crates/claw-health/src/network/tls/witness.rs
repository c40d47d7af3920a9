//! Looks at the certificates of a server, takes down what is to be said against them, and lets the
//! connection go on: a check has to tell what is wrong, where a client only hangs up.

use std::sync::{Arc, OnceLock};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature,
};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

use super::Certificate;

/// The one who looks. Whether the server holds the key of its certificate is never passed over.
#[derive(Debug)]
pub(super) struct Witness {
    algorithms: WebPkiSupportedAlgorithms,
    /// Without roots, nothing is held against a certificate.
    roots: Option<Arc<RootCertStore>>,
    presented: OnceLock<Presented>,
}

/// What a server presented, and what is to be said against it.
#[derive(Clone, Debug)]
pub(crate) struct Presented {
    /// Its own certificate, and then those of its issuers.
    pub(crate) chain: Vec<CertificateDer<'static>>,
    /// Why the roots do not vouch for it, where they do not.
    pub(crate) untrusted: Option<String>,
    /// Why it is not for the name that was asked for, where it is not.
    pub(crate) misnamed: Option<String>,
}

impl Presented {
    /// The first thing that a client would object to.
    pub(super) fn objection(&self) -> Option<String> {
        self.untrusted.clone().or_else(|| self.misnamed.clone())
    }
}

impl Witness {
    pub(super) fn new(provider: &CryptoProvider, roots: Option<Arc<RootCertStore>>) -> Self {
        let algorithms = provider.signature_verification_algorithms;
        Self { algorithms, roots, presented: OnceLock::new() }
    }

    pub(super) fn presented(&self) -> Option<&Presented> {
        self.presented.get()
    }

    fn look(
        &self,
        roots: &RootCertStore,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        now: UnixTime,
    ) -> Result<(Option<String>, Option<String>), Error> {
        let parsed = ParsedCertificate::try_from(end_entity)?;
        let algorithms = self.algorithms.all;
        let trust = verify_server_cert_signed_by_trust_anchor(
            &parsed,
            roots,
            intermediates,
            now,
            algorithms,
        );
        let named = verify_server_name(&parsed, name);
        let certificate = Certificate::read(end_entity);
        let untrusted = trust.err().map(|error| objection(&error, certificate.as_ref().ok()));
        let misnamed = named.err().map(|_| match certificate.map(|its| its.names.join(", ")) {
            Ok(names) if !names.is_empty() => {
                format!("it is for {names} and not for {}", name.to_str())
            }
            _ => format!("it is not for {}", name.to_str()),
        });
        Ok((untrusted, misnamed))
    }
}

fn objection(error: &Error, certificate: Option<&Certificate>) -> String {
    use CertificateError as Of;
    match error {
        Error::InvalidCertificate(Of::Expired | Of::ExpiredContext { .. }) => {
            "it has expired".to_owned()
        }
        Error::InvalidCertificate(Of::NotValidYet | Of::NotValidYetContext { .. }) => {
            "it is not valid yet".to_owned()
        }
        _ if certificate.is_some_and(Certificate::is_self_signed) => "it is self-signed".to_owned(),
        Error::InvalidCertificate(Of::UnknownIssuer) => match certificate {
            Some(its) => format!("nobody whom this box trusts vouches for {}", its.issuer),
            None => "nobody whom this box trusts vouches for it".to_owned(),
        },
        _ => error.to_string().trim_start_matches("invalid peer certificate: ").to_owned(),
    }
}

impl ServerCertVerifier for Witness {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let (untrusted, misnamed) = match &self.roots {
            Some(roots) => self.look(roots, end_entity, intermediates, server_name, now)?,
            None => (None, None),
        };
        let chain = std::iter::once(end_entity).chain(intermediates);
        let chain = chain.map(|certificate| certificate.clone().into_owned()).collect();
        self.presented.get_or_init(|| Presented { chain, untrusted, misnamed });
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
