//! Waits until an instant, with better than millisecond accuracy.

use std::io;
use std::time::Instant;

/// The timer of the kernel: some microseconds late, while the timer of the runtime is up to a millisecond late.
#[cfg(target_os = "linux")]
pub(crate) struct Alarm(tokio::io::unix::AsyncFd<rustix::fd::OwnedFd>);

#[cfg(target_os = "linux")]
impl Alarm {
    /// Has to be made where the runtime is.
    #[expect(
        deprecated,
        reason = "what replaces it is not a safe function, as some types close their descriptor behind the runtime's back; OwnedFd does not"
    )]
    pub fn new() -> io::Result<Self> {
        use rustix::time::{TimerfdClockId, TimerfdFlags, timerfd_create};
        let fd = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)?;
        Ok(Self(tokio::io::unix::AsyncFd::with_interest(fd, tokio::io::Interest::READABLE)?))
    }

    /// Returns at this instant; at once when it has passed.
    pub async fn until(&mut self, at: Instant) -> io::Result<()> {
        use rustix::time::{Itimerspec, TimerfdTimerFlags, Timespec, timerfd_settime};
        let left = at.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(());
        }
        let it_value =
            Timespec { tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX), tv_nsec: left.subsec_nanos().into() };
        let it_interval = Timespec { tv_sec: 0, tv_nsec: 0 };
        timerfd_settime(self.0.get_ref(), TimerfdTimerFlags::empty(), &Itimerspec { it_interval, it_value })?;
        loop {
            let mut ready = self.0.readable().await?;
            let rang = ready.try_io(|fd| rustix::io::read(fd.get_ref(), &mut [0_u8; 8]).map_err(io::Error::from));
            match rang {
                Ok(done) => return done.map(drop),
                Err(_would_block) => {}
            }
        }
    }
}

/// The timer of the runtime up to the last millisecond, which is spent in asking for the time.
#[cfg(not(target_os = "linux"))]
pub(crate) struct Alarm;

#[cfg(not(target_os = "linux"))]
impl Alarm {
    /// Nothing is needed.
    #[expect(clippy::unnecessary_wraps, reason = "the timer of Linux can be missing")]
    pub fn new() -> io::Result<Self> {
        Ok(Self)
    }

    /// Returns at this instant; at once when it has passed.
    #[expect(clippy::unnecessary_wraps, reason = "the timer of Linux can fail")]
    pub async fn until(&mut self, at: Instant) -> io::Result<()> {
        let early = at.checked_sub(std::time::Duration::from_millis(2)).unwrap_or(at);
        if early > Instant::now() {
            tokio::time::sleep_until(early.into()).await;
        }
        while Instant::now() < at {
            tokio::task::yield_now().await;
        }
        Ok(())
    }
}
