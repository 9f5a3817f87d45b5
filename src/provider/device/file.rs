//! Files, directories, links and lines.

use serde_json::{Value, json};

use super::on_host::{MEMORY, Shell};
use super::script::{lines, quoted};
use crate::resource::file::{Content, FileSpec};
use crate::resource::sha256_hex;

/// Paths of a machine.
pub struct Files;

impl Files {
    /// Where an artefact waits until it is moved to its place.
    fn waiting(spec: &FileSpec) -> String {
        format!("{}.akidb-edge-new", spec.path)
    }

    /// Where the file lies that was there before us.
    fn before(spec: &FileSpec) -> String {
        format!("{MEMORY}/before/{}", &sha256_hex(spec.path.as_bytes())[..16])
    }

    /// Lines that keep a file which was there before us, once.
    fn keep(spec: &FileSpec) -> String {
        let (path, before) = (quoted(&spec.path), quoted(&Self::before(spec)));
        format!(
            "if test -e {path} && ! test -e {before} && ! test -e {before}.none; then mkdir -p {MEMORY}/before; cp -p {path} {before}; fi\ntest -e {before} || {{ mkdir -p {MEMORY}/before; : >{before}.none; }}"
        )
    }

    /// Lines that put back what [`keep`](Self::keep) kept. A file that we never wrote stays.
    fn bring_back(spec: &FileSpec) -> String {
        let (path, before) = (quoted(&spec.path), quoted(&Self::before(spec)));
        format!(
            "if test -e {before}; then mv -f {before} {path}; elif test -e {before}.none; then rm -f {path} {before}.none; fi"
        )
    }

    fn rights(spec: &FileSpec) -> String {
        let path = quoted(&spec.path);
        let mut text = String::new();
        if let Some(mode) = &spec.mode {
            text.push_str(&format!("chmod {} {path}\n", quoted(mode)));
        }
        if spec.owner.is_some() || spec.group.is_some() {
            let owner = spec.owner.as_deref().unwrap_or_default();
            let group = spec.group.as_ref().map_or_else(String::new, |group| format!(":{group}"));
            text.push_str(&format!("chown {} {path}\n", quoted(&format!("{owner}{group}"))));
        }
        text
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
            Content::Line(line) => format!("if grep -qxF {} {path} 2>/dev/null; then echo line=1; fi", quoted(line)),
            Content::Text(_) | Content::Sha256(_) => {
                format!("if test -f {path}; then printf sha256=; sha256sum <{path}; fi")
            }
            Content::Directory | Content::Link(_) | Content::Url(_) => String::new(),
        };
        format!(
            "p={path}\nif test -L \"$p\"; then echo type=link; echo \"target=$(readlink \"$p\")\"\nelif test -d \"$p\"; then echo type=directory\nelif test -e \"$p\"; then echo type=file; fi\nif test -e \"$p\"; then stat -L --printf=\"mode=%a\\nowner=%U\\ngroup=%G\\n\" \"$p\"; fi\n{what}"
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
            (Content::Text(text), _) if sha256 == Some(sha256_hex(text.as_bytes()).as_str()) => {
                Content::Text(text.clone())
            }
            _ => Content::Sha256(sha256.unwrap_or_default().to_owned()),
        };
        let mode = seen.get("mode").map(|mode| format!("{mode:0>4}"));
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
        let path = quoted(&spec.path);
        let new = quoted(&Self::waiting(spec));
        let make = match &spec.content {
            Content::Directory => format!("mkdir -p {path}\n"),
            Content::Link(target) => format!("ln -sfn {} {path}\n", quoted(target)),
            Content::Line(line) => {
                format!("grep -qxF {line} {path} 2>/dev/null || printf '%s\\n' {line} >>{path}\n", line = quoted(line))
            }
            Content::Text(text) => {
                format!("{}\nprintf %s {} >{new}\nmv -f {new} {path}\n", Self::keep(spec), quoted(text))
            }
            Content::Url(url) => format!(
                "{}\nif command -v curl >/dev/null; then curl -fsSL --retry 3 --connect-timeout 20 -o {new} {url}; else wget -q -O {new} {url}; fi\nmv -f {new} {path}\n",
                Self::keep(spec),
                url = quoted(url)
            ),
            Content::Sha256(sha256) => format!(
                "{}\ntest \"$(sha256sum <{new} | cut -c-64)\" = {sha256} || {{ echo the file that came has another hash; exit 1; }}\nmv -f {new} {path}\n",
                Self::keep(spec)
            ),
        };
        make + &Self::rights(spec)
    }

    fn remove(spec: &FileSpec) -> String {
        let path = quoted(&spec.path);
        match &spec.content {
            // What others put in it stays.
            Content::Directory => format!("rmdir {path} 2>/dev/null || :"),
            Content::Link(_) => format!("if test -L {path}; then rm -f {path}; fi"),
            Content::Line(line) => format!(
                "if test -e {path}; then grep -vxF {} {path} >{path}.akidb-edge-new || :; cat {path}.akidb-edge-new >{path}; rm -f {path}.akidb-edge-new; fi",
                quoted(line)
            ),
            Content::Text(_) | Content::Sha256(_) | Content::Url(_) => Self::bring_back(spec),
        }
    }

    fn restore(spec: &FileSpec) -> String {
        match &spec.content {
            Content::Text(_) | Content::Sha256(_) | Content::Url(_) => Self::bring_back(spec),
            _ => ":".to_owned(),
        }
    }

    fn artefact(spec: &FileSpec) -> Option<(String, String)> {
        let Content::Sha256(sha256) = &spec.content else { return None };
        Some((sha256.clone(), Self::waiting(spec)))
    }
}
