//! The variables of the environment, read once.

use std::collections::BTreeMap;
use std::fmt;

/// The variables of the environment as they were when the run began. An empty variable counts as one that is not set, as in
/// the AWS CLI.
#[derive(Clone, Default)]
pub struct Environment(BTreeMap<String, String>);

impl Environment {
    /// The environment of this process. Variables that are not UTF-8 are left out.
    pub fn of_process() -> Self {
        let pairs =
            std::env::vars_os().filter_map(|(key, value)| Some((key.into_string().ok()?, value.into_string().ok()?)));
        Self(pairs.collect())
    }

    /// A variable with something in it.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.even_empty(name).filter(|value| !value.is_empty())
    }

    /// A variable, even an empty one.
    pub fn even_empty(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }
}

impl FromIterator<(String, String)> for Environment {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(pairs: I) -> Self {
        Self(pairs.into_iter().collect())
    }
}

// Variables hold secrets: only their names are shown.
impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}
