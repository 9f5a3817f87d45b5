//! The label of a client certificate. Only certificates that TLS has verified come here.

use sha2::{Digest, Sha256};
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

use super::http::request::is_sane;

/// Letters of a name that does not fit, in front of its hash.
const BEGINNING: usize = 47;

/// The holder: the first alternative name that is a text (an address of mail, a host, a URI), else the common name of the subject, else a
/// hash of the certificate. A name that does not fit a label becomes one with a hash behind it, so that two names never share one.
pub fn holder(der: &[u8]) -> String {
    let read = X509Certificate::from_der(der).ok();
    let name = read.and_then(|(_, certificate)| alternative_name(&certificate).or_else(|| common_name(&certificate)));
    match name.as_deref().map(str::as_bytes) {
        Some(name) if is_sane(name) => String::from_utf8_lossy(name).into_owned(),
        Some(name) if !name.is_empty() => {
            let fits = |byte: u8| is_sane(&[byte]);
            let beginning = name.iter().take(BEGINNING).map(|byte| if fits(*byte) { char::from(*byte) } else { '_' });
            format!("{}-{}", beginning.collect::<String>(), hash(name))
        }
        _ => format!("certificate-{}", hash(der)),
    }
}

fn hash(bytes: &[u8]) -> String {
    hex::encode(&Sha256::digest(bytes)[..8])
}

fn alternative_name(certificate: &X509Certificate<'_>) -> Option<String> {
    let names = certificate.subject_alternative_name().ok().flatten()?;
    names.value.general_names.iter().find_map(|name| match name {
        GeneralName::RFC822Name(text) | GeneralName::DNSName(text) | GeneralName::URI(text) => Some((*text).to_owned()),
        _ => None,
    })
}

fn common_name(certificate: &X509Certificate<'_>) -> Option<String> {
    certificate.subject().iter_common_name().next()?.as_str().ok().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DnType, KeyPair, SanType};

    use super::*;

    fn of(change: impl FnOnce(&mut CertificateParams)) -> Vec<u8> {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        change(&mut params);
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec()
    }

    #[test]
    fn a_holder_is_called_by_the_first_name() {
        let uri = |text: &str| SanType::URI(text.try_into().unwrap());
        let host = |text: &str| SanType::DnsName(text.try_into().unwrap());
        assert_eq!(
            holder(&of(|params| params.subject_alt_names = vec![host("edge-1.example"), uri("a:b")])),
            "edge-1.example"
        );
        let spiffe = of(|params| params.subject_alt_names = vec![uri("spiffe://example.org/ns/prod/sa/web")]);
        assert_eq!(
            holder(&spiffe),
            format!("spiffe___example.org_ns_prod_sa_web-{}", hash(b"spiffe://example.org/ns/prod/sa/web"))
        );
        let long = of(|params| params.subject_alt_names = vec![host(&"a".repeat(200))]);
        assert!(is_sane(holder(&long).as_bytes()), "{}", holder(&long));
        let subject = of(|params| params.distinguished_name.push(DnType::CommonName, "billing"));
        assert_eq!(holder(&subject), "billing");
    }

    #[test]
    fn what_is_no_certificate_has_a_label_all_the_same() {
        let whole = of(|params| params.subject_alt_names = vec![SanType::DnsName("a".try_into().unwrap())]);
        for length in 0..whole.len() {
            assert!(is_sane(holder(&whole[..length]).as_bytes()), "{length}");
        }
        for bytes in [&b""[..], &[0x30], &[0x30, 0x84, 0xff, 0xff, 0xff, 0xff], &[0x30, 0x80], &[0xff; 64]] {
            assert_eq!(holder(bytes), format!("certificate-{}", hash(bytes)));
        }
    }
}
