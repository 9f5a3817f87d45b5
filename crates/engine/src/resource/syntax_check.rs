//! Syntax checks for words that go into a command, a path or a document of another system. Pure.

use super::untrusted::is_hidden;

/// Something in the settings of a resource that another system would take for something else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidSetting {
    /// The field.
    pub field: String,
    /// What is wrong with its value.
    pub problem: String,
    /// What may stand there.
    pub next_step: &'static str,
}

/// Settings whose words were looked at: by the plan, which names the line, and again before anything is sent.
pub trait CheckedSettings {
    /// Everything in them that must not be sent; empty when all is well.
    fn wrong(&self) -> Vec<InvalidSetting>;
}

/// Collects what is wrong.
#[derive(Debug, Default)]
pub struct SettingsCheck(Vec<InvalidSetting>);

impl SettingsCheck {
    /// Notes the field, unless its text fits.
    pub fn must(&mut self, field: &str, text: &str, fits: bool, next_step: &'static str) {
        if !fits {
            let problem = match text.chars().count() {
                0 => "it is empty".to_owned(),
                // A long text says no more than its beginning.
                65.. => format!("{:?}… is not allowed here", text.chars().take(64).collect::<String>()),
                _ => format!("{text:?} is not allowed here"),
            };
            self.0.push(InvalidSetting { field: field.to_owned(), problem, next_step });
        }
    }

    /// What was noted.
    pub fn done(self) -> Vec<InvalidSetting> {
        self.0
    }
}

/// A first letter of one sort, then letters of another, and no more than `most` of them.
fn made_of(text: &str, most: usize, first: impl Fn(char) -> bool, rest: impl Fn(char) -> bool) -> bool {
    let mut letters = text.chars();
    letters.next().is_some_and(first) && letters.all(rest) && text.len() <= most
}

fn word(c: char) -> bool {
    c.is_ascii_alphanumeric()
}

fn small(c: char) -> bool {
    c.is_ascii_lowercase() || c.is_ascii_digit()
}

/// Where a machine is: a name, an address (IPv6 without brackets), or a `Host` of the SSH configuration.
pub fn address(text: &str) -> bool {
    made_of(text, 253, |c| word(c) || c == ':' || c == '_', |c| word(c) || "._:%-".contains(c))
}

/// The next step for one that does not fit.
pub const ADDRESS: &str = "write a host name, an IP address (IPv6 without brackets) or a Host of ~/.ssh/config; user and port have fields of their own";

/// A user that logs in over SSH.
pub fn login(text: &str) -> bool {
    made_of(text, 255, |c| word(c) || c == '_', |c| word(c) || "_.@+-".contains(c))
}

/// The next step for one that does not fit.
pub const LOGIN: &str = "write the user's name: letters, digits, and . _ - + @ inside";

/// Hosts on the way, as for `ssh -J`: `[user@]host[:port]`, several with commas.
pub fn jump(text: &str) -> bool {
    text.len() <= 1024 && text.split(',').all(hop)
}

fn hop(text: &str) -> bool {
    let (user, host) = text.rsplit_once('@').map_or((None, text), |(user, host)| (Some(user), host));
    let bracketed = host.strip_prefix('[').and_then(|rest| rest.split_once(']'));
    let (host, port) = match bracketed {
        Some((host, rest)) => (host, rest.strip_prefix(':').or((!rest.is_empty()).then_some("?"))),
        None => host.rsplit_once(':').map_or((host, None), |(host, port)| (host, Some(port))),
    };
    let host = address(host) && (bracketed.is_some() || !host.contains(':'));
    user.is_none_or(login) && host && port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port != 0))
}

/// The next step for one that does not fit.
pub const JUMP: &str = "write [USER@]HOST[:PORT], several with commas; IPv6 as [fd00::1]:22";

/// The name of a machine in a plan: it becomes the name of its node.
pub fn node(text: &str) -> bool {
    made_of(text, 63, small, |c| small(c) || c == '-' || c == '.') && text.ends_with(small) && !text.contains("..")
}

/// The next step for one that does not fit.
pub const NODE: &str =
    "write small letters, digits and dashes, such as jetson-01: it becomes the name of a Kubernetes node";

/// A Debian package.
pub fn package(text: &str) -> bool {
    made_of(text, 128, small, |c| small(c) || "+-.".contains(c)) && text.len() > 1
}

/// The next step for one that does not fit.
pub const PACKAGE: &str = "write the name of a Debian package: small letters, digits, and + - . inside";

/// The version of a Debian package.
pub fn package_version(text: &str) -> bool {
    made_of(text, 128, word, |c| word(c) || ".+-~:".contains(c))
}

/// The next step for one that does not fit.
pub const PACKAGE_VERSION: &str = "write a version as apt-cache policy prints it, or \"\" for any";

/// A system user or group.
pub fn account(text: &str) -> bool {
    let bare = text.strip_suffix('$').unwrap_or(text);
    let first = |c: char| c.is_ascii_lowercase() || c == '_';
    made_of(bare, 31, first, |c| small(c) || c == '_' || c == '-')
}

/// The next step for one that does not fit.
pub const ACCOUNT: &str = "write a name of at most 31 small letters, digits, _ and -, beginning with a letter";

/// A path on a machine, written in full.
pub fn path(text: &str) -> bool {
    let parts = || text.split('/').skip(1);
    text.len() <= 4000
        && text.starts_with('/')
        && parts().all(|part| !part.is_empty() && part != "." && part != ".." && part.len() <= 200)
        && line(text)
        && text == text.trim_end()
}

/// The next step for one that does not fit.
pub const PATH: &str = "write an absolute path in full, without .., // or a / at its end";

/// The mode of a file in octal digits.
pub fn mode(text: &str) -> bool {
    matches!(text.len(), 3 | 4) && text.chars().all(|c| ('0'..='7').contains(&c))
}

/// The next step for one that does not fit.
pub const MODE: &str = "write three or four octal digits in quotes, such as \"0644\"";

/// One line of text.
pub fn line(text: &str) -> bool {
    text.chars().all(|c| c == '\t' || !is_hidden(c))
}

/// The next step for one that does not fit.
pub const LINE: &str = "write one line, without invisible characters";

/// A SHA-256 in hex.
pub fn sha256(text: &str) -> bool {
    text.len() == 64 && text.chars().all(|c| c.is_ascii_digit() || ('a'..='f').contains(&c))
}

/// The next step for one that does not fit.
pub const SHA256: &str = "write the 64 hex digits that sha256sum prints";

/// Where something is fetched: HTTPS, since what comes is used as root.
pub fn url(text: &str) -> bool {
    let rest = text.strip_prefix("https://").unwrap_or_default();
    made_of(rest, 2000, word, |c| c.is_ascii_graphic() && !"\"'`\\<>^{|}".contains(c))
}

/// The next step for one that does not fit.
pub const URL: &str = "write https://HOST/PATH";

/// A name of a Kubernetes object: one or several labels of DNS.
pub fn object_name(text: &str) -> bool {
    text.len() <= 253 && text.split('.').all(label)
}

/// The next step for one that does not fit.
pub const OBJECT_NAME: &str = "write small letters, digits and dashes, such as akidb-rest";

/// A name that stands as one part of a path of the API, as names of roles may: anything that is visible but `/`, `%`, quotes and
/// blanks.
pub fn path_segment(text: &str) -> bool {
    let inner = |c: char| c.is_ascii_graphic() && !"\"'`\\/%$;&|<>(){}*?!#".contains(c);
    made_of(text, 253, word, inner)
}

/// A label of DNS, as names of namespaces and services are.
pub fn label(text: &str) -> bool {
    made_of(text, 63, small, |c| small(c) || c == '-') && text.ends_with(small)
}

/// Kind or API version of a Kubernetes object: `Deployment`, `apps/v1`.
pub fn api(text: &str) -> bool {
    made_of(text, 253, word, |c| word(c) || "./-".contains(c))
}

/// The next step for one that does not fit.
pub const API: &str = "write it as kubectl api-resources does";

/// The key of a Kubernetes label or annotation.
pub fn label_key(text: &str) -> bool {
    let (prefix, name) = text.rsplit_once('/').map_or((None, text), |(prefix, name)| (Some(prefix), name));
    prefix.is_none_or(object_name) && !name.is_empty() && label_value(name)
}

/// The value of a Kubernetes label.
pub fn label_value(text: &str) -> bool {
    text.is_empty() || made_of(text, 63, word, |c| word(c) || "_.-".contains(c)) && text.ends_with(word)
}

/// The next step for one that does not fit.
pub const LABEL: &str = "write letters and digits, with . _ - between them; at most 63";

/// A taint: `key=value:NoSchedule`.
pub fn taint(text: &str) -> bool {
    let Some((pair, effect)) = text.rsplit_once(':') else { return false };
    let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
    label_key(key) && label_value(value) && ["NoSchedule", "PreferNoSchedule", "NoExecute"].contains(&effect)
}

/// The next step for one that does not fit.
pub const TAINT: &str = "write KEY=VALUE:NoSchedule, PreferNoSchedule or NoExecute";

/// A container image: `[REGISTRY[:PORT]/]NAME[:TAG][@sha256:HEX]`. Only the tag may have capitals: no repository has
/// them, and k3s looks its mirrors up by the letters of the registry.
pub fn image(text: &str) -> bool {
    let (name, digest) = text.split_once('@').map_or((text, None), |(name, digest)| (name, Some(digest)));
    let digest = digest.is_none_or(|digest| digest.strip_prefix("sha256:").is_some_and(sha256));
    let formed = made_of(name, 400, word, |c| word(c) || "._:/-".contains(c)) && name.ends_with(word);
    let (registry, last) = name.rsplit_once('/').unwrap_or(("", name));
    let repository = last.split_once(':').map_or(last, |(repository, _)| repository);
    let capital = [registry, repository].iter().any(|part| part.contains(|c: char| c.is_ascii_uppercase()));
    digest && text.len() <= 512 && formed && !capital
}

/// The next step for one that does not fit.
pub const IMAGE: &str = "write [REGISTRY[:PORT]/]NAME:TAG, or NAME@sha256:DIGEST; registry and name in lower case";

/// A variable of a container's environment.
pub fn variable(text: &str) -> bool {
    made_of(text, 253, |c| c.is_ascii_alphabetic() || c == '_', |c| word(c) || "_.-".contains(c))
}

/// The next step for one that does not fit.
pub const VARIABLE: &str = "write letters, digits and _, beginning with a letter";

/// A path of HTTP, as a probe asks for it.
pub fn url_path(text: &str) -> bool {
    text.len() <= 1000 && text.starts_with('/') && text.chars().all(|c| c.is_ascii_graphic() && !"\"'\\`".contains(c))
}

/// The next step for one that does not fit.
pub const URL_PATH: &str = "write a path such as /health";

/// A version of k3s.
pub fn k3s_version(text: &str) -> bool {
    let numbers = text.strip_prefix('v').unwrap_or_default();
    made_of(numbers, 63, |c| c.is_ascii_digit(), |c| word(c) || ".+-".contains(c))
}

/// The next step for one that does not fit.
pub const K3S_VERSION: &str = "write a release of k3s such as v1.36.3+k3s1";

/// A word of small letters, digits and dashes: a part of k3s.
pub fn part(text: &str) -> bool {
    made_of(text, 63, small, |c| small(c) || c == '-')
}

/// The next step for one that does not fit.
pub const PART: &str = "write a part such as traefik or servicelb";

/// A systemd unit.
pub fn unit(text: &str) -> bool {
    made_of(text, 200, word, |c| word(c) || "_.@:-".contains(c))
}

/// The next step for one that does not fit.
pub const UNIT: &str = "write the name of a unit such as akidb.service";

/// The name of a power mode.
pub fn power_mode(text: &str) -> bool {
    made_of(text, 64, word, |c| word(c) || "_.-".contains(c))
}

/// The next step for one that does not fit.
pub const POWER_MODE: &str = "write the name of a mode such as 15W, or auto";

/// A region of AWS: a label of a host name, in lower case, as AWS compares them in signatures and in ARNs. Clients of
/// the SDK panic on other characters.
pub fn region(text: &str) -> bool {
    let label = made_of(text, 63, small, |c| small(c) || c == '-') && text.ends_with(small);
    label && !text.chars().all(|c| c.is_ascii_digit())
}

/// The next step for one that does not fit.
pub const REGION: &str = "write a region such as us-east-1, in lower case";

/// The name of an EKS cluster.
pub fn eks_cluster(text: &str) -> bool {
    made_of(text, 100, word, |c| word(c) || c == '-' || c == '_')
}

#[cfg(test)]
#[path = "syntax_check_tests.rs"]
mod tests;
