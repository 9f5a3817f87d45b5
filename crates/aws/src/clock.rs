//! Detects a wrong clock: signatures are valid for minutes only, and each service reports that with different errors.

use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;

/// Below this the clock is not what is wrong: an answer is under way for a moment.
const NOTICED: i64 = 30;

/// Whether a service refused a request for its time. Signature V4 has one code for a wrong secret and for a wrong time.
pub fn is_blamed(code: &str, message: &str) -> bool {
    let lower = message.to_lowercase();
    matches!(code, "RequestTimeTooSkewed" | "RequestExpired" | "RequestInTheFuture")
        || lower.contains("signature expired")
        || lower.contains("signature not yet current")
}

/// What to do, with how far the clock is off by the `Date` of the answer.
pub fn advice(date: Option<&str>, now: Timestamp) -> String {
    let off = date.and_then(|date| DateTimeParser::new().parse_timestamp(date).ok());
    let off = off.map(|theirs| now.as_second() - theirs.as_second()).filter(|off| off.abs() >= NOTICED);
    let off = match off {
        Some(off) if off < 0 => format!(": it is {} s behind the service's", -off),
        Some(off) => format!(": it is {off} s ahead of the service's"),
        None => String::new(),
    };
    format!("set this machine's clock{off} (timedatectl set-ntp true); the credentials may be valid")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_is_measured_against_the_answer() {
        let now: Timestamp = "2026-11-21T07:00:00Z".parse().expect("a time");
        let said = |date| advice(date, now);
        assert!(said(Some("Sat, 21 Nov 2026 07:15:10 GMT")).contains("it is 910 s behind the service's"));
        assert!(said(Some("Sat, 21 Nov 2026 06:59:00 GMT")).contains("it is 60 s ahead of the service's"));
        for none in [None, Some("Sat, 21 Nov 2026 06:59:55 GMT"), Some("soon")] {
            assert!(said(none).starts_with("set this machine's clock ("), "{none:?}");
        }
    }

    #[test]
    fn a_wrong_secret_is_no_wrong_clock() {
        let mismatch = "The request signature we calculated does not match the signature you provided.";
        assert!(!is_blamed("SignatureDoesNotMatch", mismatch));
        assert!(is_blamed("SignatureDoesNotMatch", "Signature expired: 20261121T060000Z is now earlier than …"));
        assert!(is_blamed("InvalidSignatureException", "Signature not yet current: 20261121T080000Z is still later …"));
        assert!(is_blamed("RequestTimeTooSkewed", ""));
    }
}
