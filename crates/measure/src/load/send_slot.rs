//! The connection that one request after another is sent on.

use std::rc::Rc;
use std::time::Instant;

use tokio::sync::Mutex;

use crate::answer::Seen;
use crate::client::{Client, Link, Taken};
use crate::connect::Opened;
use crate::failure::ConnectionFailure;
use crate::http2::Http2;

use super::Reuse;

/// A connection of HTTP/2 that several seats use.
pub(super) type Shared = Rc<Mutex<Option<Http2>>>;

/// Where requests are sent one after another.
pub(super) struct SendSlot {
    own: Option<Link>,
    shared: Option<Shared>,
    reuse: Reuse,
}

impl SendSlot {
    pub fn new(shared: Option<Shared>, reuse: Reuse) -> Self {
        Self { own: None, shared: shared.filter(|_| reuse == Reuse::Keep), reuse }
    }

    /// Sends one request and reads its answer.
    pub async fn request(&mut self, client: &Client) -> Result<(Seen, Taken), ConnectionFailure> {
        // A connection that was closed while the request was on its way to it: another one, once. A POST may have been carried out and is
        // not sent twice; that its connection is open was looked at right before.
        let mut again = client.may_repeat();
        loop {
            let (mut link, opened) = self.link(client).await?;
            let sent = Instant::now();
            match client.exchange(&mut link, None).await {
                Ok((seen, open)) => {
                    let first_byte = seen.first_byte.saturating_duration_since(sent);
                    if open && self.shared.is_none() && self.reuse == Reuse::Keep {
                        self.own = Some(link);
                    }
                    return Ok((seen, Taken { opened, first_byte, done: Instant::now() }));
                }
                Err(broken) if broken.stale && again => again = false,
                Err(broken) => return Err(broken),
            }
        }
    }

    async fn link(&mut self, client: &Client) -> Result<(Link, Option<Opened>), ConnectionFailure> {
        if let Some(mut own) = self.own.take()
            && own.is_open()
        {
            return Ok((own, None));
        }
        let Some(shared) = &self.shared else {
            return client.open().await.map(|(link, opened)| (link, Some(opened)));
        };
        let mut place = shared.lock().await;
        if let Some(open) = place.as_ref().filter(|open| open.is_open()) {
            return Ok((Link::Http2(open.clone()), None));
        }
        let (link, opened) = client.open().await?;
        if let Link::Http2(connection) = &link {
            *place = Some(connection.clone());
        }
        Ok((link, Some(opened)))
    }

    /// Forgets the connection: whoever waited in vain on it tries another one.
    pub fn give_up(&mut self) {
        self.own = None;
        if let Some(shared) = &self.shared
            && let Ok(mut place) = shared.try_lock()
        {
            *place = None;
        }
    }
}
