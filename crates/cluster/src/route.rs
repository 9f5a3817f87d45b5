//! The routes to a cluster: a context of a kubeconfig, or one that another platform provides.

use std::sync::{Arc, OnceLock};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use kube::Config;
use kube::config::{KubeConfigOptions, Kubeconfig, KubeconfigError};
use serde_json::json;

use super::bearer::BearerToken;
use super::connection::ApiConnection;
use super::status::SERVICE;
use super::transport::Transport;
use super::unreachable::chain;
use crate::provider::SendPermission;
use crate::provider::cluster::{ClusterAccess, Credentials, Login};
use crate::resource::{Fault, FaultClass};

/// A way to a cluster.
pub(crate) enum ClusterRoute {
    /// Another world leads there.
    Given(Arc<dyn ClusterAccess>),
    /// A context of a kubeconfig.
    Kubeconfig {
        /// Its name.
        context: String,
        /// The file; none: `$KUBECONFIG`, else `~/.kube/config`.
        file: Option<String>,
    },
}

impl ClusterRoute {
    /// Connects; none when no cluster is there (yet).
    ///
    /// # Errors
    /// When it cannot be reached, or refuses the caller.
    pub(crate) async fn connect(
        &self,
        permission: &Arc<OnceLock<SendPermission>>,
    ) -> Result<Option<ApiConnection>, Fault> {
        match self {
            Self::Kubeconfig { context, file } => {
                let config = of_kubeconfig(context, file.as_deref()).await?;
                let transport = direct(&config)?;
                ApiConnection::open(config, transport, None, permission).await.map(Some)
            }
            Self::Given(access) => {
                let Some(credentials) = access.credentials().await? else { return Ok(None) };
                let config = of_credentials(&credentials).await?;
                let bearer = match &credentials.login {
                    Login::Token { token, lasts } => Some(BearerToken::new(access, token, *lasts)?),
                    Login::Certificate { .. } => None,
                };
                let transport = match access.open().await {
                    Some(stream) => Transport::tunnel(access, stream?),
                    None => direct(&config)?,
                };
                ApiConnection::open(config, transport, bearer, permission).await.map(Some)
            }
        }
    }
}

/// By TCP, through the proxy that the kubeconfig or the environment names.
fn direct(config: &Config) -> Result<Transport, Fault> {
    Transport::tcp(config.proxy_url.as_ref()).map_err(|scheme| {
        let words = format!("a proxy of the scheme {scheme:?} is not supported");
        Fault::new(FaultClass::Refused, SERVICE, "connect", "UnsupportedProxy", words)
            .next("name an HTTP proxy (http://HOST:PORT) in HTTPS_PROXY or in the kubeconfig, or none for this server")
    })
}

async fn of_kubeconfig(context: &str, file: Option<&str>) -> Result<Config, Fault> {
    let read = match file {
        Some(file) => Kubeconfig::read_from(file),
        None => Kubeconfig::read(),
    };
    let options = KubeConfigOptions { context: Some(context.to_owned()), ..KubeConfigOptions::default() };
    let config = match read {
        Ok(kubeconfig) => Config::from_custom_kubeconfig(kubeconfig, &options).await,
        Err(error) => Err(error),
    };
    config.map_err(|error| unusable(&error, context, file))
}

fn unusable(error: &KubeconfigError, context: &str, file: Option<&str>) -> Fault {
    let place = file.unwrap_or("$KUBECONFIG, else ~/.kube/config");
    let (code, next) = match error {
        KubeconfigError::LoadContext(_) | KubeconfigError::CurrentContextNotSet => {
            ("NoContext", "kubectl config get-contexts lists those that are there: correct `context` in the plan")
        }
        KubeconfigError::ReadConfig(..) | KubeconfigError::FindPath => {
            ("NoKubeconfig", "name the file with `file` in the plan, or with KUBECONFIG")
        }
        _ => ("BadKubeconfig", "correct it: kubectl get namespaces with this context must work"),
    };
    let words = format!("context {context:?} of {place}: {}", chain(error));
    Fault::new(FaultClass::Refused, SERVICE, "connect", code, words).next(next)
}

/// The configuration that credentials stand for. A token is not in it: it runs out.
async fn of_credentials(credentials: &Credentials) -> Result<Config, Fault> {
    let user = match &credentials.login {
        Login::Certificate { certificate, key } => json!({
            "client-certificate-data": STANDARD.encode(certificate), "client-key-data": STANDARD.encode(key),
        }),
        Login::Token { .. } => json!({}),
    };
    let authority = STANDARD.encode(&credentials.authority);
    let bad = |words: String| Fault::unexpected(SERVICE, "connect", words);
    let kubeconfig: Kubeconfig = serde_json::from_value(json!({
        "clusters": [{"name": "c", "cluster": {"server": credentials.server, "certificate-authority-data": authority}}],
        "users": [{"name": "u", "user": user}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    }))
    .map_err(|_| bad("the credentials are not a valid kubeconfig".to_owned()))?;
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await;
    config.map_err(|error| bad(format!("the credentials of {} cannot be used: {}", credentials.server, chain(&error))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_server_that_nobody_runs_is_not_reachable() {
        let file = std::env::temp_dir().join(format!("akidb-edge-nobody-{}", std::process::id()));
        let text = "{apiVersion: v1, kind: Config, users: [], clusters: [{name: c, cluster: {server: 'https://127.0.0.1:1', \
                    insecure-skip-tls-verify: true}}], contexts: [{name: x, context: {cluster: c, user: u}}]}";
        std::fs::write(&file, text).expect("a file");
        let way = ClusterRoute::Kubeconfig { context: "x".to_owned(), file: file.to_str().map(str::to_owned) };
        let refused = way.connect(&Arc::default()).await.map(drop).expect_err("nobody listens");
        std::fs::remove_file(&file).expect("removed");
        assert_eq!(
            (refused.class, refused.code.line().as_str()),
            (FaultClass::Unreachable, "NotReachable"),
            "{refused}"
        );
    }

    #[tokio::test]
    async fn a_context_that_is_not_there_is_named() {
        let missing = of_kubeconfig("west", Some("/nonexistent/kubeconfig")).await.expect_err("no file");
        assert_eq!((missing.class, missing.code.line().as_str()), (FaultClass::Refused, "NoKubeconfig"));
        let file = std::env::temp_dir().join(format!("akidb-edge-kubeconfig-{}", std::process::id()));
        std::fs::write(&file, "apiVersion: v1\nkind: Config\ncontexts: []\nclusters: []\nusers: []\n").expect("a file");
        let missing = of_kubeconfig("west", file.to_str()).await.expect_err("no context");
        std::fs::remove_file(&file).expect("removed");
        assert_eq!(missing.code.line(), "NoContext");
        assert!(missing.message.text().contains("\"west\""), "{missing}");
    }
}
