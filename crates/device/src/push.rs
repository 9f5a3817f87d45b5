//! An archive of an image that goes into the cluster's registry: the containerd of the server's machine pushes it. Login and authority
//! of the registry lie on that machine and stay there.

use std::path::PathBuf;

use super::Fleet;
use super::channel::{FileUpload, ScriptOutput};
use super::image::whole;
use super::on_host::{MEMORY, general_remedy};
use super::registry::{AUTHORITY_OF_SERVER, KEYS, USER};
use super::script::{Script, last_words, lines, quoted, script};
use crate::resource::{ArtifactSource, Fault, FaultClass};

/// The codes of the script: what a device says is in its own language.
const OTHER_HASH: u32 = 4;
const NO_REGISTRY: u32 = 5;
const NO_IMPORT: u32 = 6;
const NOT_ONE: u32 = 7;
const NO_PUSH: u32 = 8;
const OTHER_PLATFORM: u32 = 9;

/// Ends the script when no node of the cluster has the processor that the image `$i` is for. Where containerd or the API server does not say,
/// it goes on.
const FITS: &str = r#"p=$(c images ls "name==$i" | awk 'NR == 2 { print $6 }')
nodes=$(k3s kubectl get nodes -o 'jsonpath={.items[*].status.nodeInfo.architecture}' 2>/dev/null || :)
case $p in linux/*)
  fits=
  for one in $nodes; do case ",$p," in *",linux/$one,"*|*",linux/$one/"*) fits=1;; esac; done
  if test -n "$nodes" && test -z "$fits"; then echo "$p, nodes are linux/${nodes%% *}"; exit 9; fi;;
esac"#;

/// What helps when an image is for another processor.
const BUILD: &str = "build it for the devices (docker buildx build --platform linux/arm64), then push it again";

/// What the registry says of a push, and what helps. The first that fits counts.
const NO_PUSH_REMEDIES: [(&[&str], &str); 4] = [
    (
        &["401", "unauthorized", "no basic auth"],
        "the registry has another login than the device: akidb-edge jetson provision sets it again, then run the same command again",
    ),
    (
        &["x509", "certificate"],
        "the certificate of the registry is not accepted: check the clock of the device (akidb-edge jetson doctor); akidb-edge jetson \
         provision renews it",
    ),
    (
        &["connection refused", "no route to host", "i/o timeout", "deadline exceeded"],
        "the registry does not answer: k3s kubectl -n kube-system describe deployment registry on the device says why; akidb-edge jetson \
         provision brings it back",
    ),
    (
        &["no space left on device", "507", "500 Internal"],
        "the registry cannot store it: check the free space below /var/lib/akidb-registry on the device",
    ),
];

/// An archive, and what it becomes.
#[derive(Clone, Debug)]
pub struct Push {
    /// The machine of the server.
    pub server: String,
    /// The cluster's registry, `ADDRESS:PORT`.
    pub registry: String,
    /// The archive, as `docker save` writes it, or of an OCI layout.
    pub archive: PathBuf,
    /// Its SHA-256 in hex.
    pub sha256: String,
    /// Which image of the archive; none: it has one.
    pub image: Option<String>,
    /// What it is called in the registry: `NAME:TAG`.
    pub name: String,
}

/// An image that is in the registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pushed {
    /// What it is called in the archive.
    pub image: String,
    /// Digest of its manifest, `sha256:HEX`.
    pub digest: String,
}

impl Push {
    /// What nodes pull: `ADDRESS:PORT/NAME:TAG`.
    pub fn reference(&self) -> String {
        format!("{}/{}", self.registry, self.name)
    }

    /// Where the archive lies until it was pushed.
    fn waiting(&self) -> String {
        format!("{MEMORY}/push-{}.tar", &self.sha256[..self.sha256.len().min(16)])
    }

    /// What picks the image of the archive; all names are in the file `names`.
    fn chosen(&self) -> Script {
        match &self.image {
            Some(image) => script!(
                "i={image}\ngrep -qxF -- \"$i\" \"$names\" || {{ cat \"$names\"; exit {NOT_ONE}; }}",
                image = quoted(&whole(image)),
                NOT_ONE
            ),
            None => script!(
                "test \"$(wc -l <\"$names\")\" = 1 || {{ cat \"$names\"; exit {NOT_ONE}; }}\ni=$(cat \"$names\")",
                NOT_ONE
            ),
        }
    }

    /// A namespace of containerd of its own: nodes run nothing from it, and nothing of it stays. The login goes from file to file.
    fn script(&self) -> Script {
        script!(
            r#"set -eu
a={archive} r={registry} h="$akidb_edge_run/hosts" log="$akidb_edge_run/push" names="$akidb_edge_run/names" n=akidb-edge-push
c() {{ k3s ctr -n "$n" "$@"; }}
empty() {{
  c images ls -q 2>/dev/null | while read -r one; do c images rm --sync "$one" >/dev/null 2>&1 || :; done
  k3s ctr namespaces rm "$n" >/dev/null 2>&1 || :
}}
trap 'rm -rf -- "$a" "$h"; empty' EXIT
test "$(sha256sum <"$a" | cut -c-64)" = {sum} || exit {OTHER_HASH}
test -s {KEYS}/password && test -s {AUTHORITY_OF_SERVER} || exit {NO_REGISTRY}
empty
c images import --no-unpack -- "$a" >/dev/null 2>"$log" || {{ tail -n 3 "$log"; exit {NO_IMPORT}; }}
c images ls -q >"$names"
{chosen}
{fits}
umask 077
mkdir -p "$h/$r"
printf 'server = "https://%s"\n\n[host."https://%s"]\n  capabilities = ["pull", "resolve", "push"]\n  ca = "%s"\n\n  [host."https://%s".header]\n    authorization = "Basic %s"\n' \
  "$r" "$r" {AUTHORITY_OF_SERVER} "$r" "$(printf '%s:%s' {USER} "$(cat {KEYS}/password)" | base64 -w 0)" >"$h/$r/hosts.toml"
c images push --hosts-dir "$h" {reference} "$i" >/dev/null 2>"$log" || {{ tail -n 3 "$log"; exit {NO_PUSH}; }}
echo image="$i"
echo digest=$(c images ls "name==$i" | awk 'NR == 2 {{ print $3 }}')"#,
            archive = quoted(&self.waiting()),
            registry = quoted(&self.registry),
            sum = quoted(&self.sha256),
            chosen = self.chosen(),
            fits = Script::from(FITS),
            reference = quoted(&self.reference()),
            KEYS,
            AUTHORITY_OF_SERVER,
            USER,
            OTHER_HASH,
            NO_REGISTRY,
            NO_IMPORT,
            NO_PUSH
        )
    }

    /// Why it is not in the registry.
    fn fault(&self, reply: &ScriptOutput) -> Fault {
        let said = reply.output.trim();
        let (why, next) = match u32::try_from(reply.code).unwrap_or_default() {
            OTHER_HASH => ("the archive that came has another hash".to_owned(), "run the same command again"),
            NO_REGISTRY => (
                "the machine has no login of a registry".to_owned(),
                "add k3s.registry to the plan, then akidb-edge jetson provision makes the registry",
            ),
            NO_IMPORT if said.contains("might be filtered out") => (
                format!("the archive has no image for the processor of the device: {}", last_words(said, 1)),
                BUILD,
            ),
            NO_IMPORT => (
                format!("the archive cannot be read: {}", last_words(said, 2)),
                "save the image again: docker save NAME -o ARCHIVE, for the processor of the devices",
            ),
            NOT_ONE => {
                (format!("the archive has these images: {}", last_words(said, 20)), "name one of them with --image")
            }
            NO_PUSH => (
                format!("the registry did not take it: {}", last_words(said, 2)),
                NO_PUSH_REMEDIES.iter().find(|(words, _)| words.iter().any(|word| said.contains(word))).map_or(
                    "akidb-edge jetson status shows the cluster; the registry is the deployment registry of kube-system",
                    |(_, next)| *next,
                ),
            ),
            OTHER_PLATFORM => (
                format!("the image is for another processor: it is for {}", last_words(said, 1)),
                BUILD,
            ),
            _ => (
                format!("{} (exit status {})", last_words(said, 3), reply.code),
                "akidb-edge jetson doctor looks at the device",
            ),
        };
        let next = general_remedy(said).unwrap_or(next);
        let words = format!("{}: {}: {why}", self.server, self.reference());
        Fault::new(FaultClass::Refused, "registry", "push", "NotPushed", words).next(next)
    }
}

/// Brings an archive to the machine of the server, and from there into the registry. Nothing of it stays but the image in the registry.
///
/// # Errors
/// Why it is not there.
pub async fn push(fleet: &Fleet, push: &Push) -> Result<Pushed, Fault> {
    let made = fleet.run(&push.server, "set -eu\nakidb_edge_memory").await?;
    if made.code != 0 {
        return Err(push.fault(&made));
    }
    fleet
        .upload(&push.server, FileUpload { from: ArtifactSource::File(push.archive.clone()), to: push.waiting() })
        .await?;
    let reply = fleet.run(&push.server, push.script()).await?;
    if reply.code != 0 {
        return Err(push.fault(&reply));
    }
    let seen = lines(&reply.output);
    let said = |key: &str| seen.get(key).copied().unwrap_or_default().to_owned();
    let pushed = Pushed { image: said("image"), digest: said("digest") };
    if !pushed.digest.starts_with("sha256:") {
        return Err(Fault::unexpected("registry", "push", "no digest in what the server's machine printed"));
    }
    Ok(pushed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> Push {
        Push {
            server: "one".to_owned(),
            registry: "192.0.2.1:5000".to_owned(),
            archive: PathBuf::from("image.tar"),
            sha256: "ab".repeat(32),
            image: None,
            name: "akidb/rest:v1".to_owned(),
        }
    }

    #[test]
    fn a_name_is_a_word_of_the_shell_whatever_it_holds() {
        let odd = Push { image: Some("a:1'; reboot '".to_owned()), name: "b:1$(reboot)".to_owned(), ..example() };
        let text = odd.script();
        assert!(text.contains("i='docker.io/library/a:1'\\''; reboot '\\'''"), "{text}");
        assert!(text.contains("'192.0.2.1:5000/b:1$(reboot)'"), "{text}");
    }

    #[test]
    fn the_login_is_no_argument_of_a_program() {
        let text = example().script();
        let lines: Vec<&str> = text.lines().filter(|line| line.contains("password")).collect();
        assert!(!lines.is_empty());
        for line in lines {
            // `test` and `printf` are the shell's own; `base64` and `cat` get a file or a pipe.
            assert!(!line.contains("ctr") && !line.contains("--user"), "{line}");
        }
        assert!(!text.contains("insecure") && !text.contains("skip-verify") && !text.contains("http://"), "{text}");
    }

    #[test]
    fn each_cause_has_its_next_step() {
        let fault = |code: u32, said: &str| {
            let fault = example().fault(&ScriptOutput { code: code.cast_signed(), output: said.to_owned() });
            (fault.message.line(), fault.next_step.map(|next| next.line()).unwrap_or_default())
        };
        let (words, next) = fault(NOT_ONE, "docker.io/library/a:1\ndocker.io/library/b:1");
        assert!(words.contains("a:1 / docker.io/library/b:1") && next.contains("--image"), "{words}; {next}");
        let (words, next) = fault(NO_PUSH, "ctr: failed to do request: connection refused");
        assert!(words.starts_with("one: 192.0.2.1:5000/akidb/rest:v1: the registry did not take it"), "{words}");
        assert!(next.contains("describe deployment registry"), "{next}");
        for (said, helps) in [
            ("unexpected status from POST request to https://r/v2/a/blobs/uploads/: 401 Unauthorized", "login"),
            ("tls: failed to verify certificate: x509: certificate has expired", "clock"),
            ("unexpected status: 500 Internal Server Error", "free space"),
            ("something else", "jetson status"),
        ] {
            assert!(fault(NO_PUSH, said).1.contains(helps), "{said}");
        }
        let (words, next) = fault(OTHER_PLATFORM, "linux/amd64, nodes are linux/arm64");
        assert!(words.contains("for linux/amd64, nodes are linux/arm64") && next.contains("buildx"), "{words}; {next}");
        assert!(fault(NO_REGISTRY, "").1.contains("k3s.registry"));
        assert!(fault(NO_IMPORT, "No space left on device").1.contains("disk is full"));
        assert!(fault(NO_IMPORT, "ctr: image might be filtered out").1.contains("--platform linux/arm64"));
    }

    #[test]
    fn an_image_for_another_processor_is_not_pushed() {
        assert!(FITS.contains(&format!("exit {OTHER_PLATFORM};")), "{FITS}");
        let ends = |platforms: &str, nodes: &str| {
            let line = format!("docker.io/a:1 application/x sha256:ab 12.3 MiB {platforms} -");
            let stubs = format!(
                "c() {{ echo REF TYPE DIGEST SIZE PLATFORMS LABELS; echo '{line}'; }}\nk3s() {{ echo '{nodes}'; }}\n"
            );
            let run = std::process::Command::new("sh").args(["-c", &format!("set -eu\ni=a\n{stubs}{FITS}")]).output();
            run.expect("sh runs").status.code()
        };
        for (platforms, nodes) in [
            ("linux/arm64/v8", "arm64 arm64"),
            ("linux/amd64,linux/arm64", "arm64"),
            ("linux/amd64", "arm64 amd64"),
            ("linux/amd64", ""),
            ("-", "arm64"),
        ] {
            assert_eq!(ends(platforms, nodes), Some(0), "{platforms} for {nodes}");
        }
        assert_eq!(ends("linux/amd64", "arm64 arm64"), Some(9));
    }
}
