//! Whether a bucket contains data that prevents its deletion.

use super::*;
use crate::pages::Pages;

/// A key that stays when the objects `going` are deleted: S3 refuses to delete a bucket that holds any object, old version
/// or delete marker. Once a bucket keeps versions, deleting an object leaves them.
pub async fn staying(client: &Client, name: &str, going: &BTreeSet<String>) -> Result<Option<String>, Fault> {
    let (mut key, mut version, mut plain) = (None, None, None);
    let mut pages = Pages::of_content("s3", "ListObjectVersions");
    loop {
        pages.next()?;
        let call = client.list_object_versions().bucket(name).set_key_marker(key).set_version_id_marker(version);
        let page = match call.send().await.map_err(|bad| fault_of("s3", "ListObjectVersions", bad)) {
            Err(fault) if fault.class == FaultClass::Missing => return Ok(None),
            other => other?,
        };
        if let Some(marker) = page.delete_markers().first() {
            return Ok(Some(marker.key().unwrap_or_default().to_owned()));
        }
        for held in page.versions().iter().filter_map(|held| held.key()) {
            if plain.is_none() {
                plain = Some(keeps_none(client, name).await?);
            }
            if plain != Some(true) || !going.contains(held) {
                return Ok(Some(held.to_owned()));
            }
        }
        if page.is_truncated != Some(true) {
            return Ok(None);
        }
        (key, version) = (page.next_key_marker, page.next_version_id_marker);
    }
}

/// Whether the bucket has never kept versions.
async fn keeps_none(client: &Client, name: &str) -> Result<bool, Fault> {
    let answer = client.get_bucket_versioning().bucket(name).send().await;
    Ok(answer.map_err(|bad| fault_of("s3", "GetBucketVersioning", bad))?.status.is_none())
}
