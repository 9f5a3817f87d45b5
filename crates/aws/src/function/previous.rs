//! Function code that is not available locally: a published version may still have it.

use aws_smithy_http_client::{Connector, tls};
use aws_smithy_runtime_api::client::http::HttpConnector;
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;

use super::*;
use crate::resource::sha256_hex;
use crate::response_limit::{Download, limited};

/// The zip of a published version with this code; none when there is none, or its bytes do not come.
pub async fn zip(client: &Client, spec: &FunctionSpec) -> Result<Option<Vec<u8>>, Fault> {
    let digest = base64_digest(&spec.code_sha256);
    let same = versions(client, &spec.name)
        .await?
        .into_iter()
        .filter(|held| held.code_sha256.as_deref() == Some(digest.as_str()));
    for version in same.filter_map(|held| held.version) {
        let call = client.get_function().function_name(&spec.name).qualifier(version);
        let answer = optional(call.send().await.map_err(|bad| fault_of("lambda", "GetFunction", bad)))?;
        let Some(location) = answer.and_then(|answer| answer.code).and_then(|code| code.location) else { continue };
        match download(&location).await {
            Some(bytes) if sha256_hex(&bytes) == spec.code_sha256 => return Ok(Some(bytes)),
            // An endpoint that gives other code than was asked for has none of this.
            _ => {}
        }
    }
    Ok(None)
}

/// The bytes behind a signed address that Lambda gave out. It carries its own permission: no credentials go there.
async fn download(location: &str) -> Option<Vec<u8>> {
    let connector: Box<dyn HttpConnector> = if location.starts_with("https:") {
        let tls = tls::Provider::Rustls(tls::rustls_provider::CryptoMode::Ring);
        Box::new(Connector::builder().tls_provider(tls).build())
    } else {
        Box::new(Connector::builder().build_http())
    };
    let mut request = HttpRequest::new(SdkBody::empty());
    request.set_uri(location).ok()?;
    let answer = connector.call(request).await.ok().filter(|answer| answer.status().as_u16() == 200)?;
    let answer = limited(answer, Some(Download::Memory));
    Some(ByteStream::new(answer.into_body()).collect().await.ok()?.to_vec())
}
