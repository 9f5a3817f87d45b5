//! A stream of bytes to a port of a machine: the standard streams of an `ssh -W`.

use std::io;
use std::pin::Pin;
use std::process::{Command, Stdio};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures::future::BoxFuture;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout};

use super::client::{self, PinnedKey};
use crate::resource::Fault;

/// What ssh may say on its standard error, in bytes; more is read and dropped.
const MOST_SAID: u64 = 16 << 10;
/// The end of standard error is waited for so long once standard output has ended: a process that ssh started may keep it open.
const SAID_WITHIN: Duration = Duration::from_secs(1);

/// The bytes between here and the port. It ends the client when it is dropped.
pub struct Tunnel {
    /// The client; killed when this is dropped.
    _child: Child,
    /// None once it is closed.
    input: Option<ChildStdin>,
    output: ChildStdout,
    /// Whether a byte came: then an end is the far side's.
    received: bool,
    /// Why it ended before a byte came; taken when that is asked for.
    reason: Option<BoxFuture<'static, Fault>>,
    /// The same while it is being found out.
    ending: Option<BoxFuture<'static, Fault>>,
    /// A file with a key must be there until the connection stands.
    _pin: PinnedKey,
}

impl Tunnel {
    /// Starts the client. When it ends before a byte came, `explain` makes a fault of what it said, which a read gives as an
    /// error with that [`Fault`] in it.
    ///
    /// # Errors
    /// When the client cannot be started.
    pub fn start<E>(
        command: Command,
        pin: PinnedKey,
        explain: impl FnOnce(String) -> E + Send + 'static,
    ) -> Result<Self, Fault>
    where
        E: Future<Output = Fault> + Send + 'static,
    {
        let mut command = tokio::process::Command::from(command);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().map_err(|bad| client::not_started(&bad))?;
        let (Some(input), Some(output), Some(errors)) = (child.stdin.take(), child.stdout.take(), child.stderr.take())
        else {
            return Err(Fault::unexpected("ssh", "forward", "the client has no standard streams"));
        };
        let said = tokio::spawn(said(errors));
        let reason = async move {
            let said = tokio::time::timeout(SAID_WITHIN, said).await;
            explain(said.ok().and_then(Result::ok).unwrap_or_default()).await
        };
        let reason: BoxFuture<'static, Fault> = Box::pin(reason);
        Ok(Self {
            _child: child,
            input: Some(input),
            output,
            received: false,
            reason: Some(reason),
            ending: None,
            _pin: pin,
        })
    }
}

/// Everything that the client says, as far as it is kept.
async fn said(mut errors: ChildStderr) -> String {
    let mut kept = Vec::new();
    // What cannot be read was not said.
    let _ = (&mut errors).take(MOST_SAID).read_to_end(&mut kept).await;
    let _ = tokio::io::copy(&mut errors, &mut tokio::io::sink()).await;
    String::from_utf8_lossy(&kept).into_owned()
}

impl AsyncRead for Tunnel {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.ending.is_none() {
            let (room, before) = (buffer.remaining(), buffer.filled().len());
            let read = ready!(Pin::new(&mut this.output).poll_read(context, buffer));
            this.received |= buffer.filled().len() > before;
            if this.received || room == 0 {
                return Poll::Ready(read);
            }
            this.ending = this.reason.take();
        }
        let Some(ending) = &mut this.ending else { return Poll::Ready(Ok(())) };
        let fault = ready!(ending.as_mut().poll(context));
        this.ending = None;
        Poll::Ready(Err(io::Error::other(fault)))
    }
}

impl AsyncWrite for Tunnel {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let Some(input) = &mut this.input else { return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())) };
        match ready!(Pin::new(input).poll_write(context, bytes)) {
            // The client ended before a byte came: the read that follows says why, and a broken pipe does not.
            Err(bad) if bad.kind() == io::ErrorKind::BrokenPipe && !this.received => Poll::Ready(Ok(bytes.len())),
            written => Poll::Ready(written),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().input {
            Some(input) => Pin::new(input).poll_flush(context),
            None => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        // The end of its input: ssh closes this direction of the channel.
        self.get_mut().input = None;
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;

    use super::*;
    use crate::resource::FaultClass;

    /// A tunnel through these shell lines in the place of ssh.
    fn through(lines: &str) -> Tunnel {
        let mut command = Command::new("sh");
        command.args(["-c", lines]);
        let explain =
            |said: String| async move { Fault::new(FaultClass::Away, "ssh", "forward", "Ended", said.trim()) };
        Tunnel::start(command, PinnedKey::None, explain).expect("sh starts")
    }

    #[tokio::test]
    async fn bytes_go_both_ways_to_their_end() {
        let mut tunnel = through("cat");
        tunnel.write_all(b"hello").await.expect("it takes them");
        tunnel.shutdown().await.expect("it ends");
        let mut back = Vec::new();
        tunnel.read_to_end(&mut back).await.expect("an end is not an error once a byte came");
        assert_eq!(back, b"hello");
        assert!(tunnel.write_all(b"more").await.is_err(), "it is closed");
    }

    #[tokio::test]
    async fn an_end_before_the_first_byte_is_the_fault_that_explains_it() {
        let mut tunnel = through("exec 0<&-; echo stdio forwarding failed >&2; exit 255");
        // However early the client ends, what is sent does not hide why.
        for _ in 0..1000 {
            tunnel.write_all(&[0; 1024]).await.expect("nothing is said of a broken pipe");
        }
        let bad = tunnel.read(&mut [0; 16]).await.expect_err("it ended");
        let fault = bad.get_ref().and_then(|inner| inner.downcast_ref::<Fault>()).expect("a fault");
        assert_eq!((fault.class, fault.message.line().as_str()), (FaultClass::Away, "stdio forwarding failed"));
        assert_eq!(tunnel.read(&mut [0; 16]).await.ok(), Some(0), "it is told once");
    }

    #[tokio::test]
    async fn the_client_ends_with_the_tunnel() {
        let mut tunnel = through("echo $$; exec sleep 600");
        let mut process = [0; 32];
        let read = tunnel.read(&mut process).await.expect("its number");
        let process = String::from_utf8_lossy(&process[..read]).trim().to_owned();
        let alive = || {
            let status = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
            status.rsplit_once(") ").is_some_and(|(_, state)| !state.starts_with('Z'))
        };
        assert!(alive());
        drop(tunnel);
        while alive() {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn what_the_client_says_without_end_is_dropped() {
        let mut tunnel = through("head -c 10000000 /dev/zero | tr '\\0' x >&2");
        let bad = tunnel.read(&mut [0; 16]).await.expect_err("it ended");
        let fault = bad.get_ref().and_then(|inner| inner.downcast_ref::<Fault>()).expect("a fault");
        assert_eq!(fault.message.len() as u64, MOST_SAID);
    }
}
