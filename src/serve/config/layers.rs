//! Precedence of values: flags, then the environment, then the file, then the defaults.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;

use crate::renames::FormerName;
use crate::serve::files::read_text;

use super::former;
use super::setting::{SETTINGS, Setting, SettingKind, find, nearest, variables};

/// Where a value comes from; the later one wins.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum ValueOrigin {
    /// The default.
    Default,
    /// The file of this path.
    File(String),
    /// This variable.
    Environment(&'static str),
    /// This flag.
    Flag(&'static str),
}

impl fmt::Display for ValueOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path) => write!(f, "file {path}"),
            Self::Environment(variable) => write!(f, "environment {variable}"),
            Self::Flag(name) => write!(f, "flag --{name}"),
        }
    }
}

/// A value and where it comes from.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LayeredValue {
    /// As it was written.
    pub texts: Vec<String>,
    /// Its source.
    pub origin: ValueOrigin,
}

/// Something to correct.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ConfigError {
    /// Which setting, or which file.
    pub place: String,
    /// What is wrong with it, and the next step.
    pub why: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.why)
    }
}

/// All values.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Layers {
    values: BTreeMap<&'static str, LayeredValue>,
    /// What is wrong with the file itself.
    pub wrong: Vec<ConfigError>,
    /// Former names of variables, and of keys of the file, that give a value. Former flags are reported by `renames::used`.
    pub former: BTreeSet<FormerName>,
}

impl Layers {
    /// Reads all layers: `flag` returns the values on the command line, `variable` the value of a variable.
    pub fn read(
        flag: impl Fn(&str) -> Option<Vec<String>>,
        variable: impl Fn(&str) -> Option<String>,
        file: Option<&Path>,
    ) -> Self {
        let mut layers = Self::default();
        let from_file = file.map(|file| layers.file(file)).unwrap_or_default();
        for setting in SETTINGS {
            let mut met = None;
            let mut said = |setting: &Setting| {
                let flagged = flag(setting.name).map(|texts| (texts, ValueOrigin::Flag(setting.name)));
                let told = || {
                    variables(setting).find_map(|name| {
                        let text = variable(name).filter(|text| !text.is_empty())?;
                        met = former::of(setting).find(|row| row.variable == Some(name));
                        Some((split(setting, &text), ValueOrigin::Environment(name)))
                    })
                };
                let written = || {
                    let path = file.map(|path| path.display().to_string()).unwrap_or_default();
                    from_file.get(setting.name).map(|texts| (texts.clone(), ValueOrigin::File(path)))
                };
                flagged.or_else(told).or_else(written)
            };
            let otherwise = || (split(setting, setting.default), ValueOrigin::Default);
            let (texts, origin) = said(setting).unwrap_or_else(otherwise);
            let variable = met.and_then(|row| row.variable);
            layers.former.extend(variable.map(|variable| FormerName::new(variable, setting.variable)));
            layers.values.insert(setting.name, LayeredValue { texts, origin });
        }
        layers
    }

    /// The value of a setting; empty when there is none.
    pub fn text(&self, name: &str) -> &str {
        self.values.get(name).and_then(|value| value.texts.first()).map_or("", String::as_str)
    }

    /// All values of a setting.
    pub fn texts(&self, name: &str) -> &[String] {
        self.values.get(name).map_or(&[], |value| &value.texts)
    }

    /// The source of a value.
    pub fn origin(&self, name: &str) -> &ValueOrigin {
        self.values.get(name).map_or(&ValueOrigin::Default, |value| &value.origin)
    }

    /// Every setting with its value, in the order of the help.
    pub fn all(&self) -> impl Iterator<Item = (&'static Setting, &LayeredValue)> {
        SETTINGS.iter().filter_map(|setting| Some((setting, self.values.get(setting.name)?)))
    }

    fn file(&mut self, file: &Path) -> BTreeMap<&'static str, Vec<String>> {
        let place = file.display().to_string();
        let table = read_text(file)
            .map_err(|why| why.to_string())
            .and_then(|text| text.parse::<toml::Table>().map_err(|why| why.to_string()));
        let table = match table {
            Ok(table) => table,
            Err(why) => {
                self.wrong.push(ConfigError { place, why });
                return BTreeMap::new();
            }
        };
        let mut values = BTreeMap::new();
        for (key, value) in &table {
            let renamed = former::name_of(key);
            if let Some(name) = renamed {
                self.former.insert(FormerName::new(format!("{key} in {place}"), name));
            }
            if renamed.is_some_and(|name| table.contains_key(name)) {
                let why = format!("{key} is the former name of a setting that the file also has; delete it");
                self.wrong.push(ConfigError { place: place.clone(), why });
                continue;
            }
            match (find(renamed.unwrap_or(key)), written(value)) {
                (Some(setting), Some(texts)) => drop(values.insert(setting.name, texts)),
                (Some(_), None) => {
                    let why = format!("{key} is a text, a number, true, false or a list of texts");
                    self.wrong.push(ConfigError { place: place.clone(), why });
                }
                (None, _) => {
                    let near = nearest(key).map_or_else(String::new, |near| format!("; did you mean {near}?"));
                    self.wrong.push(ConfigError { place: place.clone(), why: format!("unknown setting {key}{near}") });
                }
            }
        }
        values
    }
}

/// A value of the file, in words.
fn written(value: &toml::Value) -> Option<Vec<String>> {
    Some(match value {
        toml::Value::String(text) => vec![text.clone()],
        toml::Value::Integer(number) => vec![number.to_string()],
        toml::Value::Boolean(yes) => vec![yes.to_string()],
        toml::Value::Array(all) => all.iter().map(|one| one.as_str().map(str::to_owned)).collect::<Option<_>>()?,
        _ => return None,
    })
}

/// The values of a text: of several, commas are between them.
fn split(setting: &Setting, text: &str) -> Vec<String> {
    match setting.kind {
        SettingKind::Many(_) => {
            text.split(',').map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect()
        }
        _ if text.is_empty() => Vec::new(),
        _ => vec![text.to_owned()],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_then_environment_then_file_then_default() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("serve.toml");
        std::fs::write(
            &file,
            "max-texts = 1\nrate-limit = 2\nrate-limit-burst = 3\ncors-origin = [\"https://a\", \"https://b\"]\n",
        )
        .unwrap();
        let flag = |name: &str| (name == "max-texts").then(|| vec!["9".to_owned()]);
        let variable = |name: &str| matches!(name, "AKIDB_MAX_TEXTS" | "AKIDB_RATE_LIMIT").then(|| "7".to_owned());
        let layers = Layers::read(flag, variable, Some(&file));
        assert_eq!(layers.wrong, []);
        assert_eq!(
            [layers.text("max-texts"), layers.text("rate-limit"), layers.text("rate-limit-burst")],
            ["9", "7", "3"]
        );
        assert_eq!(layers.text("max-body"), "8MiB");
        assert_eq!(layers.texts("cors-origin"), ["https://a", "https://b"]);
        assert_eq!(layers.origin("rate-limit").to_string(), "environment AKIDB_RATE_LIMIT");
    }

    #[test]
    fn another_variable_counts_where_its_own_is_not_there() {
        let both = |name: &str| match name {
            "AKIDB_REGION" => Some("eu-central-1".to_owned()),
            "REGION" | "CLUSTER_NAME" => Some("other".to_owned()),
            _ => None,
        };
        let layers = Layers::read(|_| None, both, None);
        assert_eq!([layers.text("region"), layers.text("cluster")], ["eu-central-1", "other"]);
        assert_eq!(layers.origin("cluster").to_string(), "environment CLUSTER_NAME");
    }

    #[test]
    fn every_unknown_key_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("serve.toml");
        std::fs::write(&file, "max-txts = 1\ncolour = 2\nrate-limit = 1979-05-27\n").unwrap();
        let layers = Layers::read(|_| None, |_| None, Some(&file));
        let all: Vec<_> = layers.wrong.iter().map(|wrong| wrong.why.as_str()).collect();
        assert_eq!(all.len(), 3, "{all:?}");
        assert!(all.iter().any(|why| why.ends_with("unknown setting max-txts; did you mean max-texts?")), "{all:?}");
    }

    /// A row of the table of renamed settings: its former variable and its former key give the value, and are told.
    #[test]
    fn former_names_give_the_value_and_are_told() {
        for row in former::FORMER {
            let folder = tempfile::tempdir().unwrap();
            let file = folder.path().join("serve.toml");
            std::fs::write(&file, format!("{} = \"7\"\n", row.former)).unwrap();
            let layers = Layers::read(|_| None, |_| None, Some(&file));
            assert_eq!((layers.text(row.name), layers.wrong.len(), layers.former.len()), ("7", 0, 1), "{}", row.former);
            let Some(former) = row.variable else { continue };
            let layers = Layers::read(|_| None, |name| (name == former).then(|| "8".to_owned()), Some(&file));
            let told: Vec<&str> = layers.former.iter().map(|used| used.former.as_str()).collect();
            assert_eq!((layers.text(row.name), told.contains(&former)), ("8", true), "{former}");
        }
    }

    #[test]
    fn a_file_with_both_names_of_a_setting_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("serve.toml");
        std::fs::write(&file, "rate = 1\nrate-limit = 2\n").unwrap();
        let layers = Layers::read(|_| None, |_| None, Some(&file));
        assert_eq!((layers.text("rate-limit"), layers.wrong.len()), ("2", 1));
    }
}
