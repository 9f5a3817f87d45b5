//! Files, directories, links and lines.

use serde_json::{Value, json};

use super::on_host::{MEMORY, ShellKind};
use super::script::{Script, lines, quoted, script};
use crate::resource::file::{Content, FileSpec};
use crate::resource::sha256_hex;

/// Paths of a machine.
pub struct MachineFiles;

impl MachineFiles {
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
        let (path, before, new) = (quoted(&spec.path), quoted(&Self::before(spec)), quoted(&Self::waiting(spec)));
        script!(
            "rm -f -- {new}\nif {there}; then mv -fT -- {before} {path}; elif test -e {before}.none; then rm -f -- {path} {before}.none; fi",
            new,
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
    /// people than at the end. However the script ends, no second copy of the content is left.
    fn replace(spec: &FileSpec, write: &Script) -> Script {
        let (path, new) = (quoted(&spec.path), quoted(&Self::waiting(spec)));
        script!(
            "akidb_edge_drop() {{ rm -f -- {new}; }}\ntrap akidb_edge_drop EXIT\n{keep}\n{write}\n{rights}mv -fT -- {new} {path}\n",
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

    /// The content of a regular file: the first of those that were asked for which has its hash, else the hash.
    fn known(asked: &[Option<&FileSpec>], sha256: &str) -> Content {
        let mut asked = asked.iter().flatten().map(|spec| &spec.content);
        let same = asked.find(|content| match content {
            Content::Text(text) => sha256_hex(text.as_bytes()) == sha256,
            Content::Sha256(known) | Content::Fetched { sha256: known, .. } => known == sha256,
            // Nothing says what that file was.
            Content::Url(_) => true,
            Content::Directory | Content::Link(_) | Content::Line(_) => false,
        });
        same.cloned().unwrap_or_else(|| Content::Sha256(sha256.to_owned()))
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

impl ShellKind for MachineFiles {
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
            Content::Url(_) => Script::default(),
            // Also where a directory or a link is wanted: a file of an earlier run is known by its hash.
            _ => script!("if test -f {path}; then printf sha256=; sha256sum <{path}; fi", path),
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
        Self::found_after(spec, None, printed)
    }

    fn found_after(spec: &FileSpec, before: Option<&FileSpec>, printed: &str) -> Option<Value> {
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
            _ => Self::known(&[Some(spec), before], sha256.unwrap_or_default()),
        };
        let padded = |mode: &str| format!("{mode:0>4}");
        let mode = seen.get("mode").map(|mode| padded(mode));
        // 755 and 0755 are the same mode.
        let mut said = [Some(spec), before].into_iter().flatten().filter_map(|spec| spec.mode.clone());
        let same = said.find(|said| mode.as_deref() == Some(&padded(said)));
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

    fn clear(spec: &FileSpec) -> Script {
        let (before, new) = (quoted(&Self::before(spec)), quoted(&Self::waiting(spec)));
        script!("rm -f -- {new} {before}.none", new, before)
    }

    fn artifact(spec: &FileSpec) -> Option<(String, String)> {
        let Content::Sha256(sha256) = &spec.content else { return None };
        Some((sha256.clone(), Self::waiting(spec)))
    }

    fn remedy(words: &str) -> Option<String> {
        let text = if words.contains("without a hash") {
            "run akidb-edge jetson provision: it names the expected file"
        } else if words.contains("that was fetched has another hash") {
            "it was not used: compare it with the publisher's key, then set key_sha256 in the plan, or provide it \
             with --artifacts"
        } else {
            return None;
        };
        Some(text.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(content: Content, mode: Option<&str>) -> FileSpec {
        let (host, path) = ("a".to_owned(), "/opt/x".to_owned());
        FileSpec { host, path, content, mode: mode.map(str::to_owned), owner: None, group: None }
    }

    fn text(text: &str) -> Content {
        Content::Text(text.to_owned())
    }

    /// What is told of a file with the text `there`.
    fn told(wanted: Content, before: Option<Content>, there: &str) -> Value {
        let printed = format!("type=file\nmode=644\nsha256={}  -\n", sha256_hex(there.as_bytes()));
        let before = before.map(|content| spec(content, None));
        MachineFiles::found_after(&spec(wanted, None), before.as_ref(), &printed).expect("it is there")["content"]
            .clone()
    }

    #[test]
    fn what_an_earlier_run_wrote_is_told_in_its_words() {
        let hash = |of: &str| sha256_hex(of.as_bytes());
        let fetched = |url: &str, of: &str| Content::Fetched { url: url.to_owned(), sha256: hash(of) };
        let link = || Content::Link("/y".to_owned());
        for (wanted, before) in [
            (text("B"), text("A")),
            (text("B"), Content::Sha256(hash("A"))),
            (text("B"), fetched("https://a.b/c", "A")),
            (Content::Sha256(hash("B")), text("A")),
            (fetched("https://a.b/d", "B"), fetched("https://a.b/c", "A")),
            (Content::Directory, text("A")),
            (link(), text("A")),
        ] {
            let other = json!({"sha256": hash("C")});
            assert_eq!(told(wanted.clone(), Some(before.clone()), "A"), json!(before), "{wanted:?}");
            assert_eq!(told(wanted.clone(), Some(before.clone()), "C"), other, "{wanted:?}: others wrote it");
            assert_eq!(told(wanted, None, "C"), other);
        }
        assert_eq!(told(text("B"), Some(text("A")), "B"), json!({"text": "B"}), "what is wanted is there");
        let moved = fetched("https://a.b/d", "A");
        assert_eq!(told(moved.clone(), Some(fetched("https://a.b/c", "A")), "A"), json!(moved), "the same file");
    }

    /// Runs lines as a device does, with its memory in another folder; its exit status.
    fn run(lines: &Script, memory: &std::path::Path) -> Option<i32> {
        let lines = lines.replace(MEMORY, &memory.display().to_string());
        let script = format!("set -eu\n{lines}");
        let ended = std::process::Command::new("sh").args(["-c", &script]).stderr(std::process::Stdio::null()).status();
        ended.expect("sh runs").code()
    }

    #[test]
    fn a_file_that_cannot_come_to_its_place_leaves_no_copy_behind() {
        let folder = tempfile::tempdir().expect("a folder");
        let memory = folder.path().join("memory");
        std::fs::create_dir(&memory).expect("a folder");
        let at = |path: &str| FileSpec { path: format!("{}/{path}", folder.path().display()), ..spec(text("A"), None) };
        let left = || {
            std::fs::read_dir(&memory).expect("a folder").count()
                + std::fs::read_dir(folder.path()).expect("a folder").count()
        };
        assert_ne!(run(&MachineFiles::put(&at("no-folder/x")), &memory), Some(0));
        let new = MachineFiles::waiting(&at("no-folder/x")).replace(MEMORY, &memory.display().to_string());
        assert!(!std::path::Path::new(&new).exists(), "its content is gone");
        assert_eq!(run(&MachineFiles::clear(&at("no-folder/x")), &memory), Some(0));
        std::fs::remove_dir(memory.join("before")).expect("nothing is remembered of it");
        assert_eq!(left(), 1, "the memory alone");
        // What an earlier run left goes with the file.
        assert_eq!(run(&MachineFiles::put(&at("x")), &memory), Some(0));
        assert_eq!(std::fs::read(folder.path().join("x")).expect("a file"), b"A");
        let new = MachineFiles::waiting(&at("x")).replace(MEMORY, &memory.display().to_string());
        std::fs::write(&new, "A").expect("a file");
        assert_eq!(run(&MachineFiles::remove(&at("x")), &memory), Some(0));
        std::fs::remove_dir(memory.join("before")).expect("nothing is remembered of it");
        assert_eq!(left(), 1, "the memory alone");
    }

    #[test]
    fn a_mode_is_told_as_it_was_asked_for() {
        let (wanted, before) = (spec(text("A"), Some("0700")), spec(text("A"), Some("755")));
        let told = |mode: &str| {
            let printed = format!("type=file\nmode={mode}\n");
            MachineFiles::found_after(&wanted, Some(&before), &printed).expect("it is there")["mode"].clone()
        };
        assert_eq!((told("755"), told("700"), told("640")), (json!("755"), json!("0700"), json!("0640")));
    }
}
