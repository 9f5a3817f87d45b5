//! Files of the user for a bucket: single ones and folders.

use std::fs;
use std::path::Path;

use schemars::JsonSchema;
use serde::Deserialize;

use super::bounds::MOST_FILES;

/// What is under a key, or under the keys that begin with it: a template of the tool, a file, or a folder.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ContentPlan {
    /// Name of a built-in template.
    #[serde(default)]
    pub template: Option<String>,
    /// A file of this machine; a relative path starts at the working directory.
    #[serde(default)]
    pub file: Option<String>,
    /// A folder of this machine, with all below it but hidden files (`.well-known` is taken). The key is in front of
    /// its paths; `/` for none.
    #[serde(default)]
    pub folder: Option<String>,
    /// Media type; default: by the file extension.
    #[serde(default)]
    pub content_type: Option<String>,
    /// `Cache-Control`; default: one minute, or immutable with `hashed`.
    #[serde(default)]
    pub cache_control: Option<String>,
    /// Keys contain a hash of the content (`app.1a2b3c4d5e6f7a8b.js`): different content has a different key.
    #[serde(default)]
    pub hashed: bool,
    /// Files of the folder that are left out: `*.map`, `drafts/*`.
    #[serde(default)]
    pub exclude: Vec<String>,
    /// Other settings for some files of the folder; the first that fits counts.
    #[serde(default)]
    pub rules: Vec<ContentRule>,
    /// Key of a JSON object that maps each path to its key, to find hashed files.
    #[serde(default)]
    pub manifest: Option<String>,
}

/// Settings of some files of a folder.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ContentRule {
    /// Which: a path below the folder, or a name in any folder; `*` stands for any letters (`*.html`, `img/*`).
    pub r#match: String,
    /// Media type.
    #[serde(default)]
    pub content_type: Option<String>,
    /// `Cache-Control`.
    #[serde(default)]
    pub cache_control: Option<String>,
    /// Whether the key contains the hash of the content.
    #[serde(default)]
    pub hashed: Option<bool>,
}

/// Whether a path below a folder fits a pattern. A pattern without a slash is about the name alone.
pub fn fits(pattern: &str, path: &str) -> bool {
    let text = if pattern.contains('/') { path } else { path.rsplit('/').next().unwrap_or(path) };
    let mut parts = pattern.trim_start_matches('/').split('*');
    let Some(rest) = text.strip_prefix(parts.next().unwrap_or_default()) else { return false };
    let mut rest = rest;
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    true
}

/// The media type that the end of a name stands for; texts are UTF-8.
pub fn media_type(name: &str) -> String {
    let guess = mime_guess::from_path(name).first_raw().unwrap_or("application/octet-stream");
    if guess.starts_with("text/") { format!("{guess}; charset=utf-8") } else { guess.to_owned() }
}

/// The files below a folder, by their paths from there, sorted.
///
/// # Errors
/// What cannot be read, and why.
pub fn files_below(folder: &Path) -> Result<Vec<String>, String> {
    let mut all = Vec::new();
    let mut left = MOST_FILES;
    walk(folder, "", &mut left, &mut all)?;
    all.sort();
    Ok(all)
}

/// `left` says how many entries may still come: links can lead to the same folders again and again.
fn walk(folder: &Path, below: &str, left: &mut usize, all: &mut Vec<String>) -> Result<(), String> {
    // Deeper than this, a link leads in a circle.
    if below.matches('/').count() > 64 {
        return Err(format!("{}: the folders are nested too deep", folder.display()));
    }
    let told = |bad: std::io::Error| format!("{}: {bad}", folder.display());
    for entry in fs::read_dir(folder).map_err(told)? {
        let entry = entry.map_err(told)?;
        *left = left.checked_sub(1).ok_or_else(|| {
            format!("{}: more than {MOST_FILES} files and folders, or circular links", folder.display())
        })?;
        let name = entry.file_name();
        let Some(name) = name.to_str() else {
            return Err(format!("{}: the file name is not UTF-8", entry.path().display()));
        };
        if name.starts_with('.') && name != ".well-known" {
            continue;
        }
        let path = format!("{below}{name}");
        let kind = fs::metadata(entry.path()).map_err(|bad| format!("{}: {bad}", entry.path().display()))?;
        if kind.is_dir() {
            walk(&entry.path(), &format!("{path}/"), left, all)?;
        } else if kind.is_file() {
            all.push(path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_about_names_or_paths() {
        for (pattern, path) in [
            ("*.html", "index.html"),
            ("*.html", "a/b/index.html"),
            ("img/*", "img/a/b.png"),
            ("img/*.png", "img/b.png"),
            ("/index.html", "index.html"),
            ("*", "a/b"),
            ("a*b*c", "a-b-c"),
        ] {
            assert!(fits(pattern, path), "{pattern} {path}");
        }
        for (pattern, path) in
            [("*.html", "index.htm"), ("img/*", "x/img/b.png"), ("/index.html", "a/index.html"), ("a*b*c", "a-c-b")]
        {
            assert!(!fits(pattern, path), "{pattern} {path}");
        }
    }

    #[test]
    fn a_folder_has_an_end() {
        let folder = tempfile::tempdir().expect("a folder");
        for name in ["a", "b", "c"] {
            fs::write(folder.path().join(name), "x").expect("a file");
        }
        assert_eq!(walk(folder.path(), "", &mut 3, &mut Vec::new()), Ok(()));
        let refused = walk(folder.path(), "", &mut 2, &mut Vec::new());
        assert!(refused.is_err_and(|why| why.contains("more than 100000 files")), "one is too many");
    }

    #[test]
    fn media_types_follow_from_names() {
        assert_eq!(media_type("a/index.html"), "text/html; charset=utf-8");
        assert_eq!(media_type("ort.wasm"), "application/wasm");
        assert_eq!(media_type("model.onnx"), "application/octet-stream");
    }
}
