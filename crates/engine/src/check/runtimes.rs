//! Lambda runtimes as data. AWS moves these dates: they cause warnings, never errors.

use jiff::civil::{Date, date};

/// The day on which this table was compared with AWS's own.
pub(super) const AS_OF: Date = date(2026, 11, 20);

/// One runtime.
pub(super) struct LambdaRuntime {
    /// Identifier in the API.
    pub name: &'static str,
    /// Day of deprecation, when known.
    pub deprecated: Option<Date>,
    /// Day from which no function can be made with it, when known.
    pub blocked: Option<Date>,
    /// Whether Lambda@Edge takes it: Node.js and Python only.
    pub edge: bool,
}

const fn known(name: &'static str, deprecated: Option<Date>, blocked: Option<Date>, edge: bool) -> LambdaRuntime {
    LambdaRuntime { name, deprecated, blocked, edge }
}

/// The runtimes with the dates that the documents name.
pub(super) const RUNTIMES: &[LambdaRuntime] = &[
    known("nodejs18.x", Some(date(2025, 9, 1)), Some(date(2027, 2, 1)), true),
    known("nodejs20.x", Some(date(2026, 4, 30)), Some(date(2027, 2, 1)), true),
    known("nodejs22.x", Some(date(2027, 4, 30)), Some(date(2027, 6, 1)), true),
    known("nodejs24.x", Some(date(2028, 4, 30)), Some(date(2028, 6, 1)), true),
    known("nodejs26.x", None, None, true),
    known("python3.9", None, None, true),
    known("python3.10", None, None, true),
    known("python3.11", None, None, true),
    known("python3.12", None, None, true),
    known("python3.13", None, None, true),
    known("python3.14", None, None, true),
    known("java11", None, None, false),
    known("java17", None, None, false),
    known("java21", None, None, false),
    known("java25", None, None, false),
    known("dotnet8", None, None, false),
    known("dotnet10", None, None, false),
    known("ruby3.2", None, None, false),
    known("ruby3.3", None, None, false),
    known("ruby3.4", None, None, false),
    known("provided.al2", None, None, false),
    known("provided.al2023", None, None, false),
];

/// The runtime of this name.
pub(super) fn runtime(name: &str) -> Option<&'static LambdaRuntime> {
    RUNTIMES.iter().find(|runtime| runtime.name == name)
}
