//! The cluster's registry: its authority, its certificate and its password are made on the machine of the server, and lie
//! there for root alone. Nodes get the password and the authority; this machine keeps neither.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::kubeconfig::is_pem;
use super::on_host::MEMORY;
use super::script::{Script, lines, quoted, script};

/// Where they lie. Only `served` is shown to the registry: the authority's key is not in it.
const KEYS: &str = "/var/lib/akidb-edge-registry";
/// What k3s reads of it on a node; `registries.yaml` stays whoever's it is.
pub const REGISTRIES: &str = "/etc/rancher/k3s/akidb-registries.yaml";
/// The authority on a node.
const AUTHORITY: &str = "/etc/rancher/k3s/akidb-registry-ca.crt";
/// Who logs in.
const USER: &str = "akidb";
/// A certificate that is good for less than this is made anew.
const RENEWED_BEFORE_SECONDS: u32 = 30 * 24 * 3600;

/// The login as the registry takes it: bcrypt, with a salt of its own.
const HTPASSWD: &str = r#"$p = <STDIN>; chomp $p; open R, "/dev/urandom" or die; read R, $b, 21; @c = (".", "/", "A".."Z", "a".."z", "0".."9"); $s = join "", map { $c[ord($_) % 64] } split //, $b; $h = crypt $p, "\$2b\$10\$$s."; die "no bcrypt here\n" unless $h =~ /^\$2b\$/; print "akidb:$h\n""#;

/// How a node may pull.
pub struct RegistryPull {
    password: String,
    authority: String,
}

/// Lines for the server's machine: they make what is not there, and print how a node may pull. `address` is the
/// machine's, as its certificate says it.
pub fn make(address: &str) -> Script {
    let name = match address.parse::<std::net::IpAddr>() {
        Ok(ip) => format!("IP:{ip}"),
        Err(_) => format!("DNS:{address}"),
    };
    script!(
        r#"for p in openssl perl; do command -v $p >/dev/null || {{ echo "$p is not there: the registry's certificate and login are made with it"; exit 1; }}; done
umask 077
k={KEYS} name={name}
if test -L $k || {{ test -e $k && test "$(stat -c %u $k)" != 0; }}; then echo "$k belongs to somebody else than root"; exit 1; fi
mkdir -p $k/authority $k/served; chmod 0700 $k $k/authority $k/served
key() {{ openssl ecparam -name prime256v1 -genkey -noout -out "$1"; }}
if ! test -s $k/authority/ca.crt; then
  key $k/authority/ca.key
  openssl req -x509 -new -key $k/authority/ca.key -sha256 -days 3650 -subj "/CN=akidb-edge registry" -addext basicConstraints=critical,CA:TRUE,pathlen:0 -addext keyUsage=critical,keyCertSign -out $k/authority/new
  mv $k/authority/new $k/authority/ca.crt; rm -f $k/served/tls.crt
fi
if ! openssl x509 -in $k/served/tls.crt -noout -checkend {RENEWED_BEFORE_SECONDS} >/dev/null 2>&1 || test "$(cat $k/name 2>/dev/null)" != "$name"; then
  key $k/served/tls.key
  printf 'subjectAltName=%s\nextendedKeyUsage=serverAuth\n' "$name" >"$akidb_edge_run/extensions"
  openssl req -new -key $k/served/tls.key -subj /CN=registry -out "$akidb_edge_run/request"
  openssl x509 -req -in "$akidb_edge_run/request" -CA $k/authority/ca.crt -CAkey $k/authority/ca.key -set_serial "0x$(openssl rand -hex 16)" -sha256 -days 825 -extfile "$akidb_edge_run/extensions" -out $k/served/new 2>/dev/null
  mv $k/served/new $k/served/tls.crt; printf %s "$name" >$k/name
  k3s kubectl --namespace kube-system rollout restart deployment/registry >/dev/null 2>&1 || :
fi
test -s $k/password || openssl rand -hex 24 >$k/password
if ! test -s $k/served/htpasswd; then perl -e {program} <$k/password >$k/served/new; mv $k/served/new $k/served/htpasswd; fi
echo "password=$(cat $k/password)"
echo "authority=$(base64 -w 0 <$k/authority/ca.crt)""#,
        KEYS,
        name = quoted(&name),
        RENEWED_BEFORE_SECONDS,
        program = quoted(HTPASSWD)
    )
}

impl RegistryPull {
    /// From what [`make`] printed; none when it is something else: it goes to other machines.
    pub fn of(printed: &str) -> Option<Self> {
        let seen = lines(printed);
        let password = *seen.get("password")?;
        let hex = password.len() == 48 && password.bytes().all(|byte| byte.is_ascii_hexdigit());
        let authority = String::from_utf8(STANDARD.decode(seen.get("authority")?).ok()?).ok()?;
        let fits = hex && authority.len() < 16 * 1024 && is_pem(&authority, &["CERTIFICATE"]);
        fits.then(|| Self { password: password.to_owned(), authority })
    }

    /// What k3s reads: the registry by TLS under our authority alone, with the login.
    fn registries(&self, at: &str) -> String {
        let config = serde_json::json!({
            "mirrors": {at: {"endpoint": [format!("https://{at}")]}},
            "configs": {at: {
                "auth": {"username": USER, "password": self.password},
                "tls": {"ca_file": AUTHORITY},
            }},
        });
        // JSON is YAML.
        format!("{config:#}\n")
    }

    /// Lines for a node: it may pull from `at` (`ADDRESS:PORT`).
    pub fn admit(&self, at: &str) -> Script {
        script!(
            "mkdir -p /etc/rancher/k3s\n(umask 077; printf %s {registries} >\"$akidb_edge_run/registries\"; printf %s {authority} >\"$akidb_edge_run/authority\")\nchmod 0644 \"$akidb_edge_run/authority\"\nmv -fT -- \"$akidb_edge_run/registries\" {REGISTRIES}\nmv -fT -- \"$akidb_edge_run/authority\" {AUTHORITY}\nprintf %s {at} >{MEMORY}/registry; {SUM} >{MEMORY}/registry.sum\n",
            registries = quoted(&self.registries(at)),
            authority = quoted(&self.authority),
            REGISTRIES,
            AUTHORITY,
            at = quoted(at),
            MEMORY,
            SUM
        )
    }
}

/// Prints a hash of what a node has.
const SUM: &str =
    "cat /etc/rancher/k3s/akidb-registries.yaml /etc/rancher/k3s/akidb-registry-ca.crt 2>/dev/null | sha256sum";

/// Lines that print from where a node may pull, when all that it takes is as we left it and the certificate is good.
pub fn look() -> Script {
    script!(
        "r=$(cat {MEMORY}/registry 2>/dev/null || :)\nif test -n \"$r\" && test \"$({SUM})\" = \"$(cat {MEMORY}/registry.sum 2>/dev/null)\" && {{ ! test -e {KEYS}/served/tls.crt || openssl x509 -in {KEYS}/served/tls.crt -noout -checkend {RENEWED_BEFORE_SECONDS} >/dev/null 2>&1; }}; then echo \"registry=$r\"; fi",
        MEMORY,
        SUM,
        KEYS,
        RENEWED_BEFORE_SECONDS
    )
}

/// Lines that take it all away; on the server with its keys.
pub fn dismiss() -> Script {
    script!(
        "rm -rf {REGISTRIES} {AUTHORITY} {MEMORY}/registry {MEMORY}/registry.sum {KEYS}\n",
        REGISTRIES,
        AUTHORITY,
        MEMORY,
        KEYS
    )
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    /// Runs the lines with their folder in a directory of this test; none where a program is missing.
    fn run(folder: &std::path::Path, lines: &str) -> Option<String> {
        let there = |program: &str| {
            Command::new(program)
                .arg("-v")
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .stdin(Stdio::null())
                .status()
                .is_ok()
        };
        if !["openssl", "perl", "sh"].iter().all(|program| there(program)) {
            // Devices have them; whoever runs the tests may not.
            return None;
        }
        let keys = folder.join("keys").display().to_string();
        // Who runs the tests plays root.
        let uid = "test \"$(stat -c %u $k)\" != 0";
        let text = lines.replace(KEYS, &keys).replace(uid, "false").replace("k3s kubectl", "false");
        let output = Command::new("sh")
            .args(["-c", &format!("set -eu\nakidb_edge_run={}\n{text}", folder.display())])
            .output()
            .expect("sh runs");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
        Some(said)
    }

    #[test]
    fn a_login_and_a_certificate_are_made_once() {
        let folder = tempfile::tempdir().expect("a directory");
        let Some(first) = run(folder.path(), &make("10.0.0.1")) else { return };
        let again = run(folder.path(), &make("10.0.0.1")).expect("it ran before");
        assert_eq!(first, again);
        let pull = RegistryPull::of(&first).expect("how to pull");
        let checks = format!(
            "openssl verify -CAfile {KEYS}/authority/ca.crt -verify_ip 10.0.0.1 {KEYS}/served/tls.crt\nfind {KEYS} -perm /077\nls {KEYS}/served\nperl -e '$h = <STDIN>; chomp $h; $h =~ s/^akidb://; print crypt($ARGV[0], $h) eq $h ? \"fits\" : \"differs\"' {} <{KEYS}/served/htpasswd",
            pull.password
        );
        let said = run(folder.path(), &checks).expect("it ran before");
        assert!(said.ends_with("tls.crt: OK\nhtpasswd\ntls.crt\ntls.key\nfits"), "{said}");
        // Another address is another certificate under the same authority.
        let moved = run(folder.path(), &make("edge.local")).expect("it ran before");
        assert_eq!(moved, first);
        let check = format!("openssl x509 -in {KEYS}/served/tls.crt -noout -ext subjectAltName");
        assert!(run(folder.path(), &check).expect("it ran before").contains("DNS:edge.local"));
    }

    #[test]
    fn what_a_server_says_goes_to_nodes_only_when_it_is_that() {
        let pem = STANDARD.encode("-----BEGIN CERTIFICATE-----\nQUJD\n-----END CERTIFICATE-----\n");
        let hex = "ab".repeat(24);
        assert!(RegistryPull::of(&format!("password={hex}\nauthority={pem}")).is_some());
        for odd in [
            format!("password={hex}'\nauthority={pem}"),
            format!("password=x\nauthority={pem}"),
            format!("password={hex}\nauthority={}", STANDARD.encode("#!/bin/sh")),
            format!("password={hex}"),
        ] {
            assert!(RegistryPull::of(&odd).is_none(), "{odd}");
        }
    }

    #[test]
    fn an_address_of_a_registry_is_a_text_whatever_it_holds() {
        let pull = RegistryPull { password: "pass\"word\n%h $HOME: {}".to_owned(), authority: "x".to_owned() };
        for at in [
            "a b:5000",
            "a\"b':5000",
            "a\n  insecure_skip_verify: true\n:5000",
            "%h:5000",
            "$HOME:5000",
            "{{ a }}:5000",
        ] {
            let read: serde_json::Value = serde_json::from_str(&pull.registries(at)).expect("JSON");
            assert_eq!(read["mirrors"], serde_json::json!({at: {"endpoint": [format!("https://{at}")]}}));
            let auth = serde_json::json!({"username": USER, "password": pull.password});
            assert_eq!(
                read["configs"],
                serde_json::json!({at: {"auth": auth, "tls": {"ca_file": AUTHORITY}}}),
                "nothing else is switched on"
            );
        }
    }

    #[test]
    fn a_node_is_told_of_tls_alone() {
        let pull = RegistryPull { password: "ab".repeat(24), authority: "x".to_owned() };
        let read: serde_json::Value = serde_json::from_str(&pull.registries("[fd78::11]:5000")).expect("JSON");
        assert_eq!(read["mirrors"]["[fd78::11]:5000"]["endpoint"][0], "https://[fd78::11]:5000");
        assert_eq!(read["configs"]["[fd78::11]:5000"]["tls"], serde_json::json!({"ca_file": AUTHORITY}));
        assert!(!pull.admit("a:1").contains("http://") && !pull.registries("a:1").contains("insecure"));
    }
}
