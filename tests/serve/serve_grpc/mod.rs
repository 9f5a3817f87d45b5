//! gRPC as clients see it: the vectors of REST, streams, deadlines, overload, health, reflection, the end.

mod answers;
mod services;
mod streams;
mod transport;

use akidb_edge::serve::grpc::proto;
use proto::EmbedRequest;
use proto::embedding_service_client::EmbeddingServiceClient;
use serde_json::Value;
use testkit::serve::{Server, tiny};
use tonic::Status;
use tonic::transport::Channel;

type Client = EmbeddingServiceClient<Channel>;

async fn channel(address: &str) -> Channel {
    Channel::from_shared(format!("http://{address}")).unwrap().connect().await.unwrap()
}

/// A server with the tiny model, and a client of it.
async fn pair() -> (Server, Client) {
    let server = tokio::task::spawn_blocking(|| Server::start(&mut tiny())).await.unwrap();
    let client = Client::new(channel(server.grpc.as_deref().unwrap()).await);
    (server, client)
}

fn texts(texts: &[&str]) -> EmbedRequest {
    EmbedRequest { inputs: texts.iter().map(|text| (*text).to_owned()).collect(), ..EmbedRequest::default() }
}

fn code(status: &Status) -> &str {
    status.metadata().get("akidb-code").and_then(|code| code.to_str().ok()).unwrap_or_default()
}

fn rest(server: &Server, body: &Value) -> Vec<Vec<f32>> {
    let (status, answer) = server.post("/api/v1/embed", body);
    assert_eq!(status, 200, "{answer}");
    serde_json::from_value(answer["embeddings"].clone()).unwrap()
}
