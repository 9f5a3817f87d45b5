//! Secrets that somebody wrote into an object of a cluster: told by the name of an environment variable, or by their form. They are
//! warned of, and kept apart from what is written down as values of `sensitive` variables are.

use serde_json::Value;

/// Words of a name that say that its value is secret, where the name does not end with one of [`ABOUT`].
const SECRET: [&str; 8] = ["PASSWORD", "PASSWD", "PASSPHRASE", "SECRET", "TOKEN", "CREDENTIAL", "APIKEY", "PASS"];
/// Words before `KEY` that say the same.
const KEYS: [&str; 7] = ["API", "ACCESS", "PRIVATE", "SECRET", "ENCRYPTION", "SIGNING", "MASTER"];
/// Last words of names whose value is about a secret, and not one.
const ABOUT: [&str; 17] = [
    "FILE",
    "PATH",
    "DIR",
    "DIRECTORY",
    "NAME",
    "URL",
    "URI",
    "ID",
    "TTL",
    "LENGTH",
    "ENABLED",
    "TYPE",
    "ISSUER",
    "REF",
    "HEADER",
    "COUNT",
    "SECONDS",
];
/// Where files with secrets are mounted: a path below is the place of one, and not itself one.
const MOUNTS: [&str; 5] = ["/run/secrets/", "/var/run/secrets/", "/etc/", "/secrets/", "/mnt/"];
/// How tokens of well-known services begin.
const TOKENS: [&str; 9] = ["ghp_", "gho_", "ghs_", "github_pat_", "glpat-", "xoxb-", "xoxp-", "sk_live_", "hf_"];
/// Letters that such a token has at least.
const SHORTEST_TOKEN: usize = 20;

/// A secret in an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecretForm {
    /// The value of an environment variable whose name says so.
    Variable,
    /// A private key in PEM.
    PrivateKey,
    /// A token of a well-known service.
    Token,
}

/// A secret that stands in an object in the clear.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Literal<'v> {
    /// Its dotted path in the object.
    pub path: String,
    /// The value.
    pub value: &'v str,
    /// What tells.
    pub sort: SecretForm,
}

/// The secrets in an object.
pub fn literal_secrets(object: &Value) -> Vec<Literal<'_>> {
    let mut found = Vec::new();
    walk(object, "", &mut found);
    found
}

fn walk<'v>(value: &'v Value, path: &str, found: &mut Vec<Literal<'v>>) {
    let join = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
    match value {
        Value::String(text) => {
            found.extend(by_form(text).map(|sort| Literal { path: path.to_owned(), value: text, sort }));
        }
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(at, item)| walk(item, &join(&at.to_string()), found))
        }
        Value::Object(fields) => {
            for (key, field) in fields {
                match field.as_array().filter(|_| key == "env") {
                    Some(env) => variables(env, &join(key), found),
                    None => walk(field, &join(key), found),
                }
            }
        }
        _ => {}
    }
}

fn variables<'v>(env: &'v [Value], path: &str, found: &mut Vec<Literal<'v>>) {
    for (at, variable) in env.iter().enumerate() {
        let path = format!("{path}.{at}");
        match secret_of(variable) {
            Some(value) => found.push(Literal { path: format!("{path}.value"), value, sort: SecretForm::Variable }),
            None => walk(variable, &path, found),
        }
    }
}

/// The value of an environment variable, when its name says that it is secret.
fn secret_of(variable: &Value) -> Option<&str> {
    let name = variable.get("name")?.as_str()?;
    let value = variable.get("value")?.as_str()?;
    (names_a_secret(name) && is_literal(value)).then_some(value)
}

/// Whether a name says that its value is secret.
pub fn names_a_secret(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    let words = name.split(|letter: char| !letter.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let words: Vec<&str> = words.collect();
    let is_about = words.last().is_some_and(|last| is_one_of(&ABOUT, last));
    let is_key = words.windows(2).any(|two| is_one_of(&["KEY"], two[1]) && KEYS.contains(&two[0]));
    !is_about && (is_key || words.iter().any(|word| is_one_of(&SECRET, word)))
}

/// Whether a word is one of these, or several of one.
fn is_one_of(all: &[&str], word: &str) -> bool {
    all.contains(&word) || word.strip_suffix('S').is_some_and(|one| all.contains(&one))
}

/// Whether a value is one, and not a reference, the path of a file, a number, or true or false.
pub fn is_literal(value: &str) -> bool {
    let is_path = MOUNTS.iter().any(|mount| value.starts_with(mount)) && !value.contains(char::is_whitespace);
    let refers = value.contains("${") || value.contains("$(") || is_path;
    !value.is_empty() && !refers && value.parse::<f64>().is_err() && value.parse::<bool>().is_err()
}

/// Whether a text is a secret by its form.
pub fn has_secret_form(text: &str) -> bool {
    by_form(text).is_some()
}

fn by_form(text: &str) -> Option<SecretForm> {
    if text.contains("-----BEGIN ") && text.contains("PRIVATE KEY-----") {
        return Some(SecretForm::PrivateKey);
    }
    let word = text.trim();
    let is_word = word.len() >= SHORTEST_TOKEN && !word.contains(char::is_whitespace);
    (is_word && TOKENS.iter().any(|start| word.starts_with(start))).then_some(SecretForm::Token)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_name_says_whether_its_value_is_secret() {
        for name in
            ["DB_PASSWORD", "password", "AWS_SECRET_ACCESS_KEY", "API_KEY", "AKIDB_API_KEYS", "GITHUB_TOKEN", "db.pass"]
        {
            assert!(names_a_secret(name), "{name}");
        }
        for name in [
            "PASSWORD_FILE",
            "TOKEN_TTL",
            "AWS_ACCESS_KEY_ID",
            "SECRET_NAME",
            "KEYBOARD",
            "MONKEY",
            "COMPASS",
            "",
            "TOKEN_URLS",
        ] {
            assert!(!names_a_secret(name), "{name}");
        }
    }

    #[test]
    fn literals_are_found_where_they_stand_and_each_once() {
        let token = format!("ghp_{}", "a1".repeat(18));
        let object = json!({
            "metadata": {"annotations": {"key": "-----BEGIN RSA PRIVATE KEY-----\nx\n-----END RSA PRIVATE KEY-----"}},
            "spec": {"containers": [{"env": [
                {"name": "DB_PASSWORD", "value": "hunter2"}, {"name": "MAX_TOKENS", "value": "4096"},
                {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "a", "key": "b"}}},
                {"name": "GITHUB_TOKEN", "value": token}, {"name": "API_TOKEN", "value": "${queues.queue.a#url}"},
                {"name": "PASSWORD", "value": "$(OTHER)"},
                {"name": "AKIDB_API_KEYS", "value": "/run/secrets/akidb-edge/api-keys"},
                {"name": "SECRET_KEY", "value": "/xP9/etc/k3y"}]}]}});
        let found = literal_secrets(&object);
        let told: Vec<(&str, SecretForm)> = found.iter().map(|one| (one.path.as_str(), one.sort)).collect();
        let wanted = [
            ("metadata.annotations.key", SecretForm::PrivateKey),
            ("spec.containers.0.env.0.value", SecretForm::Variable),
            ("spec.containers.0.env.3.value", SecretForm::Variable),
            ("spec.containers.0.env.7.value", SecretForm::Variable),
        ];
        assert_eq!(told, wanted);
        assert!(
            has_secret_form(&token)
                && !has_secret_form("ghp_short")
                && !has_secret_form("ghp_ and some other words here")
        );
    }
}
