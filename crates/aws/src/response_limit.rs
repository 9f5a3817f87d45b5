//! How long an answer may be. A service, an S3-compatible endpoint or a proxy that answers without end takes no more memory than
//! this: the body is cut off, and the call fails with [`ResponseTooLong`].

use std::error::Error;

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::interceptors::context::BeforeTransmitInterceptorContextMut;
use aws_smithy_runtime_api::client::interceptors::{Intercept, dyn_dispatch_hint};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse, Metadata};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::config_bag::ConfigBag;
use http_body_util::{BodyExt, LengthLimitError, Limited};

/// Bytes of a list or a document. A page of 1,000 keys of 1,024 bytes, each byte of them escaped, has about 6 MiB.
const LIST: usize = 64 << 20;
/// Bytes of an answer that is not a success: a code and a message.
const REFUSAL: usize = 1 << 20;
/// Bytes of an object that is read into memory: a journal, a manifest, kept content, a function's archive. No file that this program
/// writes is larger, and Lambda takes archives of 250 MB at most.
const OBJECT: usize = 256 << 20;

/// An answer that was longer than it may be. What was read of it is dropped.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the answer is longer than {} MiB", .most >> 20)]
pub struct ResponseTooLong {
    /// The most, in bytes.
    pub most: usize,
}

/// The answer to this request is the content of an object, and where it goes.
#[derive(Clone, Copy, Debug)]
pub enum Download {
    /// Into memory.
    Memory,
    /// To whoever reads it piece by piece and counts the bytes.
    Stream,
}

/// Marks the requests for the content of an S3 object; for the configuration of a client.
#[derive(Debug)]
pub struct MarkDownloads(pub Download);

#[dyn_dispatch_hint]
impl Intercept for MarkDownloads {
    fn name(&self) -> &'static str {
        "MarkDownloads"
    }

    // A request that is sent again is a copy without its extensions: it is marked at each try.
    fn modify_before_transmit(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        settings: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if settings.load::<Metadata>().is_some_and(|call| call.name() == "GetObject") {
            context.request_mut().add_extension(self.0);
        }
        Ok(())
    }
}

/// The same answer, the body of which fails with [`ResponseTooLong`] at its bound.
pub fn limited(answer: HttpResponse, download: Option<Download>) -> HttpResponse {
    let most = match (answer.status().is_success(), download) {
        (false, _) => REFUSAL,
        (true, None) => LIST,
        (true, Some(Download::Memory)) => OBJECT,
        (true, Some(Download::Stream)) => return answer,
    };
    answer.map(|body| limited_body(body, most))
}

fn limited_body(body: SdkBody, most: usize) -> SdkBody {
    let named = move |bad: BoxError| -> BoxError {
        if bad.is::<LengthLimitError>() { Box::new(ResponseTooLong { most }) } else { bad }
    };
    SdkBody::from_body_1_x(Limited::new(body, most).map_err(named))
}

/// Whether an answer was too long, from the chain of an error.
pub fn too_long(error: &(dyn Error + 'static)) -> Option<ResponseTooLong> {
    let mut next = Some(error);
    while let Some(cause) = next {
        if let Some(found) = cause.downcast_ref() {
            return Some(*found);
        }
        next = cause.source();
    }
    None
}

/// An HTTP client whose answers have a bound.
#[derive(Debug)]
pub struct LimitedClient<T>(T);

impl LimitedClient<SharedHttpClient> {
    /// The same client, whose answers have a bound.
    pub fn over(client: impl HttpClient + 'static) -> SharedHttpClient {
        SharedHttpClient::new(Self(SharedHttpClient::new(client)))
    }
}

impl HttpClient for LimitedClient<SharedHttpClient> {
    fn http_connector(&self, settings: &HttpConnectorSettings, components: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(LimitedClient(self.0.http_connector(settings, components)))
    }
}

impl HttpConnector for LimitedClient<SharedHttpConnector> {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let download = request.extension::<Download>().copied();
        let answer = self.0.call(request);
        HttpConnectorFuture::new(async move { answer.await.map(|answer| limited(answer, download)) })
    }
}

#[cfg(test)]
#[path = "response_limit_tests.rs"]
mod tests;
