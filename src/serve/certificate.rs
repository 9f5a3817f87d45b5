//! What the certificate of a client calls its holder, as a label. Only certificates that TLS has checked come here.

use sha2::{Digest, Sha256};

use super::http::request::is_sane;

/// Letters of a name that does not fit, in front of its hash.
const BEGINNING: usize = 47;
/// `subjectAltName` (2.5.29.17) as DER writes it.
const ALTERNATIVE_NAME: &[u8] = &[0x55, 0x1d, 0x11];
/// `commonName` (2.5.4.3).
const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
/// Tags of DER: a sequence, bytes, the extensions of a certificate.
const SEQUENCE: u8 = 0x30;
const OCTETS: u8 = 0x04;
const EXTENSIONS: u8 = 0xa3;
/// Alternative names that are texts: an address of mail, a host, a URI.
const TEXTS: [u8; 3] = [0x81, 0x82, 0x86];

/// The holder: the first alternative name that is a text, else the common name of the subject, else a hash of the certificate. A name
/// that is no label becomes one with a hash behind it, so that two names never share one.
pub fn holder(der: &[u8]) -> String {
    match alternative_name(der).or_else(|| common_name(der)) {
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

fn alternative_name(der: &[u8]) -> Option<&[u8]> {
    let (_, extensions) = body(der)?.find(|(tag, _)| *tag == EXTENSIONS)?;
    let (_, list, _) = element(extensions)?;
    let names = Elements(list).find_map(|(_, extension)| {
        let mut fields = Elements(extension);
        let (_, kind) = fields.next()?;
        // Whether it is critical may stand between.
        let (_, value) = fields.find(|(tag, _)| *tag == OCTETS)?;
        (kind == ALTERNATIVE_NAME).then_some(value)
    })?;
    let (_, names, _) = element(names)?;
    Elements(names).find(|(tag, _)| TEXTS.contains(tag)).map(|(_, name)| name)
}

fn common_name(der: &[u8]) -> Option<&[u8]> {
    // Algorithm, issuer, validity, subject; version and serial number before them are no sequences.
    let (_, subject) = body(der)?.filter(|(tag, _)| *tag == SEQUENCE).nth(3)?;
    Elements(subject).find_map(|(_, set)| {
        let (_, pair, _) = element(set)?;
        let mut fields = Elements(pair);
        let ((_, kind), (_, value)) = (fields.next()?, fields.next()?);
        (kind == COMMON_NAME).then_some(value)
    })
}

/// The parts of what is signed.
fn body(der: &[u8]) -> Option<Elements<'_>> {
    let (_, certificate, _) = element(der)?;
    let (_, body, _) = element(certificate)?;
    Some(Elements(body))
}

/// Elements of DER one after another, as tag and content; it ends where something else stands.
struct Elements<'d>(&'d [u8]);

impl<'d> Iterator for Elements<'d> {
    type Item = (u8, &'d [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (tag, content, rest) = element(self.0)?;
        self.0 = rest;
        Some((tag, content))
    }
}

/// The first element: its tag, its content, and what stands behind it.
fn element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&[tag, first], rest) = bytes.split_first_chunk::<2>()?;
    let (length, rest) = match first {
        0..0x80 => (usize::from(first), rest),
        0x81..=0x84 => {
            let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            (digits.iter().fold(0, |length: usize, digit| length << 8 | usize::from(*digit)), rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
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
