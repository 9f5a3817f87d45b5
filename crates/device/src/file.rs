//! Files, directories, links and lines.

use serde_json::{Value, json};

use super::on_host::{MEMORY, Shell};
use super::script::{Script, lines, quoted, script};
use crate::resource::file::{Content, FileSpec};
use crate::resource::sha256_hex;

/// Paths of a machine.
pub struct Files;

impl Files {
    /// Where new content waits until it is moved to its place: where nobody but root can write, or a link that somebody put
    /// there in time would be written through.
    fn waiting(spec: &FileSpec) -> String {
        format!("{MEMORY}/new-{}", &sha256_hex(spec.path.as_bytes())[..16])
    }

    /// Where the file lies that was there before us.
    fn before(spec: &FileSpec) -> String {
        format!("{MEMORY}/before/{}", &sha256_hex(spec.path.as_bytes())[..16])
    }

    /// Lines that keep a file which was there before us, once; a link as a link.
    fn keep(spec: &FileSpec) -> Script {
        let (path, before) = (quoted(&spec.path), quoted(&Self::before(spec)));
        let (there, kept) = (Self::there(&path), Self::there(&before));
        script!(
            "mkdir -p {MEMORY}/before\nif {there} && ! {kept} && ! test -e {before}.none; then cp -pP -- {path} {before}; fi\n{kept} || : >{before}.none",
            MEMORY,
            there,
            kept,
            before,
            path
        )
    }

    /// Lines that put back what [`keep`](Self::keep) kept. A file that we never wrote stays.
    fn bring_back(spec: &FileSpec) -> Script {
        let (path, before) = (quoted(&spec.path), quoted(&Self::before(spec)));
        script!(
            "if {there}; then mv -fT -- {before} {path}; elif test -e {before}.none; then rm -f -- {path} {before}.none; fi",
            there = Self::there(&before),
            before,
            path
        )
    }

    /// Whether something is there, be it a link to nowhere.
    fn there(path: &Script) -> Script {
        script!("{{ test -e {path} || test -L {path}; }}", path)
    }

    /// Lines that give `at` its owner and its mode; without one it keeps that of the file in whose place it comes.
    fn rights(spec: &FileSpec, at: &Script) -> Script {
        let path = quoted(&spec.path);
        let mut text = Self::owners(spec, "chown", at);
        // After the owner: a change of owner takes some bits away.
        text.push(match &spec.mode {
            Some(mode) => script!("chmod {mode} -- {at}\n", mode = quoted(mode), at),
            None if *at == path => Script::default(),
            None => script!(
                "if test -f {path} && ! test -L {path}; then chmod --reference={path} -- {at}; else chmod 0644 -- {at}; fi\n",
                path,
                at
            ),
        });
        text
    }

    fn owners(spec: &FileSpec, chown: &'static str, at: &Script) -> Script {
        if spec.owner.is_none() && spec.group.is_none() {
            return Script::default();
        }
        let owner = spec.owner.as_deref().unwrap_or_default();
        let group = spec.group.as_ref().map_or_else(String::new, |group| format!(":{group}"));
        script!("{chown} {owners} -- {at}\n", chown, owners = quoted(&format!("{owner}{group}")), at)
    }

    /// Lines that write new content, with its rights, and then move it to its place: at no moment is it readable for more
    /// people than at the end.
    fn replace(spec: &FileSpec, write: &Script) -> Script {
        let (path, new) = (quoted(&spec.path), quoted(&Self::waiting(spec)));
        script!(
            "{keep}\n{write}\n{rights}mv -fT -- {new} {path}\n",
            keep = Self::keep(spec),
            write,
            rights = Self::rights(spec, &new),
            new,
            path
        )
    }

    /// Whether a file has a line. The line comes on standard input: an argument would show in a list of processes.
    fn has(line: &str, path: &Script) -> Script {
        script!("printf '%s\\n' {line} | grep -qxF -f - -- {path}", line = quoted(line), path)
    }

    /// Lines that fetch a file, and take it only when it is the right one.
    fn fetch(url: &str, sha256: &str, new: &Script) -> Script {
        let (url, sum) = (quoted(url), quoted(sha256));
        script!(
            "rm -f -- {new}\n(umask 077; if command -v curl >/dev/null; then curl -fsSL --proto '=https' --max-filesize 104857600 --retry 3 --connect-timeout 20 -o {new} -- {url}; else wget -q --https-only -O {new} -- {url}; fi)\ntest \"$(sha256sum <{new} | cut -c-64)\" = {sum} || {{ rm -f -- {new}; echo the file that was fetched has another hash; exit 1; }}",
            new,
            url,
            sum
        )
    }
}

impl Shell for Files {
    type Spec = FileSpec;
    const SERVICE: &'static str = "file";

    fn host(spec: &FileSpec) -> &str {
        &spec.host
    }

    fn id(spec: &FileSpec) -> String {
        match &spec.content {
            Content::Line(line) => format!("{}:{}:{}", spec.host, spec.path, &sha256_hex(line.as_bytes())[..8]),
            _ => format!("{}:{}", spec.host, spec.path),
        }
    }

    fn look(spec: &FileSpec) -> Script {
        let path = quoted(&spec.path);
        let what = match &spec.content {
            Content::Line(line) => script!("if {has} 2>/dev/null; then echo line=1; fi", has = Self::has(line, &path)),
            Content::Text(_) | Content::Sha256(_) | Content::Fetched { .. } => {
                script!("if test -f {path}; then printf sha256=; sha256sum <{path}; fi", path)
            }
            Content::Directory | Content::Link(_) | Content::Url(_) => Script::default(),
        };
        // Who owns a link is asked of the link, all else of what is behind it.
        let follow = if matches!(spec.content, Content::Link(_)) { "" } else { " -L" };
        script!(
            "p={path}\nif test -L \"$p\"; then echo type=link; echo \"target=$(readlink -- \"$p\")\"\nelif test -d \"$p\"; then echo type=directory\nelif test -e \"$p\"; then echo type=file; fi\nif test -e \"$p\"; then stat{follow} --printf=\"mode=%a\\nowner=%U\\ngroup=%G\\n\" -- \"$p\"; fi\n{what}",
            path,
            follow,
            what
        )
    }

    fn found(spec: &FileSpec, printed: &str) -> Option<Value> {
        let seen = lines(printed);
        // sha256sum names its input after the hash.
        let sha256 = seen.get("sha256").and_then(|line| line.split_whitespace().next());
        let content = match (&spec.content, *seen.get("type")?) {
            (Content::Line(line), _) => {
                seen.get("line")?;
                Content::Line(line.clone())
            }
            (_, "link") => Content::Link((*seen.get("target")?).to_owned()),
            (_, "directory") => Content::Directory,
            (Content::Url(url), _) => Content::Url(url.clone()),
            (Content::Fetched { url, .. }, _) => {
                Content::Fetched { url: url.clone(), sha256: sha256.unwrap_or_default().to_owned() }
            }
            (Content::Text(text), _) if sha256 == Some(sha256_hex(text.as_bytes()).as_str()) => {
                Content::Text(text.clone())
            }
            _ => Content::Sha256(sha256.unwrap_or_default().to_owned()),
        };
        let padded = |mode: &str| format!("{mode:0>4}");
        let mode = seen.get("mode").map(|mode| padded(mode));
        // 755 and 0755 are the same mode.
        let same = spec.mode.clone().filter(|wanted| mode.as_deref() == Some(&padded(wanted)));
        let mode = same.or(mode);
        let mut found = json!({"host": spec.host, "path": spec.path, "content": content});
        for (field, value) in [
            ("mode", mode),
            ("owner", seen.get("owner").map(ToString::to_string)),
            ("group", seen.get("group").map(ToString::to_string)),
        ] {
            if let Some(value) = value {
                found[field] = value.into();
            }
        }
        Some(found)
    }

    fn put(spec: &FileSpec) -> Script {
        let (path, new) = (quoted(&spec.path), quoted(&Self::waiting(spec)));
        match &spec.content {
            Content::Directory => script!("mkdir -p -- {path}\n{rights}", path, rights = Self::rights(spec, &path)),
            Content::Link(target) => {
                script!(
                    "ln -sfn -- {target} {path}\n{owners}",
                    target = quoted(target),
                    path,
                    owners = Self::owners(spec, "chown -h", &path)
                )
            }
            Content::Line(line) => script!(
                "{has} 2>/dev/null || printf '%s\\n' {line} >>{path}\n{rights}",
                has = Self::has(line, &path),
                line = quoted(line),
                path,
                rights = Self::rights(spec, &path)
            ),
            Content::Text(text) => Self::replace(
                spec,
                &script!("rm -f -- {new}\n(umask 077; printf %s {text} >{new})", new, text = quoted(text)),
            ),
            Content::Fetched { url, sha256 } => Self::replace(spec, &Self::fetch(url, sha256, &new)),
            Content::Url(_) => "echo an earlier version fetched this file without a hash; exit 1".into(),
            Content::Sha256(sha256) => Self::replace(
                spec,
                &script!(
                    "test \"$(sha256sum <{new} | cut -c-64)\" = {sha256} || {{ echo the file that came has another hash; exit 1; }}",
                    new,
                    sha256 = quoted(sha256)
                ),
            ),
        }
    }

    fn remove(spec: &FileSpec) -> Script {
        let (path, new) = (quoted(&spec.path), quoted(&Self::waiting(spec)));
        match &spec.content {
            // What others put in it stays.
            Content::Directory => script!("rmdir -- {path} 2>/dev/null || :", path),
            Content::Link(_) => script!("if test -L {path}; then rm -f -- {path}; fi", path),
            // The file itself stays where it is: others may hold it open, or have mounted something there.
            Content::Line(line) => script!(
                "if test -e {path}; then akidb_edge_memory; printf '%s\\n' {line} | grep -avxF -f - -- {path} >{new} || test $? = 1; cat {new} >{path}; rm -f -- {new}; fi",
                path,
                line = quoted(line),
                new
            ),
            Content::Text(_) | Content::Sha256(_) | Content::Url(_) | Content::Fetched { .. } => Self::bring_back(spec),
        }
    }

    fn restore(spec: &FileSpec) -> Script {
        match &spec.content {
            Content::Text(_) | Content::Sha256(_) | Content::Url(_) | Content::Fetched { .. } => Self::bring_back(spec),
            _ => ":".into(),
        }
    }

    fn artefact(spec: &FileSpec) -> Option<(String, String)> {
        let Content::Sha256(sha256) = &spec.content else { return None };
        Some((sha256.clone(), Self::waiting(spec)))
    }

    fn remedy(words: &str) -> Option<String> {
        let text = if words.contains("without a hash") {
            "run akidb-edge jetson provision: it says which file it must be"
        } else if words.contains("that was fetched has another hash") {
            "nothing of it was used: compare it with what its publisher says, then write its key_sha256 into the plan, or bring it with --artifacts"
        } else {
            return None;
        };
        Some(text.to_owned())
    }
}
