//! The object `latest`: what was published last, signed; and beside that who may publish, and whether.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::control::{Pause, PrimaryLease};
use crate::merkle::Root;
use crate::trust::{SigningKey, Trust};
use crate::txid::Txid;

/// The key of the object.
pub(crate) const LATEST: &str = "latest";
/// What the keys of the history begin with: a copy of the head for each snapshot.
pub(crate) const HISTORY: &str = "history/";
/// The format of the object.
const FORMAT: u32 = 1;
/// Bytes of the object.
pub(crate) const LONGEST: u64 = 64 << 10;

/// How somebody publishes.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Mode {
    /// A snapshot when somebody asks for one.
    Once,
    /// A snapshot in this distance.
    Every {
        /// Milliseconds.
        period_ms: u64,
    },
    /// Each change.
    Continuous {
        /// Milliseconds between signs of life while nothing changes; none: there are no signs.
        heartbeat_ms: Option<u64>,
    },
}

/// A snapshot that the head names.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct SnapshotRef {
    /// Its state.
    pub txid: Txid,
    /// Its bytes.
    pub size: u64,
    /// The SHA-256 of its object.
    pub sha256: String,
    /// When it was published.
    pub at: Timestamp,
}

/// What was published last.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Head {
    /// The primary's turn.
    pub epoch: u64,
    /// The state. Continuously published ones may already be ahead of it, each with its own proof.
    pub txid: Txid,
    /// When it was published.
    pub at: Timestamp,
    /// The last sign of life of the publisher: the primary was looked at, and was in this state.
    pub alive: Timestamp,
    /// Bytes of a page.
    pub page_size: u32,
    /// Pages of the database.
    pub pages: u32,
    /// The root over them.
    pub root: Root,
    /// How it is published.
    pub mode: Mode,
    /// The newest snapshot.
    pub snapshot: SnapshotRef,
    /// Objects since then whose names cannot be guessed: they have several states.
    pub spans: Vec<(Txid, Txid)>,
}

impl Head {
    /// When the publisher last gave a sign of life, if it gives some while nothing changes.
    pub fn alive_at(&self) -> Option<Timestamp> {
        match self.mode {
            Mode::Continuous { heartbeat_ms: None } | Mode::Once => None,
            Mode::Every { .. } | Mode::Continuous { .. } => Some(self.alive),
        }
    }

    /// The period of snapshots.
    pub fn period(&self) -> Option<Duration> {
        match self.mode {
            Mode::Every { period_ms } => Some(Duration::from_millis(period_ms)),
            Mode::Once | Mode::Continuous { .. } => None,
        }
    }
}

/// The head as it lies there: its text, and who signed it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Signed {
    text: String,
    key: Option<String>,
    signature: Option<String>,
}

impl Signed {
    /// Signs a head.
    pub fn of(head: &Head, key: Option<&SigningKey>) -> Self {
        // Plain data.
        let text = serde_json::to_string(head).unwrap_or_default();
        let signature = key.map(|key| key.sign(message(&text).as_bytes()));
        Self { text, key: key.map(|key| key.public().id()), signature }
    }

    /// Reads the head, if it may be believed.
    pub fn read(&self, trust: &Trust) -> Result<Head, HeadFault> {
        if !trust.accepts(message(&self.text).as_bytes(), self.signature.as_deref()) {
            return Err(HeadFault::Untrusted);
        }
        serde_json::from_str(&self.text).map_err(|bad| HeadFault::Unreadable(bad.to_string()))
    }

    /// The id of the key that signed it, by its own word.
    pub fn key(&self) -> Option<&str> {
        self.key.as_deref()
    }
}

fn message(text: &str) -> String {
    format!("akidb-edge head {FORMAT}\n{text}")
}

/// The whole object.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Latest {
    /// The format of the object.
    pub format: u32,
    /// What was published last; nothing while the first snapshot is on its way.
    pub head: Option<Signed>,
    /// Who may publish.
    pub lease: Option<PrimaryLease>,
    /// Whether nobody may.
    pub paused: Option<Pause>,
}

impl Default for Latest {
    fn default() -> Self {
        Self { format: FORMAT, head: None, lease: None, paused: None }
    }
}

/// Why a head is not believed.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub(crate) enum HeadFault {
    /// A newer version wrote it.
    #[error("`latest` has format {0}, and this version knows {FORMAT}: use a newer version")]
    Newer(u32),
    /// It cannot be read.
    #[error("`latest` cannot be read: {0}")]
    Unreadable(String),
    /// No trusted key signed it.
    #[error("no trusted key signed `latest`: it was forged, or another key publishes there")]
    Untrusted,
}

impl Latest {
    /// Reads the object.
    pub fn parse(bytes: &[u8]) -> Result<Self, HeadFault> {
        #[derive(Deserialize)]
        struct Format {
            format: u32,
        }
        let unreadable = |bad: serde_json::Error| HeadFault::Unreadable(bad.to_string());
        let Format { format } = serde_json::from_slice(bytes).map_err(unreadable)?;
        if format != FORMAT {
            return Err(HeadFault::Newer(format));
        }
        serde_json::from_slice(bytes).map_err(unreadable)
    }

    /// The object's bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        // Plain data.
        serde_json::to_vec_pretty(self).unwrap_or_default()
    }

    /// The head, if there is one and it may be believed.
    pub fn head(&self, trust: &Trust) -> Result<Option<Head>, HeadFault> {
        self.head.as_ref().map(|signed| signed.read(trust)).transpose()
    }
}

/// The key of a snapshot's copy of the head.
pub(crate) fn history_key(at: Timestamp, txid: Txid) -> String {
    format!("{HISTORY}{}-{txid}.json", at.strftime("%Y%m%d-%H%M%S"))
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::{Head, HeadFault, Latest, Mode, Signed, SnapshotRef, history_key};
    use crate::merkle::Root;
    use crate::trust::{SigningKey, Trust};
    use crate::txid::Txid;

    fn head() -> Head {
        let at = Timestamp::from_millisecond(1_700_000_000_123).unwrap();
        Head {
            epoch: 1,
            txid: Txid(4),
            at,
            alive: at,
            page_size: 4096,
            pages: 3,
            root: Root([7; 32]),
            mode: Mode::Continuous { heartbeat_ms: None },
            snapshot: SnapshotRef { txid: Txid(2), size: 9, sha256: "00".repeat(32), at },
            spans: vec![(Txid(3), Txid(4))],
        }
    }

    #[test]
    fn a_head_is_believed_when_a_trusted_key_signed_it() {
        let key = SigningKey::from_pem(&SigningKey::generate().unwrap()).unwrap();
        let trust = Trust::Keys(vec![key.public()]);
        let latest = Latest { head: Some(Signed::of(&head(), Some(&key))), ..Latest::default() };
        let read = Latest::parse(&latest.to_bytes()).unwrap();
        assert_eq!(read.head(&trust), Ok(Some(head())));
        let text = String::from_utf8(latest.to_bytes()).unwrap();
        let forged = text.replace("0000000000000004", "0000000000000005");
        assert_ne!(forged, text);
        assert_eq!(Latest::parse(forged.as_bytes()).unwrap().head(&trust), Err(HeadFault::Untrusted));
        assert!(Latest::parse(forged.as_bytes()).unwrap().head(&Trust::Unsigned).is_ok());
    }

    #[test]
    fn a_newer_format_is_refused_and_not_misread() {
        assert_eq!(Latest::parse(br#"{"format": 2, "head": {"x": 1}}"#), Err(HeadFault::Newer(2)));
        assert!(matches!(Latest::parse(b"{}"), Err(HeadFault::Unreadable(_))));
        assert!(matches!(Latest::parse(b"\xff"), Err(HeadFault::Unreadable(_))));
    }

    #[test]
    fn the_history_is_in_the_order_of_time() {
        let at = Timestamp::from_millisecond(1_700_000_000_123).unwrap();
        assert_eq!(history_key(at, Txid(4)), "history/20231114-221320-0000000000000004.json");
    }
}
