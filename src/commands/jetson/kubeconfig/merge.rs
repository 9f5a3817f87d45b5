//! Merges one cluster into a kubeconfig: all other lines stay unchanged.

use serde_json::{Value, json};

use crate::plan::yaml;
use crate::provider::device::ClusterCredentials;

/// The lists of a kubeconfig.
const LISTS: [&str; 3] = ["clusters", "contexts", "users"];

/// A kubeconfig with one cluster.
#[derive(Debug)]
pub struct FetchedKubeconfig {
    /// Name of cluster, user and context.
    pub name: String,
    /// As a file of its own.
    pub text: String,
    /// One entry for each list.
    entries: [Value; 3],
}

/// k3s calls everything `default` and writes an address of its own: name and address are set by who asks.
pub fn named(taken: &ClusterCredentials, address: &str, name: &str) -> FetchedKubeconfig {
    let address = if address.contains(':') { format!("[{address}]") } else { address.to_owned() };
    let cluster = json!({
        "certificate-authority-data": taken.authority,
        "server": format!("https://{address}:{}", taken.port),
    });
    let user = json!({"client-certificate-data": taken.certificate, "client-key-data": taken.key});
    let entries = [
        json!({"name": name, "cluster": cluster}),
        json!({"name": name, "context": {"cluster": name, "user": name}}),
        json!({"name": name, "user": user}),
    ];
    let mut text = "apiVersion: v1\nkind: Config\npreferences: {}\n".to_owned();
    for (list, entry) in LISTS.iter().zip(&entries) {
        text.push_str(&format!("{list}:\n{}", item(entry, "")));
    }
    text.push_str(&format!("current-context: {}\n", json!(name)));
    FetchedKubeconfig { name: name.to_owned(), text, entries }
}

/// An entry as an item of a block list. JSON is YAML: values need no other quotes.
fn item(entry: &Value, indent: &str) -> String {
    let mut text = format!("{indent}- name: {}\n", entry["name"]);
    for (key, value) in entry.as_object().into_iter().flatten().filter(|(key, _)| *key != "name") {
        text.push_str(&format!("{indent}  {key}:\n"));
        for (field, value) in value.as_object().into_iter().flatten() {
            text.push_str(&format!("{indent}    {field}: {value}\n"));
        }
    }
    text
}

/// The file with this cluster in it. Its own lines are edited, so that comments and the entries of others stay as they
/// are; where that does not give what it must, the whole is written anew.
///
/// # Errors
/// When the file is not a kubeconfig.
pub fn merged(old: &str, new: &FetchedKubeconfig) -> Result<String, String> {
    let read = yaml(old).map_err(|why| format!("it is not YAML ({why})"))?;
    if !read.is_object() {
        return Err("it has no fields such as clusters, contexts and users".to_owned());
    }
    let wanted = as_data(read, new)?;
    let edited = edited(old, new);
    if yaml(&edited).is_ok_and(|there| there == wanted) {
        return Ok(edited);
    }
    Ok(serde_json::to_string_pretty(&wanted).unwrap_or_default() + "\n")
}

/// What it must come to.
fn as_data(mut read: Value, new: &FetchedKubeconfig) -> Result<Value, String> {
    for (list, entry) in LISTS.iter().zip(&new.entries) {
        if read.get(*list).is_none_or(Value::is_null) {
            read[*list] = json!([]);
        }
        let items = read[*list].as_array_mut().ok_or_else(|| format!("`{list}` is not a list"))?;
        items.retain(|item| item["name"] != entry["name"]);
        items.insert(0, entry.clone());
    }
    let current = read.get("current-context").and_then(Value::as_str).unwrap_or_default();
    if current.is_empty() {
        read["current-context"] = json!(new.name);
    }
    Ok(read)
}

/// The same by lines, for a file in block style.
fn edited(old: &str, new: &FetchedKubeconfig) -> String {
    let mut lines: Vec<String> = old.lines().map(str::to_owned).collect();
    for (list, entry) in LISTS.iter().zip(&new.entries) {
        let head = format!("{list}:");
        let at = lines.iter().position(|line| line.starts_with(&head));
        let at = at.unwrap_or_else(|| {
            lines.push(head.clone());
            lines.len() - 1
        });
        lines[at].clone_from(&head);
        let end = lines[at + 1..].iter().position(|line| !inside(line)).map_or(lines.len(), |count| at + 1 + count);
        let first = lines[at + 1..end].iter().find(|line| line.trim_start().starts_with("- "));
        let indent = first.map_or(String::new(), |line| " ".repeat(line.len() - line.trim_start().len()));
        let below: Vec<String> = lines.drain(at + 1..end).collect();
        let kept = without(&below, &indent, &new.name);
        let fresh = item(entry, &indent);
        lines.splice(at + 1..at + 1, fresh.lines().map(str::to_owned).chain(kept));
    }
    let current = lines.iter().position(|line| line.starts_with("current-context:"));
    match current {
        None => lines.push(format!("current-context: {}", json!(new.name))),
        Some(at) if ["", "\"\"", "''", "null"].contains(&lines[at]["current-context:".len()..].trim()) => {
            lines[at] = format!("current-context: {}", json!(new.name));
        }
        Some(_) => {}
    }
    lines.join("\n") + "\n"
}

/// Whether a line belongs to the list above it.
fn inside(line: &str) -> bool {
    line.is_empty() || line.starts_with([' ', '-', '#'])
}

/// The items of a list without the one of this name.
fn without(lines: &[String], indent: &str, name: &str) -> Vec<String> {
    let starts = format!("{indent}- ");
    let mut items: Vec<Vec<String>> = vec![Vec::new()];
    for line in lines {
        if line.starts_with(&starts) {
            items.push(Vec::new());
        }
        if let Some(last) = items.last_mut() {
            last.push(line.clone());
        }
    }
    let is_it = |item: &Vec<String>| {
        yaml(&item.join("\n")).is_ok_and(|read| read.pointer("/0/name").and_then(Value::as_str) == Some(name))
    };
    items.into_iter().filter(|item| !is_it(item)).flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: &str = "# my clusters\napiVersion: v1\nkind: Config\nclusters:\n  - name: prod # the real one\n    cluster: {server: 'https://prod:6443'}\n  - cluster:\n      server: https://old:6443\n    name: edge\ncontexts:\n  - name: prod\n    context: {cluster: prod, user: me}\ncurrent-context: prod\nusers:\n  - name: me\n    user:\n      token: abc\n";

    fn taken() -> ClusterCredentials {
        ClusterCredentials {
            authority: "QUJD".to_owned(),
            certificate: "REVG".to_owned(),
            key: "R0hJ".to_owned(),
            port: 6443,
        }
    }

    fn fetched() -> FetchedKubeconfig {
        named(&taken(), "10.77.1.11", "edge")
    }

    #[test]
    fn name_and_address_are_set() {
        let read = yaml(&fetched().text).expect("YAML");
        assert_eq!(read["clusters"][0]["cluster"]["server"], "https://10.77.1.11:6443");
        assert_eq!(read["contexts"][0]["context"], json!({"cluster": "edge", "user": "edge"}));
        assert_eq!(read["users"][0]["user"].as_object().map(serde_json::Map::len), Some(2));
        assert_eq!(read["current-context"], "edge");
        let six = named(&taken(), "fd78::11", "edge");
        assert!(six.text.contains("\"https://[fd78::11]:6443\""), "{}", six.text);
    }

    #[test]
    fn the_lines_of_others_stay() {
        let text = merged(OWN, &fetched()).expect("a kubeconfig");
        for line in OWN.lines().filter(|line| !line.contains("old") && !line.contains("name: edge")) {
            assert!(line.trim() == "- cluster:" || text.lines().any(|there| there == line), "{line} in\n{text}");
        }
        let read = yaml(&text).expect("YAML");
        let names = |list: &str| {
            let items = read[list].as_array().expect("a list");
            items.iter().map(|item| item["name"].as_str().expect("a name").to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(names("clusters"), ["edge", "prod"]);
        assert_eq!(names("users"), ["edge", "me"]);
        assert_eq!(read["current-context"], "prod");
        assert!(!text.contains("https://old"), "{text}");
        assert_eq!(merged(&text, &fetched()).expect("again"), text, "a second time changes nothing");
    }

    #[test]
    fn other_shapes_are_written_anew_or_refused() {
        let flow = "{apiVersion: v1, kind: Config, clusters: [], contexts: [], users: [], current-context: ''}";
        let read = yaml(&merged(flow, &fetched()).expect("a kubeconfig")).expect("YAML");
        assert_eq!((&read["current-context"], &read["users"][0]["name"]), (&json!("edge"), &json!("edge")));
        let nulls = "apiVersion: v1\nkind: Config\nclusters: null\ncontexts: []\nusers:\n";
        let read = yaml(&merged(nulls, &fetched()).expect("a kubeconfig")).expect("YAML");
        assert_eq!(read["clusters"].as_array().map(Vec::len), Some(1));
        let why = |text: &str| merged(text, &fetched()).expect_err(text);
        assert_eq!(why("- a\n- b\n"), "it has no fields such as clusters, contexts and users");
        assert_eq!(why("clusters: 7\n"), "`clusters` is not a list");
        assert!(why("a: [\n").starts_with("it is not YAML ("), "{}", why("a: [\n"));
    }
}
