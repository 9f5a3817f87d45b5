//! One spelling for the values of a record set: numbers, addresses and host names that Route 53 takes in several forms.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::{canonical, text};

/// What is at each place of a value; the last one repeats for whatever follows it.
#[derive(Clone, Copy)]
enum Field {
    Number,
    Host,
    Word,
    /// Letters of any case mean the same.
    Hex,
}

/// The fields of the types that have several, or a host.
fn fields(record_type: &str) -> &'static [Field] {
    use Field::{Hex, Host, Number, Word};
    match record_type {
        "CNAME" | "NS" | "PTR" => &[Host],
        "MX" => &[Number, Host],
        "SRV" => &[Number, Number, Number, Host],
        "DS" | "TLSA" => &[Number, Number, Number, Hex],
        "SSHFP" => &[Number, Number, Hex],
        "HTTPS" | "SVCB" => &[Number, Host, Word],
        "NAPTR" => &[Number, Number, Word, Word, Word, Host],
        _ => &[],
    }
}

/// A value in the spelling in which it is sent. Text with a reference is left alone.
pub fn value(record_type: &str, value: &str) -> String {
    if value.contains("${") {
        return value.to_owned();
    }
    let trimmed = value.trim();
    match record_type {
        "A" => trimmed.parse::<Ipv4Addr>().map_or_else(|_| trimmed.to_owned(), |address| address.to_string()),
        "AAAA" => trimmed.parse::<Ipv6Addr>().map_or_else(|_| trimmed.to_owned(), |address| address.to_string()),
        "TXT" | "SPF" => text::sent(value),
        "CAA" => caa(trimmed),
        _ => in_fields(fields(record_type), trimmed),
    }
}

/// What a value says: equal for all spellings of the same.
pub fn meaning(record_type: &str, value: &str) -> String {
    let value = self::value(record_type, value);
    if matches!(record_type, "TXT" | "SPF") { text::meaning(&value) } else { value }
}

fn in_fields(fields: &[Field], value: &str) -> String {
    let Some(last) = fields.last() else { return value.to_owned() };
    let of = |at: usize| fields.get(at).unwrap_or(last);
    let words = words(value).into_iter().enumerate();
    let spelled = words.map(|(at, word)| match of(at) {
        Field::Number => word.parse::<u64>().map_or_else(|_| word.to_owned(), |number| number.to_string()),
        Field::Host => canonical::name(word),
        Field::Hex => word.to_ascii_uppercase(),
        Field::Word => word.to_owned(),
    });
    spelled.collect::<Vec<_>>().join(" ")
}

/// The words of a value; blanks inside of quotation marks do not divide.
pub fn words(value: &str) -> Vec<&str> {
    let (mut inside, mut escaped) = (false, false);
    let parts = value.split(move |letter: char| {
        let divides = letter.is_whitespace() && !inside;
        if letter == '"' && !escaped {
            inside = !inside;
        }
        escaped = letter == '\\' && !escaped;
        divides
    });
    parts.filter(|word| !word.is_empty()).collect()
}

/// Flags, a tag in any case, and a value that is in quotation marks.
fn caa(value: &str) -> String {
    let words = words(value);
    let [flags, tag, said] = words.as_slice() else { return value.to_owned() };
    let flags = flags.parse::<u64>().map_or_else(|_| (*flags).to_owned(), |number| number.to_string());
    format!("{flags} {} {}", tag.to_ascii_lowercase(), text::meaning(&text::sent(said)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_spellings_of_a_value_mean_the_same() {
        for (record_type, one, other) in [
            ("AAAA", "2001:DB8:0:0:0:0:0:1", "2001:db8::1"),
            ("AAAA", "2001:0db8::0001", "2001:db8::1"),
            ("MX", "10  Mail.Example.org.", "10 mail.example.org"),
            ("MX", "010 mail.example.org", "10 mail.example.org"),
            ("SRV", "0 5 5060 SIP.example.net.", "0 5 5060 sip.example.net"),
            ("CNAME", "D1.CloudFront.net.", "d1.cloudfront.net"),
            ("NS", "NS-1.awsdns-00.COM.", "ns-1.awsdns-00.com"),
            ("PTR", "a\\055b.example.net.", "a-b.example.net"),
            ("CAA", "0 ISSUE \"letsencrypt.org\"", "0 issue letsencrypt.org"),
            ("DS", "123 4 5 abcdef01", "123 4 5 ABCDEF01"),
            ("SSHFP", "1 1 abcd", "1 1 ABCD"),
            (
                "NAPTR",
                "100 50 \"s\" \"SIP+D2U\" \"\" _SIP._udp.example.com.",
                "100 50 \"s\" \"SIP+D2U\" \"\" _sip._udp.example.com",
            ),
            ("HTTPS", "1 . alpn=\"h2\"", "01 . alpn=\"h2\""),
            ("TXT", "plain text", "\"plain\" \" text\""),
        ] {
            assert_eq!(meaning(record_type, one), meaning(record_type, other), "{record_type} {one}");
            let sent = value(record_type, one);
            assert_eq!(value(record_type, &sent), sent, "{record_type} {one}, twice");
        }
        assert_ne!(meaning("HTTPS", "1 . alpn=\"h2\""), meaning("HTTPS", "1 . alpn=\"H2\""));
        assert_eq!(value("CNAME", "${cdn.distribution.main#Name}"), "${cdn.distribution.main#Name}");
        assert_eq!(value("NAPTR", "1 1 \"u\" \"a b\" \"!^.*$!x!\" ."), "1 1 \"u\" \"a b\" \"!^.*$!x!\" .");
    }
}
