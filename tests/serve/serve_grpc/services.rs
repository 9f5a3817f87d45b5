//! The services beside embeddings: models, health, reflection, and the interface in print.

use akidb_edge::serve::grpc::proto::{self, EmbedRequest, HealthRequest, ListModelsRequest};
use futures::{StreamExt, stream};
use tonic::Code;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb::{v1, v1alpha};

use super::{channel, code, pair, texts};
use testkit::cli::bare;
use testkit::serve::{Server, fixtures, onnxruntime};

#[tokio::test]
async fn models_and_health_are_told() {
    let (_server, mut client) = pair().await;
    let health = client.health(HealthRequest {}).await.unwrap().into_inner();
    assert_eq!(health.status(), proto::health_response::Status::Healthy);
    assert!(health.checks["model_cache"].starts_with("ok: "), "{:?}", health.checks);
    assert_eq!(health.version, env!("CARGO_PKG_VERSION"));
    let fault = client.embed(EmbedRequest { model: "tiny-corrupt".to_owned(), ..texts(&["a"]) }).await.unwrap_err();
    assert_eq!((fault.code(), code(&fault)), (Code::Unavailable, "MODEL_FAILED"), "{fault}");
    let models = client.list_models(ListModelsRequest {}).await.unwrap().into_inner().models;
    let of = |name: &str| models.iter().find(|model| model.id == name).unwrap();
    let tiny = of("tiny");
    assert_eq!((tiny.status.as_str(), tiny.dimension, tiny.max_tokens, tiny.default), ("loaded", 8, 32, true));
    assert!(tiny.version.len() >= 12 && tiny.runs_on.starts_with("cpu") && tiny.tokens_per_second.unwrap() > 0.0);
    assert_eq!((tiny.latency_p95_ms, tiny.throughput_qps), (None, None), "nobody has asked it yet");
    client.embed(texts(&["a"])).await.unwrap();
    let again = client.list_models(ListModelsRequest {}).await.unwrap().into_inner().models;
    let asked = again.iter().find(|model| model.id == "tiny").unwrap();
    assert!(asked.latency_p95_ms.unwrap() >= 1 && asked.throughput_qps.unwrap() >= 1, "{asked:?}");
    assert!((500..100_000).contains(&asked.params.unwrap()), "{asked:?}");
    assert_eq!(of("tiny-cls").params, None);
    let corrupt = of("tiny-corrupt");
    assert!(corrupt.status == "failed" && !corrupt.failure.is_empty() && corrupt.tokens_per_second.is_none());
    assert_eq!(of("tiny-cls").status, "available");
}

#[tokio::test]
async fn the_standard_health_service_tells_watchers_of_the_end() {
    let (mut server, client) = pair().await;
    drop(client);
    let mut health = HealthClient::new(channel(server.grpc.as_deref().unwrap()).await);
    let of = |service: &str| HealthCheckRequest { service: service.to_owned() };
    for service in ["", "akidb.embedding.v1.EmbeddingService"] {
        let answer = health.check(of(service)).await.unwrap().into_inner();
        assert_eq!(answer.status(), ServingStatus::Serving, "{service}");
    }
    let unknown = health.check(of("nobody")).await.unwrap_err();
    assert_eq!((unknown.code(), code(&unknown)), (Code::NotFound, "NOT_FOUND"), "{unknown}");
    let mut unknown = health.watch(of("nobody")).await.unwrap().into_inner();
    assert_eq!(unknown.message().await.unwrap().unwrap().status(), ServingStatus::ServiceUnknown);
    let mut changes = health.watch(of("")).await.unwrap().into_inner();
    assert_eq!(changes.message().await.unwrap().unwrap().status(), ServingStatus::Serving);
    server.signal("TERM");
    assert_eq!(changes.message().await.unwrap().unwrap().status(), ServingStatus::NotServing);
    assert!(changes.message().await.unwrap().is_none() && unknown.message().await.unwrap().is_none());
    assert_eq!(tokio::task::spawn_blocking(move || server.wait()).await.unwrap(), 0);
}

#[tokio::test]
async fn reflection_speaks_both_versions() {
    let (server, _client) = pair().await;
    let channel = channel(server.grpc.as_deref().unwrap()).await;
    macro_rules! ask {
        ($version:ident) => {{
            use $version::server_reflection_request::MessageRequest as Ask;
            use $version::server_reflection_response::MessageResponse as Answer;
            let mut client = $version::server_reflection_client::ServerReflectionClient::new(channel.clone());
            let symbol = "akidb.embedding.v1.EmbedRequest".to_owned();
            let asks = [Ask::ListServices(String::new()), Ask::FileContainingSymbol(symbol)];
            let asks =
                asks.map(|ask| $version::ServerReflectionRequest { host: String::new(), message_request: Some(ask) });
            let answers = client.server_reflection_info(stream::iter(asks)).await.unwrap().into_inner();
            let mut names = Vec::new();
            let mut files = Vec::new();
            for answer in answers.map(|answer| answer.unwrap().message_response.unwrap()).collect::<Vec<_>>().await {
                match answer {
                    Answer::ListServicesResponse(list) => names.extend(list.service.into_iter().map(|one| one.name)),
                    Answer::FileDescriptorResponse(found) => files.extend(found.file_descriptor_proto),
                    other => panic!("{other:?}"),
                }
            }
            assert!(names.iter().any(|name| name == "akidb.embedding.v1.EmbeddingService"), "{names:?}");
            assert!(names.iter().any(|name| name == "grpc.health.v1.Health"), "{names:?}");
            assert_eq!(files.len(), 1);
            assert!(String::from_utf8_lossy(&files[0]).contains("Texts, and options for their vectors"));
        }};
    }
    ask!(v1);
    ask!(v1alpha);
}

#[test]
fn the_interface_is_printed() {
    let done = bare().args(["serve", "--print-proto"]).output().unwrap();
    assert!(done.status.success());
    assert_eq!(String::from_utf8(done.stdout).unwrap().trim_end(), proto::TEXT.trim_end());
}

#[test]
fn it_can_be_switched_off() {
    let mut command = bare();
    command.args(["serve", "--http", "127.0.0.1:0", "--grpc", "off", "--model", "tiny", "--models"]).arg(fixtures());
    let server = Server::start(command.arg("--onnxruntime").arg(onnxruntime()));
    assert_eq!(server.grpc, None);
    assert_eq!(server.get("/ready").0, 200);
}
