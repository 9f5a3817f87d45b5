//! So many requests a second: a token bucket kept as one number, and one bucket for each address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Addresses that are recorded at most.
const ADDRESSES: usize = 65_536;

/// A rate and how much may come at once.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Rate {
    /// Nanoseconds that one request costs.
    cost: u64,
    /// Nanoseconds that may be owed.
    depth: u64,
}

impl Rate {
    /// `per_second` requests a second in the long run, `burst` at once; no rate when it is zero.
    pub fn new(per_second: u32, burst: u32) -> Option<Self> {
        let cost = 1_000_000_000u64.checked_div(u64::from(per_second))?;
        Some(Self { cost, depth: cost * u64::from(burst.max(1)) })
    }
}

/// A bucket: the time at which all that was taken is paid for, in nanoseconds.
#[derive(Debug, Default)]
pub struct TokenBucket(AtomicU64);

impl TokenBucket {
    /// Takes one token at the time `now`.
    ///
    /// # Errors
    /// It is empty: when there is a token again.
    pub fn take(&self, rate: Rate, now: u64) -> Result<(), Duration> {
        let mut paid = self.0.load(Ordering::Relaxed);
        loop {
            let next = paid.max(now) + rate.cost;
            if let Some(over) = next.checked_sub(now + rate.depth).filter(|over| *over > 0) {
                return Err(Duration::from_nanos(over));
            }
            match self.0.compare_exchange_weak(paid, next, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return Ok(()),
                Err(other) => paid = other,
            }
        }
    }
}

/// Nanoseconds since a clock was made.
#[derive(Clone, Copy, Debug)]
pub struct Clock(Instant);

impl Clock {
    /// Starts now.
    pub fn new() -> Self {
        Self(Instant::now())
    }

    /// Nanoseconds since the start.
    pub fn now(&self) -> u64 {
        u64::try_from(self.0.elapsed().as_nanos()).unwrap_or(u64::MAX / 2)
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::new()
    }
}

/// A bucket for each address.
#[derive(Debug)]
pub struct AddressBuckets {
    rate: Rate,
    buckets: Mutex<HashMap<IpAddr, TokenBucket>>,
}

impl AddressBuckets {
    /// No address has asked yet.
    pub fn new(rate: Rate) -> Self {
        Self { rate, buckets: Mutex::new(HashMap::new()) }
    }

    /// Takes one token of an address; of IPv6 the network of 64 bits counts, which is what one client has.
    ///
    /// # Errors
    /// It has none: when there is one again.
    pub fn take(&self, address: IpAddr, now: u64) -> Result<(), Duration> {
        let address = network(address);
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= ADDRESSES && !buckets.contains_key(&address) {
            // A full bucket is the same as none.
            buckets.retain(|_, bucket| *bucket.0.get_mut() > now);
            if buckets.len() >= ADDRESSES {
                return Err(Duration::from_secs(1));
            }
        }
        buckets.entry(address).or_default().take(self.rate, now)
    }
}

fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(six) => IpAddr::V6((six.to_bits() >> 64 << 64).into()),
        four @ IpAddr::V4(_) => four,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn a_burst_then_the_rate() {
        let rate = Rate::new(10, 3).unwrap();
        let bucket = TokenBucket::default();
        assert!((0..3).all(|_| bucket.take(rate, 0).is_ok()));
        assert_eq!(bucket.take(rate, 0), Err(Duration::from_millis(100)));
        assert_eq!(bucket.take(rate, SECOND / 20), Err(Duration::from_millis(50)));
        assert_eq!(bucket.take(rate, SECOND / 10), Ok(()));
        assert!(bucket.take(rate, SECOND / 10).is_err());
        assert!((0..3).all(|_| bucket.take(rate, 100 * SECOND).is_ok()), "it fills up, and no further");
        assert!(bucket.take(rate, 100 * SECOND).is_err());
    }

    #[test]
    fn addresses_do_not_share() {
        let buckets = AddressBuckets::new(Rate::new(1, 1).unwrap());
        let take = |text: &str, now| buckets.take(text.parse().unwrap(), now).is_ok();
        assert!(take("192.0.2.1", 0) && !take("192.0.2.1", 0) && take("192.0.2.2", 0));
        assert!(take("2001:db8::1", 0) && !take("2001:db8::2", 0) && take("2001:db8:0:1::1", 0));
        assert!(!take("::ffff:192.0.2.1", 0) && take("192.0.2.1", SECOND));
    }

    #[test]
    fn the_table_of_addresses_is_bounded() {
        let buckets = AddressBuckets::new(Rate::new(1, 1).unwrap());
        for number in 0..ADDRESSES {
            let address = std::net::Ipv4Addr::from_bits(u32::try_from(number).unwrap());
            assert!(buckets.take(address.into(), 0).is_ok());
        }
        assert!(buckets.take("203.0.113.1".parse().unwrap(), 0).is_err());
        assert!(buckets.take("203.0.113.1".parse().unwrap(), 2 * SECOND).is_ok());
        assert_eq!(buckets.buckets.lock().unwrap().len(), 1);
    }

    #[test]
    fn no_rate_is_no_limit() {
        assert_eq!(Rate::new(0, 5), None);
    }
}
