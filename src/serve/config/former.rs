//! Former names of settings: flags, keys of the settings file and variables. Each is accepted for one version.

use super::setting::Setting;

/// A setting that has another name now.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct FormerSetting {
    /// Its former name: the flag without its dashes, and the key of the file.
    pub former: &'static str,
    /// Its name.
    pub name: &'static str,
    /// Its former variable; none when the variable has kept its name.
    pub variable: Option<&'static str>,
}

const fn row(former: &'static str, name: &'static str, variable: Option<&'static str>) -> FormerSetting {
    FormerSetting { former, name, variable }
}

/// All of them.
pub const FORMER: &[FormerSetting] = &[
    row("alone-threads", "single-request-threads", Some("AKIDB_ALONE_THREADS")),
    row("batch-tokens", "max-batch-tokens", Some("AKIDB_BATCH_TOKENS")),
    row("models-loaded", "max-loaded-models", Some("AKIDB_MODELS_LOADED")),
    row("trace-sample", "trace-sample-ratio", None),
    row("metrics-open", "public-metrics", Some("AKIDB_METRICS_OPEN")),
    row("max-text", "max-text-bytes", Some("AKIDB_MAX_TEXT")),
    row("max-bytes-under-way", "max-in-flight-bytes", Some("AKIDB_MAX_BYTES_UNDER_WAY")),
    row("rate", "rate-limit", Some("AKIDB_RATE")),
    row("burst", "rate-limit-burst", Some("AKIDB_BURST")),
    row("rate-by-address", "rate-limit-per-address", Some("AKIDB_RATE_BY_ADDRESS")),
    row("request-time", "request-timeout", Some("AKIDB_REQUEST_TIME")),
    row("header-time", "header-timeout", Some("AKIDB_HEADER_TIME")),
    row("body-time", "body-timeout", Some("AKIDB_BODY_TIME")),
    row("stream-time", "max-stream-duration", Some("AKIDB_STREAM_TIME")),
    row("idle-time", "idle-timeout", Some("AKIDB_IDLE_TIME")),
    row("queue-wait", "max-queue-wait", Some("AKIDB_QUEUE_WAIT")),
    row("queue-tokens", "max-queue-tokens", Some("AKIDB_QUEUE_TOKENS")),
];

/// The former names of a setting.
pub fn of(setting: &Setting) -> impl Iterator<Item = &'static FormerSetting> {
    let name = setting.name;
    FORMER.iter().filter(move |row| row.name == name)
}

/// The name of a setting that was written by its former name.
pub fn name_of(former: &str) -> Option<&'static str> {
    FORMER.iter().find(|row| row.former == former).map(|row| row.name)
}

#[cfg(test)]
mod tests {
    use super::FORMER;
    use crate::serve::config::setting::{SETTINGS, find};

    #[test]
    fn a_former_name_leads_to_a_setting_and_is_none_itself() {
        for row in FORMER {
            assert!(find(row.name).is_some(), "{}", row.name);
            assert!(find(row.former).is_none(), "{}", row.former);
            assert!(SETTINGS.iter().all(|setting| Some(setting.variable) != row.variable), "{}", row.former);
        }
    }
}
