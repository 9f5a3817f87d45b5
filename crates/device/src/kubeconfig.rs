//! What is taken from a device's kubeconfig: its authority, one certificate with its key, and the port. Everything that a
//! client would run (`exec`), be led by (`proxy-url`) or stop checking for (`insecure-skip-tls-verify`) is refused by name.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use super::channel::ScriptOutput;

/// k3s writes about 3 KB.
const LONGEST: usize = 64 * 1024;
/// No line of k3s's file is indented as deeply; it bounds how deep a value can lie.
const DEEPEST: usize = 16;

/// The parts that are taken, each as base64 of PEM.
#[derive(Clone, PartialEq, Eq)]
pub struct ClusterCredentials {
    /// The cluster's authority.
    pub authority: String,
    /// The client's certificate.
    pub certificate: String,
    /// Its key.
    pub key: String,
    /// Port of the API server.
    pub port: u16,
}

impl ClusterCredentials {
    /// From what a device answered to `cat` of its kubeconfig. `yaml` reads a document.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn of(reply: &ScriptOutput, yaml: impl Fn(&str) -> Result<Value, String>) -> Result<Self, String> {
        taken(&reply.output, yaml)
    }

    /// From the text of a kubeconfig. Nothing of it is copied as it stands.
    ///
    /// # Errors
    /// What is wrong, by the name of the field; never what a field holds.
    pub fn read(text: &str, yaml: impl Fn(&str) -> Result<Value, String>) -> Result<Self, String> {
        taken(text, yaml)
    }
}

/// Reads it. Nothing of it is copied as it stands: what is not known is refused, and what is known is looked at.
///
/// # Errors
/// What is wrong, by the name of the field; never what a field holds.
fn taken(text: &str, yaml: impl Fn(&str) -> Result<Value, String>) -> Result<ClusterCredentials, String> {
    let read = yaml(plain(text)?).map_err(|_| "it is not YAML".to_owned())?;
    let top = ["apiVersion", "kind", "preferences", "current-context", "clusters", "contexts", "users"];
    let file = fields(&read, "", &top)?;
    says(file, "apiVersion", "v1")?;
    says(file, "kind", "Config")?;
    if file.get("preferences").is_some_and(|set| !set.is_null() && set.as_object().is_none_or(|set| !set.is_empty())) {
        return Err("its preferences are not empty: they are not accepted from a device".to_owned());
    }
    inner(file, "contexts", "context", &["cluster", "user"])?;
    let cluster = inner(file, "clusters", "cluster", &["certificate-authority-data", "server"])?;
    let user = inner(file, "users", "user", &["client-certificate-data", "client-key-data"])?;
    Ok(ClusterCredentials {
        authority: pem(cluster, "certificate-authority-data", &["CERTIFICATE"])?,
        certificate: pem(user, "client-certificate-data", &["CERTIFICATE"])?,
        key: pem(user, "client-key-data", &["EC PRIVATE KEY", "RSA PRIVATE KEY", "PRIVATE KEY"])?,
        port: port(cluster)?,
    })
}

/// Only lines of the form `- key: value`, in few levels and with plain values: so a parser cannot run out of memory or stack.
fn plain(text: &str) -> Result<&str, String> {
    if text.len() > LONGEST {
        return Err(format!("it has {} bytes, more than {LONGEST}", text.len()));
    }
    for (at, line) in text.lines().enumerate() {
        let inner = line.trim_start_matches(' ');
        let deep = line.len() - inner.len();
        let inner = inner.strip_prefix("- ").unwrap_or(inner);
        let is_key = |key: &str| !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
        let is_plain = |value: &str| value == "{}" || !value.starts_with(['[', '{', '&', '*', '!', '|', '>']);
        let pair = inner.split_once(':');
        let known = inner.is_empty() || pair.is_some_and(|(key, value)| is_key(key) && is_plain(value.trim()));
        if deep > DEEPEST || !known {
            return Err(format!("line {} does not have the form that k3s writes", at + 1));
        }
    }
    Ok(text)
}

/// The fields of a map, all of which must be known.
fn fields<'v>(value: &'v Value, at: &str, known: &[&str]) -> Result<&'v Map<String, Value>, String> {
    let map = value.as_object().ok_or_else(|| format!("{} is not a map", if at.is_empty() { "it" } else { at }))?;
    match map.keys().find(|key| !known.contains(&key.as_str())) {
        Some(other) => Err(format!("it has {at}{}{other}, which is not accepted from a device", dot(at))),
        None => Ok(map),
    }
}

fn dot(at: &str) -> &str {
    if at.is_empty() { "" } else { "." }
}

fn says(map: &Map<String, Value>, field: &str, text: &str) -> Result<(), String> {
    match map.get(field).and_then(Value::as_str) == Some(text) {
        true => Ok(()),
        false => Err(format!("its {field} is not {text}")),
    }
}

/// What the one entry of a list holds.
fn inner<'v>(
    file: &'v Map<String, Value>,
    list: &str,
    field: &str,
    known: &[&str],
) -> Result<&'v Map<String, Value>, String> {
    let [one] = file.get(list).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default() else {
        return Err(format!("it does not have exactly one entry in {list}"));
    };
    let entry = fields(one, &format!("{list}[0]"), &["name", field])?;
    let Some(inner) = entry.get(field) else { return Err(format!("it has no {list} with {field}")) };
    fields(inner, &format!("{list}[0].{field}"), known)
}

/// Base64 of PEM with one of these labels and with nothing else.
fn pem(map: &Map<String, Value>, field: &str, labels: &[&str]) -> Result<String, String> {
    let wrong = || format!("its {field} is not base64 of PEM ({})", labels.join(", "));
    let text = map.get(field).and_then(Value::as_str).ok_or_else(|| format!("it has no {field}"))?;
    let bytes = STANDARD.decode(text).map_err(|_| wrong())?;
    let pem = String::from_utf8(bytes).map_err(|_| wrong())?;
    match is_pem(&pem, labels) {
        true => Ok(text.to_owned()),
        false => Err(wrong()),
    }
}

/// Whether a text is PEM with one of these labels, and nothing besides.
pub fn is_pem(pem: &str, labels: &[&str]) -> bool {
    let mut open: Option<&str> = None;
    let mut blocks = 0;
    for line in pem.lines() {
        let marks = |mark: &str| line.strip_prefix(mark).and_then(|rest| rest.strip_suffix("-----"));
        match (open, marks("-----BEGIN "), marks("-----END ")) {
            (None, Some(label), None) if labels.contains(&label) => open = Some(label),
            (Some(label), None, Some(end)) if label == end => (open, blocks) = (None, blocks + 1),
            (Some(_), None, None) if STANDARD.decode(line).is_ok() => {}
            (None, None, None) if line.is_empty() => {}
            _ => return false,
        }
    }
    open.is_none() && blocks > 0
}

/// The port of `https://HOST:PORT`. The host is not taken: the plan says where the device is.
fn port(cluster: &Map<String, Value>) -> Result<u16, String> {
    let server = cluster.get("server").and_then(Value::as_str).ok_or("its cluster has no server")?;
    let port = server.strip_prefix("https://").and_then(|rest| rest.rsplit_once(':')).map(|(_, port)| port);
    let digits = port.filter(|port| port.bytes().all(|byte| byte.is_ascii_digit()));
    let number = digits.and_then(|port| port.parse::<u16>().ok()).filter(|port| *port != 0);
    number.ok_or_else(|| "its server is not https://HOST:PORT".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(text: &str) -> Result<ClusterCredentials, String> {
        super::taken(text, akidb_edge_engine::plan::yaml)
    }

    /// A kubeconfig as k3s writes it.
    fn k3s() -> String {
        let of = |label: &str| STANDARD.encode(format!("-----BEGIN {label}-----\nQUJD\nREVG\n-----END {label}-----\n"));
        let (certificate, key) = (of("CERTIFICATE"), of("EC PRIVATE KEY"));
        format!(
            "apiVersion: v1\nclusters:\n- cluster:\n    certificate-authority-data: {certificate}\n    server: https://127.0.0.1:6443\n  name: default\ncontexts:\n- context:\n    cluster: default\n    user: default\n  name: default\ncurrent-context: default\nkind: Config\npreferences: {{}}\nusers:\n- name: default\n  user:\n    client-certificate-data: {certificate}\n    client-key-data: {key}\n"
        )
    }

    #[test]
    fn the_file_of_k3s_is_taken() {
        let taken = taken(&k3s()).unwrap_or_else(|why| panic!("{why}"));
        assert_eq!(taken.port, 6443);
        assert!(k3s().contains(&taken.authority) && k3s().contains(&taken.key));
    }

    #[test]
    fn everything_else_is_refused_by_name() {
        let with = |at: &str, more: &str| k3s().replacen(at, &format!("{at}{more}"), 1);
        let user = "  user:\n";
        let cluster = "- cluster:\n";
        for (text, named) in [
            (
                with(user, "    exec:\n      command: sh\n      apiVersion: client.authentication.k8s.io/v1\n"),
                "users[0].user.exec",
            ),
            (with(user, "    auth-provider:\n      name: gcp\n"), "users[0].user.auth-provider"),
            (with(user, "    tokenFile: /home/me/.aws/credentials\n"), "users[0].user.tokenFile"),
            (with(user, "    token: abc\n"), "users[0].user.token"),
            (with(user, "    client-key: /home/me/.ssh/id\n"), "users[0].user.client-key"),
            (with(user, "    as: admin\n"), "users[0].user.as"),
            (with(cluster, "    proxy-url: http://10.0.0.1:3128\n"), "clusters[0].cluster.proxy-url"),
            (with(cluster, "    insecure-skip-tls-verify: true\n"), "clusters[0].cluster.insecure-skip-tls-verify"),
            (with(cluster, "    tls-server-name: other\n"), "clusters[0].cluster.tls-server-name"),
            (with(cluster, "    certificate-authority: /etc/passwd\n"), "clusters[0].cluster.certificate-authority"),
            (with(cluster, "    extensions: {}\n"), "clusters[0].cluster.extensions"),
            (with("  name: default\n", "  more: 1\n"), "clusters[0].more"),
            (with("- context:\n", "    namespace: other\n"), "contexts[0].context.namespace"),
            (format!("{}extensions: {{}}\n", k3s()), "extensions"),
            (k3s().replace("preferences: {}", "preferences:\n  colors: true"), "preferences"),
        ] {
            let why = taken(&text).err().unwrap_or_else(|| panic!("taken: {text}"));
            assert!(why.contains(named), "{named}: {why}");
        }
    }

    #[test]
    fn a_value_is_what_its_field_says() {
        let path = STANDARD.encode("/etc/passwd");
        let more = STANDARD.encode("-----BEGIN CERTIFICATE-----\nQUJD\n-----END CERTIFICATE-----\n\u{1b}[2J\n");
        let swap = |field: &str, value: &str| {
            let mut lines: Vec<String> = k3s().lines().map(str::to_owned).collect();
            for line in lines.iter_mut().filter(|line| line.trim_start().starts_with(field)) {
                *line = format!("    {field}: {value}");
            }
            lines.join("\n")
        };
        for (field, value) in [
            ("certificate-authority-data", "QUJD"),
            ("certificate-authority-data", more.as_str()),
            ("client-key-data", path.as_str()),
            ("client-key-data", "{}"),
            ("client-certificate-data", "'**'"),
            ("server", "http://127.0.0.1:6443"),
            ("server", "https://127.0.0.1:0"),
            ("server", "https://127.0.0.1:6443/path"),
            ("server", "https://127.0.0.1"),
        ] {
            let why = taken(&swap(field, value)).err().unwrap_or_else(|| panic!("taken: {field}: {value}"));
            assert!(why.contains(field), "{field}: {why}");
            assert!(!why.contains(value), "what it holds is not told: {why}");
        }
    }

    #[test]
    fn nothing_exhausts_the_reader() {
        for text in [
            "- ".repeat(30_000),
            "[".repeat(60_000),
            format!("a: {}", "[".repeat(60_000)),
            "a: &a [*a]\n".to_owned(),
            format!("{}a: 1\n", " ".repeat(40)),
            "x".repeat(100_000),
            "? a\n: b\n".to_owned(),
            "a: |\n  text\n".to_owned(),
            String::new(),
            "\u{1b}]52;c;cm0=\u{7}: 1\n".to_owned(),
        ] {
            let why = taken(&text).err().unwrap_or_else(|| panic!("taken: {} bytes", text.len()));
            assert!(why.len() < 200 && !why.contains('\u{1b}'), "{why:?}");
        }
    }

    #[test]
    fn two_clusters_are_one_too_many() {
        let two = k3s().replace("contexts:", "- cluster:\n    server: https://b:1\n  name: b\ncontexts:");
        assert_eq!(taken(&two).err().as_deref(), Some("it does not have exactly one entry in clusters"));
    }
}
