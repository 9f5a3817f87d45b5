//! How metrics are written: as OpenMetrics for whoever asks for it (Prometheus does), else in Prometheus' older text format.

use prometheus_client::encoding::text::{encode_eof, encode_registry};
use prometheus_client::registry::Registry;

use crate::serve::shown;

/// One of two formats.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum TextFormat {
    /// OpenMetrics 1.0.0.
    Open,
    /// Prometheus' text format 0.0.4.
    Plain,
}

impl TextFormat {
    /// What a header `accept` asks for.
    pub fn wanted(accept: Option<&str>) -> Self {
        let open = |one: &str| {
            let mut parts = one.split(';').map(str::trim);
            parts.next() == Some("application/openmetrics-text")
                && parts.all(|part| part != "q=0" && part != "version=0.0.1")
        };
        if accept.is_some_and(|accept| accept.split(',').any(open)) { Self::Open } else { Self::Plain }
    }

    /// The header `content-type`.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Open => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Plain => "text/plain; version=0.0.4; charset=utf-8",
        }
    }
}

/// All registries one after another. The library escapes backslashes, quotes and line feeds of labels; models have names that
/// others gave them, and what else moves the cursor of whoever reads is written out as in the log.
pub fn write(registries: &[&Registry], format: TextFormat) -> String {
    let mut text = String::with_capacity(32 << 10);
    for registry in registries {
        // Writing into a string cannot fail.
        let _ = encode_registry(&mut text, registry);
    }
    let mut text = shown::labels(text);
    match format {
        TextFormat::Open => {
            let _ = encode_eof(&mut text);
            text
        }
        TextFormat::Plain => plain(&text),
    }
}

/// The older format names a counter by its series: with `_total`.
fn plain(open: &str) -> String {
    let mut text = String::with_capacity(open.len());
    let mut help = "";
    for line in open.lines() {
        if line.starts_with("# HELP ") {
            help = line;
            continue;
        }
        let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' ')) else {
            text.push_str(line);
            text.push('\n');
            continue;
        };
        let end = if kind == "counter" { "_total" } else { "" };
        let words = help.strip_prefix("# HELP ").and_then(|rest| rest.split_once(' ')).map_or("", |(_, words)| words);
        text.push_str(&format!("# HELP {name}{end} {words}\n# TYPE {name}{end} {kind}\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prometheus_gets_openmetrics_and_a_browser_does_not() {
        let prometheus = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
        assert_eq!(TextFormat::wanted(Some(prometheus)), TextFormat::Open);
        assert_eq!(
            TextFormat::wanted(Some("application/openmetrics-text; version=1.0.0; charset=utf-8")),
            TextFormat::Open
        );
        for other in ["text/plain;version=0.0.4", "*/*", "application/openmetrics-text;q=0", ""] {
            assert_eq!(TextFormat::wanted(Some(other)), TextFormat::Plain, "{other}");
        }
        assert_eq!(TextFormat::wanted(None), TextFormat::Plain);
    }

    #[test]
    fn labels_move_no_cursor() {
        use prometheus_client::metrics::family::Family;
        use prometheus_client::metrics::gauge::Gauge;

        let name = "a\u{1b}[2K\r\n\"\\\u{9b}\u{202e}";
        let family: Family<Vec<(String, String)>, Gauge> = Family::default();
        family.get_or_create(&vec![("model".to_owned(), name.to_owned())]).set(1);
        let mut registry = Registry::default();
        registry.register("b", "Words", family.clone());
        for format in [TextFormat::Open, TextFormat::Plain] {
            let text = write(&[&registry], format);
            assert!(!text.chars().any(|letter| shown::is_hidden(letter) && letter != '\n'), "{text:?}");
            let value = r#"{model="a\\u{1b}[2K\\r\n\"\\\\u{9b}\\u{202e}"} 1"#;
            assert!(text.lines().any(|line| line == format!("b{value}")), "{text}");
        }
    }

    #[test]
    fn the_older_format_names_counters_by_their_series() {
        let open = "# HELP a_b Words here.\n# TYPE a_b counter\na_b_total 1\n# HELP c Words.\n# TYPE c gauge\nc 2\n";
        let plain = plain(open);
        assert_eq!(plain, open.replace("a_b Words", "a_b_total Words").replace("a_b counter", "a_b_total counter"));
    }
}
