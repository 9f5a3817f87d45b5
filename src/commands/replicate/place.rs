//! Buckets and folders by their addresses, times by their units, and whom readers trust.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::commands::Context;
use crate::commands::workflow::connect;
use crate::exit::{Failure, codes};
use crate::provider::aws::ReplicaBucket;
use crate::replica::{FolderStore, ObjectStore, PublicKey, PublishTarget, Trust};
use crate::resource::{shown, syntax_check};

/// A place that a database is published to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReplicaPlace {
    /// `s3://BUCKET/PREFIX[?region=REGION]`.
    Bucket {
        /// Its name.
        bucket: String,
        /// Without slashes at its ends.
        prefix: String,
        /// The configured one when left out.
        region: Option<String>,
    },
    /// `file:FOLDER`.
    Folder(PathBuf),
}

impl std::str::FromStr for ReplicaPlace {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let form = || format!("{text:?} is not a place: write s3://BUCKET/PREFIX[?region=REGION] or file:FOLDER");
        if let Some(path) = text.strip_prefix("file:").filter(|path| !path.is_empty()) {
            return Ok(Self::Folder(path.into()));
        }
        let place = text.strip_prefix("s3://").ok_or_else(form)?;
        let (place, query) = place.split_once('?').unwrap_or((place, ""));
        let region = match query.split_once('=') {
            Some(("region", region)) if syntax_check::region(region) => Some(region.to_owned()),
            None if query.is_empty() => None,
            _ => return Err(form()),
        };
        let (bucket, prefix) = place.split_once('/').unwrap_or((place, ""));
        if bucket.is_empty() {
            return Err(form());
        }
        Ok(Self::Bucket { bucket: bucket.to_owned(), prefix: prefix.trim_matches('/').to_owned(), region })
    }
}

impl ReplicaPlace {
    /// What it is called in messages and metrics: the region, or the folder.
    fn name(&self, own_region: &str) -> String {
        match self {
            Self::Bucket { region, .. } => region.clone().unwrap_or_else(|| own_region.to_owned()),
            Self::Folder(folder) => folder.display().to_string(),
        }
    }
}

/// Opens places. The account is connected only when one of them is a bucket.
///
/// # Errors
/// When the account cannot be reached, a region is not the name of one, or two places have one name.
pub async fn open(places: &[ReplicaPlace], context: &Context) -> Result<Vec<PublishTarget>, Failure> {
    let needs_account = places.iter().any(|place| matches!(place, ReplicaPlace::Bucket { .. }));
    let connection = if needs_account { Some(connect(&context.session).await?) } else { None };
    let own_region = connection.as_ref().map(|connection| connection.region.clone()).unwrap_or_default();
    let mut targets: Vec<PublishTarget> = Vec::new();
    for place in places {
        let store: Arc<dyn ObjectStore> = match (place, &connection) {
            (ReplicaPlace::Bucket { bucket, prefix, region }, Some(connection)) => {
                let region = region.as_deref().unwrap_or(&own_region);
                Arc::new(ReplicaBucket::open(&connection.clients, region, bucket, prefix)?)
            }
            (ReplicaPlace::Folder(folder), _) => Arc::new(FolderStore::at(folder)),
            // A bucket always has a connection: it was made above.
            (ReplicaPlace::Bucket { .. }, None) => continue,
        };
        let mut name = place.name(&own_region);
        if targets.iter().any(|target| target.name == name) {
            name = store.name();
        }
        if targets.iter().any(|target| target.name == name) {
            return Err(codes::ARGUMENT.refused(shown!("{} is named twice", name), "give each place once"));
        }
        targets.push(PublishTarget { name, store });
    }
    Ok(targets)
}

/// Opens one place.
///
/// # Errors
/// As [`open`].
pub async fn one(place: &ReplicaPlace, context: &Context) -> Result<Arc<dyn ObjectStore>, Failure> {
    let mut targets = open(std::slice::from_ref(place), context).await?;
    targets
        .pop()
        .map(|target| target.store)
        .ok_or_else(|| codes::ARGUMENT.refused("no place is given", "add --from PLACE"))
}

/// Whom a reader believes.
#[derive(Clone, Debug, clap::Args)]
#[group(required = true, multiple = false)]
pub struct TrustArgs {
    /// Public key (PEM) of the primary; several: any of them
    #[arg(long, value_name = "FILE")]
    trust: Vec<PathBuf>,
    /// Trust everyone who can write to the bucket; needed for a bucket that Litestream wrote
    #[arg(long)]
    unsigned: bool,
}

impl TrustArgs {
    /// Reads the keys.
    ///
    /// # Errors
    /// When a key cannot be read.
    pub fn read(&self) -> Result<Trust, Failure> {
        if self.unsigned {
            return Ok(Trust::Unsigned);
        }
        let key = |path: &PathBuf| {
            PublicKey::from_file(path)
                .map_err(|bad| codes::ARGUMENT.refused(shown!("{}", bad), "akidb-edge replicate key writes a key pair"))
        };
        Ok(Trust::Keys(self.trust.iter().map(key).collect::<Result<_, _>>()?))
    }
}

/// Reads a time with its unit: `500ms`, `30s`, `5m`, `24h`, `7d`.
///
/// # Errors
/// What is wrong with it.
pub fn duration(text: &str) -> Result<Duration, String> {
    let form = || format!("{text:?} is not a time: write a whole number with ms, s, m, h or d, such as 5m");
    let end = text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let number: u64 = number.parse().map_err(|_| form())?;
    let scale = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err(form()),
    };
    number.checked_mul(scale).filter(|ms| *ms > 0).map(Duration::from_millis).ok_or_else(form)
}

/// A duration in seconds for people, with as many decimals as it is short.
pub fn seconds(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    if seconds < 10.0 { format!("{seconds:.3}") } else { format!("{seconds:.0}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_have_one_form_each() {
        let bucket = |prefix: &str, region: Option<&str>| ReplicaPlace::Bucket {
            bucket: "b".to_owned(),
            prefix: prefix.to_owned(),
            region: region.map(str::to_owned),
        };
        assert_eq!("s3://b".parse(), Ok(bucket("", None)));
        assert_eq!("s3://b/p/q/?region=eu-central-1".parse(), Ok(bucket("p/q", Some("eu-central-1"))));
        assert_eq!("file:/a/b".parse(), Ok(ReplicaPlace::Folder("/a/b".into())));
        for bad in ["", "b", "s3://", "s3:///p", "s3://b?region=", "s3://b?x=y", "file:"] {
            assert!(bad.parse::<ReplicaPlace>().is_err(), "{bad}");
        }
    }

    #[test]
    fn times_have_units() {
        assert_eq!(duration("5m"), Ok(Duration::from_secs(300)));
        assert_eq!(duration("250ms"), Ok(Duration::from_millis(250)));
        for bad in ["", "5", "0s", "-1s", "5 m", "99999999999999999999d", "1w"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }
}
