//! The end of a connection whose client may still be sending: closed at once, unread bytes would reset it, and the client might
//! never see the answer that it was given.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

use super::activity::ConnectionActivity;

/// How long such a client is listened to after the last answer.
const LINGER: Duration = Duration::from_secs(2);
/// How many of its bytes are read.
const MOST: usize = 16 << 20;

/// A stream that keeps reading after its own end if the activity record shows an unread body.
#[derive(Debug)]
pub struct LingeringClose<S> {
    stream: S,
    activity: Arc<ConnectionActivity>,
    /// Its own end has been sent.
    ended: bool,
    until: Option<Pin<Box<Sleep>>>,
    read: usize,
}

impl<S> LingeringClose<S> {
    /// This stream, with this activity record.
    pub fn new(stream: S, activity: Arc<ConnectionActivity>) -> Self {
        Self { stream, activity, ended: false, until: None, read: 0 }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for LingeringClose<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for LingeringClose<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        let this = &mut *self;
        if !this.ended {
            ready!(Pin::new(&mut this.stream).poll_shutdown(context))?;
            this.ended = true;
        }
        if !this.activity.has_unread() {
            return Poll::Ready(Ok(()));
        }
        let until = this.until.get_or_insert_with(|| Box::pin(sleep(LINGER)));
        let mut space = [0; 8192];
        while until.as_mut().poll(context).is_pending() && this.read < MOST {
            let mut buffer = ReadBuf::new(&mut space);
            match ready!(Pin::new(&mut this.stream).poll_read(context, &mut buffer)) {
                Ok(()) if !buffer.filled().is_empty() => this.read += buffer.filled().len(),
                // The other end has ended, too.
                _ => break,
            }
        }
        Poll::Ready(Ok(()))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[std::io::IoSlice<'_>],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    #[tokio::test]
    async fn a_client_that_is_still_sending_is_read_to_its_end() {
        let (mut client, server) = duplex(16);
        let activity = Arc::new(ConnectionActivity::new());
        activity.leave_unread();
        let mut server = LingeringClose::new(server, activity);
        let ending = tokio::spawn(async move { server.shutdown().await });
        client.write_all(&[0; 4000]).await.unwrap();
        client.shutdown().await.unwrap();
        ending.await.unwrap().unwrap();
        assert_eq!(client.read(&mut [0; 9]).await.unwrap(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn it_is_not_read_for_ever_and_others_are_not_waited_for() {
        let (mut client, server) = duplex(16);
        let activity = Arc::new(ConnectionActivity::new());
        LingeringClose::new(server, activity.clone()).shutdown().await.unwrap();
        assert!(client.write_all(b"a").await.is_err());
        let (_client, server) = duplex(16);
        activity.leave_unread();
        let began = tokio::time::Instant::now();
        LingeringClose::new(server, activity).shutdown().await.unwrap();
        assert_eq!(began.elapsed(), LINGER);
    }
}
