//! Where a Lambda runtime looks for a function's handler in its zip.

use std::collections::BTreeSet;

/// The files of which one must be there; none where the runtime looks elsewhere (in classes of a jar, for example).
fn places(runtime: &str, handler: &str) -> Vec<String> {
    if runtime.starts_with("provided") {
        return vec!["bootstrap".to_owned()];
    }
    let Some((file, _)) = handler.rsplit_once('.') else { return Vec::new() };
    let endings: &[&str] = match runtime {
        node if node.starts_with("nodejs") => &[".js", ".mjs", ".cjs"],
        python if python.starts_with("python") => &[".py", ".pyc", "/__init__.py"],
        ruby if ruby.starts_with("ruby") => &[".rb"],
        _ => &[],
    };
    // A module of Python is written with dots or slashes.
    let file = if runtime.starts_with("python") { file.replace('.', "/") } else { file.to_owned() };
    endings.iter().map(|ending| format!("{file}{ending}")).collect()
}

/// What is wrong, when the handler's file is not in the zip.
pub(super) fn missing(runtime: &str, handler: &str, files: &BTreeSet<String>) -> Option<String> {
    let places = places(runtime, handler);
    let there = places.is_empty() || places.iter().any(|place| files.contains(place));
    let held: Vec<&str> = files.iter().take(5).map(String::as_str).collect();
    let more = if files.len() > held.len() { ", …" } else { "" };
    (!there).then(|| {
        format!(
            "the handler {handler} is not in the zip: none of {} is, but {}{more}",
            places.join(", "),
            held.join(", ")
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lacks(runtime: &str, handler: &str, file: &str) -> bool {
        missing(runtime, handler, &[file.to_owned()].into()).is_some()
    }

    #[test]
    fn each_runtime_looks_in_its_place() {
        assert!(!lacks("nodejs24.x", "index.handler", "index.mjs"));
        assert!(!lacks("nodejs24.x", "src/app.handler", "src/app.js"));
        assert!(lacks("nodejs24.x", "index.handler", "dist/index.mjs"));
        assert!(!lacks("python3.13", "pkg.app.main", "pkg/app.py"));
        assert!(lacks("python3.13", "app.main", "main.py"));
        assert!(lacks("provided.al2023", "any", "main") && !lacks("provided.al2023", "any", "bootstrap"));
        assert!(!lacks("java21", "com.example.Handler::handle", "app.jar"));
        let said = missing("nodejs24.x", "index.handler", &["a.js".to_owned()].into()).expect("it is missing");
        assert!(said.contains("none of index.js, index.mjs, index.cjs is, but a.js"), "{said}");
    }
}
