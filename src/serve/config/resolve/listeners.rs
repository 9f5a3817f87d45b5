//! Where the server listens, and who can reach it.

use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use super::Reader;
use crate::serve::config::InvalidValue;
use crate::serve::tls::TlsFiles;

impl Reader<'_> {
    /// One address and port, or the two apart: what was said later wins.
    pub(super) fn http(&mut self) -> SocketAddr {
        let loopback = SocketAddr::from(([127, 0, 0, 1], 8080));
        let apart = self.layers.origin("host").max(self.layers.origin("rest-port"));
        if !self.layers.text("http").is_empty() && self.layers.origin("http") >= apart {
            return self.value("http", loopback, |text| {
                text.parse().map_err(|_| InvalidValue::new(text, "ADDRESS:PORT, such as 127.0.0.1:8080"))
            });
        }
        let host = self.value("host", loopback.ip(), |text| match text {
            "localhost" => Ok(loopback.ip()),
            _ => {
                IpAddr::from_str(text).map_err(|_| InvalidValue::new(text, "an address, such as 127.0.0.1 or 0.0.0.0"))
            }
        });
        let port = self.value("rest-port", 0, |text| text.parse().map_err(|_| InvalidValue::new(text, "a port")));
        SocketAddr::new(host, port)
    }

    /// Off, one address and port, or the host of REST with a port of its own.
    pub(super) fn grpc(&mut self) -> Option<SocketAddr> {
        let text = self.layers.text("grpc").to_owned();
        match text.as_str() {
            "off" => None,
            "" => {
                let host = self.http_host();
                let port =
                    self.value("grpc-port", 0, |text| text.parse().map_err(|_| InvalidValue::new(text, "a port")));
                Some(SocketAddr::new(host, port))
            }
            _ => self.value("grpc", None, |text| {
                text.parse().map(Some).map_err(|_| InvalidValue::new(text, "off or ADDRESS:PORT"))
            }),
        }
    }

    pub(super) fn http_host(&self) -> IpAddr {
        let loopback = IpAddr::from([127, 0, 0, 1]);
        self.layers.text("host").parse().unwrap_or(loopback)
    }

    pub(super) fn tls(&mut self) -> Option<TlsFiles> {
        let (certificate, key) = (self.path("tls-cert"), self.path("tls-key"));
        let clients = self.path("tls-client-ca");
        match (certificate, key) {
            (Some(certificate), Some(key)) => Some(TlsFiles { certificate, key, clients }),
            (None, None) if clients.is_none() => None,
            (certificate, _) => {
                let missing = if certificate.is_none() { "tls-cert" } else { "tls-key" };
                self.wrong(missing, "TLS needs a certificate and its key: name both with --tls-cert and --tls-key");
                None
            }
        }
    }

    pub(super) fn is_public_without_keys(&mut self, which: &str, address: SocketAddr, guarded: bool) {
        let allowed = self.switch("allow-public-without-keys").unwrap_or(false);
        if address.ip().to_canonical().is_loopback() || guarded || allowed {
            return;
        }
        let name = if self.layers.text(which).is_empty() { "host" } else { which };
        let why = format!(
            "{address} can be reached from other machines without a key: set --api-keys (akidb-edge serve \
             --new-api-key NAME generates a key) or --tls-client-ca, or listen on 127.0.0.1; if something else \
             protects the address, add --allow-public-without-keys"
        );
        self.wrong(name, why);
    }
}
