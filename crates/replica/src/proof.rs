//! What proves an object of a chain: texts beside it, signed. One request brings the object, its proof and its place in the chain.

use jiff::Timestamp;

use crate::ltx::Name;
use crate::merkle::Root;
use crate::store::ObjectMetadata;
use crate::trust::{SigningKey, Trust};

/// The text with the proof.
const PROOF: &str = "akidb-proof";
/// The text by which Litestream knows when an object in S3 was published.
const WRITTEN: &str = "litestream-timestamp";
/// The format of proofs.
const FORMAT: &str = "1";

/// What is claimed of an object.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Claim {
    /// Its name: a copy under another one proves nothing.
    pub name: Name,
    /// Its bytes.
    pub size: u64,
    /// The SHA-256 of all of them, in hexadecimal digits.
    pub sha256: String,
    /// The primary's turn.
    pub epoch: u64,
    /// Pages of the database after it.
    pub pages: u32,
    /// The root over them.
    pub root: Root,
    /// The root before it; `None` for a snapshot.
    pub before: Option<Root>,
    /// When it was published.
    pub at: Timestamp,
}

/// A claim, and who says so.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Proof {
    /// What is claimed.
    pub claim: Claim,
    /// Whether a key that is trusted signed it.
    pub signed: bool,
}

/// Why a proof proves nothing.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub(crate) enum ProofFault {
    /// A newer version wrote it.
    #[error("its proof has format {0}, and this version knows {FORMAT}: use a newer version")]
    Newer(String),
    /// It cannot be read.
    #[error("its proof cannot be read")]
    Unreadable,
    /// It is there, or has to be, and does not hold.
    #[error("{0}")]
    Untrusted(&'static str),
}

impl Claim {
    fn message(&self) -> String {
        let before = self.before.map_or_else(|| "-".to_owned(), |root| root.to_string());
        let Name { level, min, max } = self.name;
        let Self { size, sha256, epoch, pages, root, at, .. } = self;
        let at = at.as_millisecond();
        format!(
            "akidb-edge object {FORMAT}\n{level} {min} {max}\n{size} {sha256}\n{epoch} {pages} {root} {before} {at}\n"
        )
    }

    /// The texts that go beside the object.
    pub fn metadata(&self, key: Option<&SigningKey>) -> ObjectMetadata {
        let (id, signature) = key.map_or_else(
            || ("-".to_owned(), "-".to_owned()),
            |key| (key.public().id(), key.sign(self.message().as_bytes())),
        );
        let before = self.before.map_or_else(|| "-".to_owned(), |root| root.to_string());
        let Self { size, sha256, epoch, pages, root, at, .. } = self;
        let millis = at.as_millisecond();
        let proof = format!("{FORMAT} {size} {sha256} {epoch} {pages} {root} {before} {millis} {id} {signature}");
        ObjectMetadata::from([(PROOF.to_owned(), proof), (WRITTEN.to_owned(), at.to_string())])
    }
}

impl Proof {
    /// Reads the texts beside an object. `None`: there is none, and none is asked for.
    pub fn read(name: Name, metadata: &ObjectMetadata, trust: &Trust) -> Result<Option<Self>, ProofFault> {
        let Some(text) = metadata.get(PROOF) else {
            return match trust {
                Trust::Unsigned => Ok(None),
                Trust::Keys(_) => Err(ProofFault::Untrusted("it is not signed, and signatures are asked for")),
            };
        };
        let fields: Vec<&str> = text.split(' ').collect();
        if fields[0] != FORMAT {
            return Err(ProofFault::Newer(fields[0].chars().take(20).collect()));
        }
        let (claim, signature) = parse(name, &fields).ok_or(ProofFault::Unreadable)?;
        if !trust.accepts(claim.message().as_bytes(), signature) {
            let why = "no trusted key signed it under this name: it was forged, or another object was put in its place";
            return Err(ProofFault::Untrusted(why));
        }
        Ok(Some(Self { claim, signed: matches!(trust, Trust::Keys(_)) }))
    }
}

fn parse<'a>(name: Name, fields: &[&'a str]) -> Option<(Claim, Option<&'a str>)> {
    let [_, size, sha256, epoch, pages, root, before, at, _, signature] = fields else { return None };
    let claim = Claim {
        name,
        size: size.parse().ok()?,
        sha256: (sha256.len() == 64).then(|| (*sha256).to_owned())?,
        epoch: epoch.parse().ok()?,
        pages: pages.parse().ok()?,
        root: root.parse().ok()?,
        before: if *before == "-" { None } else { Some(before.parse().ok()?) },
        at: Timestamp::from_millisecond(at.parse().ok()?).ok()?,
    };
    Some((claim, (*signature != "-").then_some(*signature)))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use jiff::Timestamp;

    use super::{Claim, PROOF, Proof, ProofFault};
    use crate::ltx::Name;
    use crate::merkle::Root;
    use crate::trust::{SigningKey, Trust};
    use crate::txid::Txid;

    fn claim() -> Claim {
        Claim {
            name: Name::of(0, Txid(7), Txid(7)),
            size: 512,
            sha256: "ab".repeat(32),
            epoch: 3,
            pages: 9,
            root: Root([1; 32]),
            before: Some(Root([2; 32])),
            at: Timestamp::from_millisecond(1_700_000_000_123).unwrap(),
        }
    }

    #[test]
    fn a_proof_holds_for_its_own_object_alone() {
        let key = Arc::new(SigningKey::from_pem(&SigningKey::generate().unwrap()).unwrap());
        let trust = Trust::Keys(vec![key.public()]);
        let metadata = claim().metadata(Some(&key));
        assert!(metadata.iter().map(|(key, text)| key.len() + text.len()).sum::<usize>() < 1024);
        let read = Proof::read(claim().name, &metadata, &trust).unwrap().unwrap();
        assert_eq!((read.claim, read.signed), (claim(), true));
        let elsewhere = Proof::read(Name::of(0, Txid(8), Txid(8)), &metadata, &trust);
        assert!(matches!(elsewhere, Err(ProofFault::Untrusted(_))));
        for at in 0..metadata[PROOF].len() {
            let mut forged = metadata.clone();
            forged.get_mut(PROOF).unwrap().replace_range(at..=at, "7");
            let same = forged == metadata;
            let key_id = (metadata[PROOF].len() - 105..metadata[PROOF].len() - 88).contains(&at);
            assert!(same || key_id || Proof::read(claim().name, &forged, &trust).is_err(), "byte {at}");
        }
    }

    #[test]
    fn nothing_unsigned_or_newer_is_believed() {
        let trust = Trust::Keys(vec![SigningKey::from_pem(&SigningKey::generate().unwrap()).unwrap().public()]);
        assert!(Proof::read(claim().name, &claim().metadata(None), &trust).is_err());
        assert!(Proof::read(claim().name, &Default::default(), &trust).is_err());
        assert_eq!(Proof::read(claim().name, &Default::default(), &Trust::Unsigned), Ok(None));
        let unsigned = Proof::read(claim().name, &claim().metadata(None), &Trust::Unsigned).unwrap().unwrap();
        assert!(!unsigned.signed);
        let mut newer = claim().metadata(None);
        newer.get_mut(PROOF).unwrap().replace_range(0..1, "2");
        assert_eq!(Proof::read(claim().name, &newer, &Trust::Unsigned), Err(ProofFault::Newer("2".to_owned())));
    }
}
