//! A bearer token that expires and is renewed in time.

use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::status::SERVICE;
use crate::provider::cluster::{ClusterAccess, Login};
use crate::resource::{Fault, FaultClass};

/// A token is asked for again so long before it runs out, or in the last quarter of its life when that is shorter.
const EARLY: Duration = Duration::from_secs(60);

/// A token, and where the next one comes from.
pub(crate) struct BearerToken {
    access: Arc<dyn ClusterAccess>,
    current: Mutex<(HeaderValue, Instant)>,
}

impl BearerToken {
    /// This token, of this way to the cluster.
    ///
    /// # Errors
    /// When the token cannot be in a header.
    pub(crate) fn new(access: &Arc<dyn ClusterAccess>, token: &str, lasts: Duration) -> Result<Self, Fault> {
        Ok(Self { access: Arc::clone(access), current: Mutex::new(ready(token, lasts)?) })
    }

    /// The header with a token that is still good.
    ///
    /// # Errors
    /// When the next token cannot be had.
    pub(crate) async fn header(&self) -> Result<HeaderValue, Fault> {
        let mut current = self.current.lock().await;
        if Instant::now() >= current.1 {
            let credentials = self.access.credentials().await?;
            let Some(Login::Token { token, lasts }) = credentials.map(|credentials| credentials.login) else {
                return Err(Fault::new(
                    FaultClass::Credentials,
                    SERVICE,
                    "login",
                    "NoToken",
                    "the next token was not given",
                )
                .next("run the same command again"));
            };
            *current = ready(&token, lasts)?;
        }
        Ok(current.0.clone())
    }
}

/// The header of a token, and when the next one is asked for.
fn ready(token: &str, lasts: Duration) -> Result<(HeaderValue, Instant), Fault> {
    let mut header = HeaderValue::from_str(&format!("Bearer {token}")).map_err(|_| {
        Fault::new(
            FaultClass::Credentials,
            SERVICE,
            "login",
            "BadToken",
            "the token holds characters that cannot be sent",
        )
        .next("log in again")
    })?;
    header.set_sensitive(true);
    Ok((header, Instant::now() + lasts.saturating_sub(EARLY.min(lasts / 4))))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use async_trait::async_trait;

    use super::*;
    use crate::provider::cluster::Credentials;

    #[derive(Default)]
    struct Counted(AtomicUsize);

    #[async_trait]
    impl ClusterAccess for Counted {
        async fn credentials(&self) -> Result<Option<Credentials>, Fault> {
            let count = self.0.fetch_add(1, Ordering::Relaxed) + 1;
            let login = Login::Token { token: format!("t{count}"), lasts: Duration::from_secs(900) };
            Ok(Some(Credentials { server: String::new(), authority: Vec::new(), login }))
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_next_token_is_asked_for_before_the_last_minute() {
        let access: Arc<dyn ClusterAccess> = Arc::new(Counted::default());
        let bearer = BearerToken::new(&access, "t0", Duration::from_secs(900)).expect("a token");
        let mut seen = Vec::new();
        for seconds in [0, 839, 2, 10, 840] {
            tokio::time::advance(Duration::from_secs(seconds)).await;
            seen.push(bearer.header().await.expect("a header").to_str().expect("text").to_owned());
        }
        assert_eq!(seen, ["Bearer t0", "Bearer t0", "Bearer t1", "Bearer t1", "Bearer t2"]);
    }
}
