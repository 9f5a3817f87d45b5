//! The kind of a request, by its path: whether it needs a key, and its maximum duration.

/// The services of gRPC whose calls are streams of messages from the client.
const STREAMS: [&str; 3] = [
    EMBED_STREAM,
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
];
const EMBED_STREAM: &str = "/akidb.embedding.v1.EmbeddingService/EmbedStream";
const HEALTH: &str = "/grpc.health.v1.Health/";

/// A kind of request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum RequestKind {
    /// An address that needs no key, answered at once.
    Open,
    /// A client that is told when the health changes; it needs no key.
    Watch,
    /// Messages one after another, each of which counts for itself where it is answered.
    EmbedStream,
    /// Messages one after another that only the door can count.
    Stream,
    /// One request, one answer.
    Single,
}

impl RequestKind {
    /// Of this path. `/metrics` is open when that is wanted.
    pub fn of(path: &str, metrics_open: bool) -> Self {
        match path {
            "/health" | "/ready" | "/ping" => Self::Open,
            "/metrics" if metrics_open => Self::Open,
            "/grpc.health.v1.Health/Watch" => Self::Watch,
            EMBED_STREAM => Self::EmbedStream,
            path if path.starts_with(HEALTH) => Self::Open,
            path if STREAMS.contains(&path) => Self::Stream,
            _ => Self::Single,
        }
    }

    /// Whether no key is wanted.
    pub fn is_open(self) -> bool {
        matches!(self, Self::Open | Self::Watch)
    }

    /// Whether a client sends messages for as long as it likes.
    pub fn is_stream(self) -> bool {
        matches!(self, Self::EmbedStream | Self::Stream)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::serve::grpc::proto;

    #[test]
    fn every_call_that_streams_from_the_client_is_known() {
        let calls: Vec<&str> = proto::TEXT.lines().filter_map(|line| line.trim().strip_prefix("rpc ")).collect();
        assert!(calls.len() >= 4, "{calls:?}");
        for call in calls {
            let (name, rest) = call.split_once('(').unwrap();
            let path = format!("/akidb.embedding.v1.EmbeddingService/{}", name.trim());
            let kind = RequestKind::of(&path, false);
            assert_eq!(kind.is_stream(), rest.starts_with("stream "), "{path}");
            assert!(kind.is_stream() || !rest.contains("returns (stream"), "{path}: it has to be counted, too");
        }
        for version in ["v1", "v1alpha"] {
            let path = format!("/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo");
            assert_eq!(RequestKind::of(&path, false), RequestKind::Stream);
        }
        let health = |call: &str| RequestKind::of(&format!("{HEALTH}{call}"), false);
        assert_eq!(
            (health("Watch"), health("Check"), health("List")),
            (RequestKind::Watch, RequestKind::Open, RequestKind::Open)
        );
    }

    #[test]
    fn metrics_are_open_only_when_that_is_wanted() {
        assert_eq!(
            (RequestKind::of("/metrics", true), RequestKind::of("/metrics", false)),
            (RequestKind::Open, RequestKind::Single)
        );
        assert_eq!(RequestKind::of("/health/", true), RequestKind::Single);
    }
}
