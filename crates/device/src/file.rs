//! Files, directories, links and lines.

use serde_json::{Value, json};

use super::on_host::{MEMORY, Shell};
use super::script::{lines, quoted};
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
    fn keep(spec: &FileSpec) -> String {
        let (path, before) = (quoted(&spec.path), quoted(&Self::before(spec)));
        let (there, kept) = (Self::there(&path), Self::there(&before));
        format!(
            "mkdir -p {MEMORY}/before\nif {there} && ! {kept} && ! test -e {before}.none; then cp -pP -- {path} {before}; fi\n{kept} || : >{before}.none"
        )
    }

    /// Lines that put back what [`keep`](Self::keep) kept. A file that we never wrote stays.
    fn bring_back(spec: &FileSpec) -> String {
        let (path, before) = (quoted(&spec.path), quoted(&Self::before(spec)));
        format!(
            "if {}; then mv -fT -- {before} {path}; elif test -e {before}.none; then rm -f -- {path} {before}.none; fi",
            Self::there(&before)
        )
    }

    /// Whether something is there, be it a link to nowhere.
    fn there(path: &str) -> String {
        format!("{{ test -e {path} || test -L {path}; }}")
    }

    /// Lines that give `at` its owner and its mode; without one it keeps that of the file in whose place it comes.
    fn rights(spec: &FileSpec, at: &str) -> String {
        let path = quoted(&spec.path);
        let mut text = Self::owners(spec, "chown", at);
        // After the owner: a change of owner takes some bits away.
        text.push_str(&match &spec.mode {
            Some(mode) => format!("chmod {} -- {at}\n", quoted(mode)),
            None if at == path => String::new(),
            None => format!("if test -f {path} && ! test -L {path}; then chmod --reference={path} -- {at}; else chmod 0644 -- {at}; fi\n"),
        });
        text
    }

    fn owners(spec: &FileSpec, chown: &str, at: &str) -> String {
        if spec.owner.is_none() && spec.group.is_none() {
            return String::new();
        }
        let owner = spec.owner.as_deref().unwrap_or_default();
        let group = spec.group.as_ref().map_or_else(String::new, |group| format!(":{group}"));
        format!("{chown} {} -- {at}\n", quoted(&format!("{owner}{group}")))
    }

    /// Lines that write new content, with its rights, and then move it to its place: at no moment is it readable for more
    /// people than at the end.
    fn replace(spec: &FileSpec, write: &str) -> String {
        let (path, new) = (quoted(&spec.path), quoted(&Self::waiting(spec)));
        format!("{}\n{write}\n{}mv -fT -- {new} {path}\n", Self::keep(spec), Self::rights(spec, &new))
    }

    /// Whether a file has a line. The line comes on standard input: an argument would show in a list of processes.
    fn has(line: &str, path: &str) -> String {
        format!("printf '%s\\n' {} | grep -qxF -f - -- {path}", quoted(line))
    }

    /// Lines that fetch a file, and take it only when it is the right one.
    fn fetch(url: &str, sha256: &str, new: &str) -> String {
        let (url, sum) = (quoted(url), quoted(sha256));
        format!(
            "rm -f -- {new}\n(umask 077; if command -v curl >/dev/null; then curl -fsSL --proto '=https' --max-filesize 104857600 --retry 3 --connect-timeout 20 -o {new} -- {url}; else wget -q --https-only -O {new} -- {url}; fi)\ntest \"$(sha256sum <{new} | cut -c-64)\" = {sum} || {{ rm -f -- {new}; echo the file that was fetched has another hash; exit 1; }}"
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

    fn look(spec: &FileSpec) -> String {
        let path = quoted(&spec.path);
        let what = match &spec.content {
            Content::Line(line) => format!("if {} 2>/dev/null; then echo line=1; fi", Self::has(line, &path)),
            Content::Text(_) | Content::Sha256(_) | Content::Fetched { .. } => {
                format!("if test -f {path}; then printf sha256=; sha256sum <{path}; fi")
            }
            Content::Directory | Content::Link(_) | Content::Url(_) => String::new(),
        };
        // Who owns a link is asked of the link, all else of what is behind it.
        let follow = if matches!(spec.content, Content::Link(_)) { "" } else { " -L" };
        format!(
            "p={path}\nif test -L \"$p\"; then echo type=link; echo \"target=$(readlink -- \"$p\")\"\nelif test -d \"$p\"; then echo type=directory\nelif test -e \"$p\"; then echo type=file; fi\nif test -e \"$p\"; then stat{follow} --printf=\"mode=%a\\nowner=%U\\ngroup=%G\\n\" -- \"$p\"; fi\n{what}"
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

    fn put(spec: &FileSpec) -> String {
        let (path, new) = (quoted(&spec.path), quoted(&Self::waiting(spec)));
        match &spec.content {
            Content::Directory => format!("mkdir -p -- {path}\n{}", Self::rights(spec, &path)),
            Content::Link(target) => {
                format!("ln -sfn -- {} {path}\n{}", quoted(target), Self::owners(spec, "chown -h", &path))
            }
            Content::Line(line) => format!(
                "{} 2>/dev/null || printf '%s\\n' {} >>{path}\n{}",
                Self::has(line, &path),
                quoted(line),
                Self::rights(spec, &path)
            ),
            Content::Text(text) => {
                Self::replace(spec, &format!("rm -f -- {new}\n(umask 077; printf %s {} >{new})", quoted(text)))
            }
            Content::Fetched { url, sha256 } => Self::replace(spec, &Self::fetch(url, sha256, &new)),
            Content::Url(_) => "echo an earlier version fetched this file without a hash; exit 1".to_owned(),
            Content::Sha256(sha256) => Self::replace(
                spec,
                &format!(
                    "test \"$(sha256sum <{new} | cut -c-64)\" = {} || {{ echo the file that came has another hash; exit 1; }}",
                    quoted(sha256)
                ),
            ),
        }
    }

    fn remove(spec: &FileSpec) -> String {
        let (path, new) = (quoted(&spec.path), quoted(&Self::waiting(spec)));
        match &spec.content {
            // What others put in it stays.
            Content::Directory => format!("rmdir -- {path} 2>/dev/null || :"),
            Content::Link(_) => format!("if test -L {path}; then rm -f -- {path}; fi"),
            // The file itself stays where it is: others may hold it open, or have mounted something there.
            Content::Line(line) => format!(
                "if test -e {path}; then akidb_edge_memory; printf '%s\\n' {} | grep -avxF -f - -- {path} >{new} || test $? = 1; cat {new} >{path}; rm -f -- {new}; fi",
                quoted(line)
            ),
            Content::Text(_) | Content::Sha256(_) | Content::Url(_) | Content::Fetched { .. } => Self::bring_back(spec),
        }
    }

    fn restore(spec: &FileSpec) -> String {
        match &spec.content {
            Content::Text(_) | Content::Sha256(_) | Content::Url(_) | Content::Fetched { .. } => Self::bring_back(spec),
            _ => ":".to_owned(),
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
