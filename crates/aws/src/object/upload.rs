//! Sending an object's bytes: in one request, or in parts when there are many.

use std::collections::HashMap;
use std::path::Path;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::RequestChecksumCalculation;
use aws_sdk_s3::primitives::{ByteStream, Length};
use aws_sdk_s3::types::{ChecksumAlgorithm, CompletedMultipartUpload, CompletedPart};
use futures::{StreamExt, TryStreamExt, stream};

use super::super::fault_of;
use crate::resource::object::ObjectSpec;
use crate::resource::{ArtifactSource, Fault, FaultClass};

/// Above this many bytes (16 MiB) an object goes in parts.
const IN_ONE: u64 = 16 << 20;
/// Most bytes of a part (16 MiB), as long as that makes no more than [`MOST_PARTS`]. All parts are of one size, so that
/// none is below S3's least of 5 MiB.
const PART: u64 = 16 << 20;
/// The most parts that S3 takes.
const MOST_PARTS: u64 = 10_000;
/// Parts on their way at the same time.
const AT_ONCE: usize = 4;

/// What is done when the key is taken.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum ExistingKeyPolicy {
    /// S3 refuses it. Nobody expects it: the key was just looked at.
    Refuse,
    /// S3 refuses it, and many bytes are not sent before a look.
    LookAndRefuse,
    /// What is there is replaced.
    Replace,
}

/// Bytes of a part: all the same, but for some bytes of the last.
fn part_size(bytes: u64) -> u64 {
    bytes.div_ceil(bytes.div_ceil(PART).clamp(1, MOST_PARTS))
}

/// Where the bytes go, and what is said of them.
pub struct UploadTarget<'a> {
    /// S3 in the bucket's region.
    pub client: &'a Client,
    /// The object.
    pub spec: &'a ObjectSpec,
    /// All user metadata.
    pub metadata: HashMap<String, String>,
}

impl UploadTarget<'_> {
    /// Sends the bytes.
    ///
    /// # Errors
    /// Of class stale, when the key is taken and may not be replaced; refused, when the file is not what was hashed;
    /// else the service's own. Nothing is left of an upload that failed.
    pub async fn put(&self, source: &ArtifactSource, taken: ExistingKeyPolicy) -> Result<(), Fault> {
        let only_new = taken != ExistingKeyPolicy::Replace;
        self.check_size(source).await?;
        if self.spec.bytes <= IN_ONE {
            return self.in_one(source, only_new).await;
        }
        // Refused by its last call only, an upload in parts would send everything for nothing.
        if taken == ExistingKeyPolicy::LookAndRefuse && super::head(self.client, self.spec, None).await?.is_some() {
            let words = format!("{} exists", super::id(self.spec));
            return Err(Fault::new(FaultClass::Stale, "s3", "CreateMultipartUpload", "PreconditionFailed", words));
        }
        self.in_parts(source, only_new).await
    }

    async fn in_one(&self, source: &ArtifactSource, only_new: bool) -> Result<(), Fault> {
        let call = self
            .client
            .put_object()
            .bucket(&self.spec.bucket)
            .key(&self.spec.key)
            .content_type(&self.spec.content_type)
            .set_cache_control(self.spec.cache_control.clone())
            .set_metadata(Some(self.metadata.clone()))
            .set_if_none_match(only_new.then(|| "*".to_owned()))
            .body(body(source, 0, self.spec.bytes).await?);
        call.send().await.map(drop).map_err(|bad| fault_of("s3", "PutObject", bad))
    }

    async fn in_parts(&self, source: &ArtifactSource, only_new: bool) -> Result<(), Fault> {
        let call = self
            .client
            .create_multipart_upload()
            .bucket(&self.spec.bucket)
            .key(&self.spec.key)
            .content_type(&self.spec.content_type)
            .set_cache_control(self.spec.cache_control.clone())
            .set_metadata(Some(self.metadata.clone()))
            .set_checksum_algorithm(self.checksum());
        let begun = call.send().await.map_err(|bad| fault_of("s3", "CreateMultipartUpload", bad))?;
        let Some(upload) = begun.upload_id else {
            return Err(Fault::unexpected("s3", "CreateMultipartUpload", "the answer has no upload id"));
        };
        let done = async {
            let parts = self.parts(source, &upload).await?;
            self.complete(&upload, parts, only_new).await
        };
        let done = done.await;
        if done.is_err() {
            // Parts of an open upload cost money and are seen by nobody. What went wrong first is what is told.
            let call = self.client.abort_multipart_upload().bucket(&self.spec.bucket).key(&self.spec.key);
            if let Err(bad) = call.upload_id(&upload).send().await {
                let fault = fault_of("s3", "AbortMultipartUpload", bad);
                tracing::warn!(key = %self.spec.key, %upload, %fault, "an unfinished upload may be left in the bucket");
            }
        }
        done
    }

    async fn parts(&self, source: &ArtifactSource, upload: &str) -> Result<Vec<CompletedPart>, Fault> {
        let size = part_size(self.spec.bytes);
        let starts = (0..self.spec.bytes.div_ceil(size)).map(|at| at * size);
        let parts = starts.zip(1..).map(|(from, number)| {
            let length = size.min(self.spec.bytes - from);
            self.part(source, upload, number, from, length)
        });
        let mut parts: Vec<CompletedPart> = stream::iter(parts).buffer_unordered(AT_ONCE).try_collect().await?;
        parts.sort_by_key(CompletedPart::part_number);
        Ok(parts)
    }

    async fn part(
        &self,
        source: &ArtifactSource,
        upload: &str,
        number: i32,
        from: u64,
        length: u64,
    ) -> Result<CompletedPart, Fault> {
        let call = self
            .client
            .upload_part()
            .bucket(&self.spec.bucket)
            .key(&self.spec.key)
            .upload_id(upload)
            .part_number(number)
            .set_checksum_algorithm(self.checksum())
            .body(body(source, from, length).await?);
        let sent = call.send().await.map_err(|bad| fault_of("s3", "UploadPart", bad))?;
        // S3 wants each part's checksum said again at the end.
        Ok(CompletedPart::builder()
            .part_number(number)
            .set_e_tag(sent.e_tag)
            .set_checksum_crc32(sent.checksum_crc32)
            .build())
    }

    async fn complete(&self, upload: &str, parts: Vec<CompletedPart>, only_new: bool) -> Result<(), Fault> {
        let call = self
            .client
            .complete_multipart_upload()
            .bucket(&self.spec.bucket)
            .key(&self.spec.key)
            .upload_id(upload)
            .multipart_upload(CompletedMultipartUpload::builder().set_parts(Some(parts)).build())
            .set_if_none_match(only_new.then(|| "*".to_owned()));
        call.send().await.map(drop).map_err(|bad| fault_of("s3", "CompleteMultipartUpload", bad))
    }

    /// The SDK's own default, but said aloud: S3 refuses a part with a checksum when the upload was begun without one
    /// ("expected checksum Type: null"). None where checksums are sent only when they must be (other endpoints).
    fn checksum(&self) -> Option<ChecksumAlgorithm> {
        let asked = self.client.config().request_checksum_calculation();
        (asked != Some(&RequestChecksumCalculation::WhenRequired)).then_some(ChecksumAlgorithm::Crc32)
    }

    /// A file that grew or shrank since it was hashed would arrive under a hash that is not its own.
    async fn check_size(&self, source: &ArtifactSource) -> Result<(), Fault> {
        let size = match source {
            ArtifactSource::Memory(bytes) => bytes.len() as u64,
            ArtifactSource::File(path) => tokio::fs::metadata(path).await.map_err(|bad| unreadable(path, &bad))?.len(),
        };
        if size == self.spec.bytes {
            return Ok(());
        }
        let words = format!("{} has {size} bytes, the plan expects {}", name(source), self.spec.bytes);
        Err(Fault::new(FaultClass::Refused, "s3", "PutObject", "FileChanged", words)
            .next("do not change the file during a run; deploy again"))
    }
}

fn name(source: &ArtifactSource) -> String {
    match source {
        ArtifactSource::File(path) => path.display().to_string(),
        ArtifactSource::Memory(_) => "content generated by this run".to_owned(),
    }
}

fn unreadable(path: &Path, bad: &dyn std::fmt::Display) -> Fault {
    let words = format!("{} cannot be read: {bad}", path.display());
    Fault::new(FaultClass::Refused, "s3", "PutObject", "BytesNotAtHand", words)
        .next("make the file readable, then run the same command again")
}

/// A stretch of the bytes; of a file never more than a buffer is in memory.
async fn body(source: &ArtifactSource, from: u64, length: u64) -> Result<ByteStream, Fault> {
    match source {
        ArtifactSource::File(path) => {
            let read = ByteStream::read_from().path(path).offset(from).length(Length::Exact(length));
            read.build().await.map_err(|bad| unreadable(path, &bad))
        }
        ArtifactSource::Memory(bytes) => {
            let range = usize::try_from(from).ok().zip(usize::try_from(from + length).ok());
            let stretch = range.and_then(|(from, to)| bytes.get(from..to));
            stretch
                .map(|stretch| ByteStream::from(stretch.to_vec()))
                .ok_or_else(|| Fault::unexpected("s3", "PutObject", "the content is shorter than its size"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_few_and_of_one_size() {
        let parts = |bytes: u64| bytes.div_ceil(part_size(bytes));
        assert_eq!((parts(IN_ONE + 1), parts(17_000_000), parts(33 << 20)), (2, 2, 3));
        for bytes in [IN_ONE + 1, 17_000_000, 33 << 20, 100_000_007, PART * MOST_PARTS + 1, 5 << 40] {
            let size = part_size(bytes);
            let last = bytes - (parts(bytes) - 1) * size;
            assert!(parts(bytes) <= MOST_PARTS && last >= 5 << 20, "{bytes}: {size}, the last {last}");
        }
    }
}
