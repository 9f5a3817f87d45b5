//! What the tool must be allowed to do for a kind, as data: each provider says it of its own calls. What is held to more than
//! names is in `conditions`.

use serde_json::Value;

/// What the calls for one kind need: actions, and on which resources.
pub struct Grant {
    /// The id of its statement. Grants of several kinds with one id have the same actions and become one statement.
    pub sid: &'static str,
    /// The actions, in order.
    pub actions: &'static [&'static str],
    /// ARNs, as far as they are known before the run; no statement when there are none.
    pub on: fn(&Facts<'_>) -> Vec<String>,
}

/// One resource with its settings as far as they are literal.
pub struct Facts<'a> {
    /// The settings.
    pub spec: Value,
    /// Twelve digits, or `*`.
    pub account: &'a str,
}

impl Facts<'_> {
    /// The text of a setting; `*` where it is not known.
    pub fn text(&self, field: &str) -> String {
        self.spec.get(field).and_then(Value::as_str).unwrap_or("*").to_owned()
    }
}

/// Actions that AWS allows on everything or on nothing.
pub fn everything(_: &Facts<'_>) -> Vec<String> {
    vec!["*".to_owned()]
}
