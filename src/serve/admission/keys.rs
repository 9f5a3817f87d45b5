//! API keys: a file of their hashes, read again when it changes.

mod fault;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::ArcSwap;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::rate::TokenBucket;
use crate::resource::counted;
use crate::serve::files::read_text;
use crate::serve::http::request::is_sane;
use crate::serve::watch::ReloadResult;
use fault::LineFault;
pub use fault::{InvalidKeyLine, KeysFault, MintFault};

/// A key, known by its hash.
#[derive(Debug)]
pub struct ApiKey {
    /// Whose it is.
    pub name: String,
    /// Its SHA-256.
    hash: [u8; 32],
    /// The tenant that it stands for.
    pub tenant: Option<String>,
    /// Requests a second, when it has a limit of its own.
    pub rate: Option<u32>,
    /// What it has used of its rate.
    pub bucket: Arc<TokenBucket>,
}

/// Keys by the first bytes of their hashes.
type Table = HashMap<[u8; 8], Vec<Arc<ApiKey>>>;

/// The keys of a file.
#[derive(Debug)]
pub struct ApiKeys {
    file: PathBuf,
    table: ArcSwap<Table>,
    /// At the last look the file held no key.
    emptied: AtomicBool,
}

impl ApiKeys {
    /// Reads a file of keys.
    ///
    /// # Errors
    /// It cannot be read, holds no key, or the first line that is none.
    pub fn open(file: &Path) -> Result<Self, KeysFault> {
        let keys = text(file).and_then(|text| keys(file, &text))?;
        if keys.is_empty() {
            return Err(KeysFault::Empty { file: file.to_owned() });
        }
        let table = ArcSwap::from_pointee(by_hash(keys));
        Ok(Self { file: file.to_owned(), table, emptied: AtomicBool::new(false) })
    }

    /// The file.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// Reads the file again. One that is wrong or cannot be read changes nothing. One that holds no key at two looks in a row takes
    /// all keys back; at the first one, somebody may just be writing it.
    pub fn reload(&self) -> ReloadResult {
        let emptied = self.emptied.swap(false, Ordering::Relaxed);
        let text = match text(&self.file) {
            Ok(text) => text,
            Err(why) => return ReloadResult::Unread(why.to_string()),
        };
        match keys(&self.file, &text) {
            Err(why) => ReloadResult::Kept(why.to_string()),
            Ok(keys) if !keys.is_empty() => ReloadResult::Read(counted(self.take(keys), "key")),
            Ok(none) => {
                self.emptied.store(true, Ordering::Relaxed);
                let name = self.file.display();
                if !emptied {
                    return ReloadResult::Unread(format!(
                        "{name} contains no key; if it still contains none at the next check, all keys are rejected"
                    ));
                }
                self.take(none);
                ReloadResult::Doubtful(format!("{name} contains no key: requests that need one are rejected"))
            }
        }
    }

    /// Puts these keys in the place of the old ones; how many they are.
    fn take(&self, mut keys: Vec<ApiKey>) -> usize {
        let old = self.table.load();
        let before: HashMap<&str, &Arc<ApiKey>> = old.values().flatten().map(|key| (key.name.as_str(), key)).collect();
        for key in &mut keys {
            // A new key for the same name does not begin with a full bucket.
            if let Some(known) = before.get(key.name.as_str()) {
                key.bucket = known.bucket.clone();
            }
        }
        let count = keys.len();
        self.table.store(Arc::new(by_hash(keys)));
        count
    }

    /// The key that a bearer token is. Only hashes are compared, in constant time: neither tells anything about a key.
    pub fn find(&self, token: &[u8]) -> Option<Arc<ApiKey>> {
        self.of_hash(&Sha256::digest(token).into())
    }

    /// A key that was found before, as it is now; nothing when it was taken out of the file.
    pub fn again(&self, key: &ApiKey) -> Option<Arc<ApiKey>> {
        self.of_hash(&key.hash)
    }

    fn of_hash(&self, hash: &[u8; 32]) -> Option<Arc<ApiKey>> {
        let table = self.table.load();
        let candidates = table.get(&first(hash))?;
        candidates.iter().find(|key| bool::from(key.hash.ct_eq(hash))).cloned()
    }
}

fn first(hash: &[u8; 32]) -> [u8; 8] {
    let [a, b, c, d, e, f, g, h, ..] = *hash;
    [a, b, c, d, e, f, g, h]
}

fn by_hash(keys: Vec<ApiKey>) -> Table {
    let mut table = Table::new();
    for key in keys {
        table.entry(first(&key.hash)).or_default().push(Arc::new(key));
    }
    table
}

fn text(file: &Path) -> Result<String, KeysFault> {
    read_text(file).map_err(|source| KeysFault::Unread { file: file.to_owned(), source })
}

fn keys(file: &Path, text: &str) -> Result<Vec<ApiKey>, KeysFault> {
    parse(text).map_err(|source| KeysFault::Line { file: file.to_owned(), source })
}

/// Lines `NAME:sha256:HEX[:tenant=T][:rate=N]`; empty lines and those that begin with # say nothing.
fn parse(text: &str) -> Result<Vec<ApiKey>, InvalidKeyLine> {
    let mut keys: Vec<ApiKey> = Vec::new();
    for (number, line) in text.lines().enumerate().map(|(at, line)| (at + 1, line.trim())) {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let key = one(line).map_err(|wrong| InvalidKeyLine { number, wrong })?;
        if keys.iter().any(|other| other.hash == key.hash) {
            return Err(InvalidKeyLine { number, wrong: LineFault::Twice });
        }
        keys.push(key);
    }
    Ok(keys)
}

/// What is wrong is said without the line itself: somebody may have written a key where its hash belongs.
fn one(line: &str) -> Result<ApiKey, LineFault> {
    let mut parts = line.split(':');
    let (name, kind, hash) = (parts.next(), parts.next(), parts.next());
    let name = name.filter(|name| is_sane(name.as_bytes())).ok_or(LineFault::Name)?;
    if kind != Some("sha256") {
        return Err(LineFault::Form);
    }
    let mut bytes = [0; 32];
    // What the library says would have a letter of the line in it.
    hex::decode_to_slice(hash.unwrap_or_default(), &mut bytes).map_err(|_| LineFault::Hash)?;
    let mut key = ApiKey {
        name: name.to_owned(),
        hash: bytes,
        tenant: None,
        rate: None,
        bucket: Arc::new(TokenBucket::default()),
    };
    for part in parts {
        match part.split_once('=') {
            Some(("tenant", tenant)) if is_sane(tenant.as_bytes()) => key.tenant = Some(tenant.to_owned()),
            Some(("rate", rate)) if rate.parse::<u32>().is_ok_and(|rate| rate > 0) => key.rate = rate.parse().ok(),
            _ => return Err(LineFault::Rest),
        }
    }
    Ok(key)
}

/// A new random key, and the line for the file.
///
/// # Errors
/// The name will not do, or the system has no random numbers.
pub fn mint(name: &str) -> Result<(String, String), MintFault> {
    if !is_sane(name.as_bytes()) {
        return Err(MintFault::Name);
    }
    let mut random = [0; 32];
    let source = rustls::crypto::ring::default_provider().secure_random;
    source.fill(&mut random).map_err(|_| MintFault::NoRandom)?;
    let key = format!("akidb_{}", URL_SAFE_NO_PAD.encode(random));
    let line = format!("{name}:sha256:{}", hex::encode(Sha256::digest(&key)));
    Ok((key, line))
}

/// Whether others than the owner and its group may read the file.
pub fn is_public(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(file).is_ok_and(|facts| facts.permissions().mode() & 0o004 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minted_key_opens() {
        let (key, line) = mint("alice").unwrap();
        assert!(!line.contains(&key) && key.len() == 49);
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("keys");
        std::fs::write(&file, format!("# staff\n\n{line}:tenant=acme:rate=5\n")).unwrap();
        let ring = ApiKeys::open(&file).unwrap();
        let found = ring.find(key.as_bytes()).unwrap();
        assert_eq!((found.name.as_str(), found.tenant.as_deref(), found.rate), ("alice", Some("acme"), Some(5)));
        assert!(ring.find(b"akidb_wrong").is_none());
    }

    #[test]
    fn a_broken_file_changes_nothing_and_a_new_key_keeps_the_bucket() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("keys");
        let ((old, line), (new, next)) = (mint("alice").unwrap(), mint("alice").unwrap());
        std::fs::write(&file, line).unwrap();
        let ring = ApiKeys::open(&file).unwrap();
        let known = ring.find(old.as_bytes()).unwrap();
        let bucket = known.bucket.clone();
        std::fs::write(&file, "alice:sha256:beef").unwrap();
        assert!(matches!(ring.reload(), ReloadResult::Kept(_)) && ring.again(&known).is_some());
        std::fs::write(&file, next).unwrap();
        assert_eq!(ring.reload(), ReloadResult::Read("1 key".to_owned()));
        assert!(ring.find(old.as_bytes()).is_none() && ring.again(&known).is_none());
        assert!(Arc::ptr_eq(&ring.find(new.as_bytes()).unwrap().bucket, &bucket));
    }

    #[test]
    fn a_file_that_stays_empty_takes_all_keys_back_and_one_that_is_gone_takes_none() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("keys");
        let (key, line) = mint("alice").unwrap();
        std::fs::write(&file, &line).unwrap();
        let ring = ApiKeys::open(&file).unwrap();
        let there = || ring.find(key.as_bytes()).is_some();
        std::fs::remove_file(&file).unwrap();
        for _ in 0..3 {
            assert!(matches!(ring.reload(), ReloadResult::Unread(_)) && there());
        }
        // Whoever writes it may have emptied it first.
        std::fs::write(&file, "").unwrap();
        assert!(matches!(ring.reload(), ReloadResult::Unread(_)) && there());
        std::fs::write(&file, &line).unwrap();
        assert!(matches!(ring.reload(), ReloadResult::Read(_)) && there());
        std::fs::write(&file, "# nobody\n\n").unwrap();
        assert!(matches!(ring.reload(), ReloadResult::Unread(_)) && there());
        assert!(matches!(ring.reload(), ReloadResult::Doubtful(_)) && !there());
        assert!(matches!(ring.reload(), ReloadResult::Doubtful(_)) && !there());
        std::fs::write(&file, &line).unwrap();
        assert!(matches!(ring.reload(), ReloadResult::Read(_)) && there());
        std::fs::write(&file, "").unwrap();
        let why = ApiKeys::open(&file).unwrap_err();
        assert!(matches!(why, KeysFault::Empty { .. }) && why.to_string().contains("no key"), "{why}");
    }

    #[test]
    fn bad_lines_are_named_and_not_quoted() {
        let hash = "ab".repeat(32);
        for line in [
            "alice",
            "alice:secret-key",
            "alice:sha256:secret-key",
            &format!("a b:sha256:{hash}"),
            &format!("alice:sha256:{hash}:role=x"),
            &format!("alice:sha256:{hash}:rate=0"),
            &format!("alice:sha256:{hash}:tenant="),
        ] {
            let why = parse(&format!("# x\n{line}\n")).unwrap_err();
            assert!(why.number == 2 && !format!("{why} {why:?}").contains("secret-key"), "{why}");
        }
        assert!(parse("").unwrap().is_empty());
        let twice = parse(&format!("a:sha256:{hash}\nb:sha256:{hash}")).unwrap_err();
        assert_eq!(twice, InvalidKeyLine { number: 2, wrong: LineFault::Twice });
        assert_eq!(twice.to_string(), "line 2: the same key appears twice");
    }
}
