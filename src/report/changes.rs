//! The preview: by area, one line for each change, its fields below.

use std::borrow::Cow;

use console::{Style, measure_text_width};
use serde_json::{Value, json};

use super::differing;
use super::fit::{SHORTEST, Screen, fitted, without_middle};
use super::machines::MachineGroups;
use super::omitted::OmittedResources;
use super::output::painted;
use super::setting_path::setting_path;
use super::{counted, duration};
use crate::resource::{
    Action, Change, Changes, FieldChange, Level, PreviousAddress, ResourceOrigin, Risk, SafeText, has_references,
    sensitive, shown, untrusted,
};

/// Longest value that is shown; the rest is cut.
const LONGEST: usize = 90;

/// The difference as text. `everything` shows kept resources, too; `omitted` is what was not looked at.
pub fn changes_text(
    changes: &Changes,
    everything: bool,
    screen: Screen,
    wait: Level,
    omitted: &OmittedResources<'_>,
) -> SafeText {
    let color = screen.color;
    let mut text = SafeText::default();
    let mut area = "";
    let groups = MachineGroups::of(changes);
    for change in changes.items.values().filter(|change| everything || change.action != Action::Keep) {
        let machines = groups.machines(change);
        if machines.is_some_and(|machines| machines.first != change.address) {
            continue;
        }
        if change.address.area() != area {
            area = change.address.area();
            text.push(shown!("{}\n", painted(color, Style::new().bold(), area)));
        }
        match machines {
            Some(machines) => text.push(line(change, screen, &machines.what, &machines.words())),
            None => {
                let name = change.address.as_str().split_once('.').map_or(change.address.as_str(), |(_, name)| name);
                text.push(line(change, screen, name, &label(change)));
            }
        }
        if matches!(change.action, Action::Update | Action::Adopt) {
            text.push(extras_line(change));
        }
        for field in &change.fields {
            let line = || field_line(field, drift_words(change, field), everything);
            text.push(if change.action == Action::Move { mark_line(change) } else { line() });
        }
    }
    for left in &changes.pending_deletions {
        let (title, risk) = (left.kind.facts().title, risk_words(left.risk(), color));
        text.push(shown!("  - {}  left over: {} {}: {}{}\n", left.address, title, left.id, left.reason, risk));
    }
    text.push(summary(changes, wait, color, omitted));
    fitted(&text, screen, true)
}

/// Columns of the name, where there is room.
const NAME: usize = 40;
/// Columns before it.
const BEFORE: usize = 12;

fn line(change: &Change, screen: Screen, name: &str, label: &str) -> SafeText {
    let color = screen.color;
    let paint = match change.action {
        Action::Create | Action::Adopt => Style::new().green(),
        Action::Update | Action::Replace | Action::Recreate => Style::new().yellow(),
        Action::Move => Style::new().cyan(),
        Action::Delete => Style::new().red(),
        Action::Keep | Action::Forget => Style::new().dim(),
    };
    let mark = painted(color, paint, change.action.mark());
    let risk = risk_words(change.risk, color);
    let reason = change.reason.as_ref().map_or_else(SafeText::default, |reason| shown!("  ({})", reason));
    let imported = imported(change);
    let moved = SafeText::join(change.moved_from.iter().map(|from| moved_line(change, from)), "");
    let sources = sources(change);
    let (padding, label) = columns(screen.width, name, label, measure_text_width(&risk) + imported.len());
    let head = shown!("  {} {:<8}{}{}{}", mark, change.action.word(), name, padding, label);
    shown!("{}{}{}{}\n{}{}", head.trimmed(), risk, imported, reason, sources, moved)
}

/// The blanks behind a name, and as much of the label as there is room for: what is to be known of the change itself stays whole.
fn columns(width: usize, name: &str, label: &str, tail: usize) -> (String, String) {
    let wide = measure_text_width(name);
    let aligned = NAME.saturating_sub(wide) + 1;
    let room = |padding: usize| width.saturating_sub(BEFORE + wide + padding + tail);
    // Words go on below; what is one word has to be cut.
    let fits = label.contains(' ') || measure_text_width(label) <= room(aligned);
    if fits {
        return (" ".repeat(aligned), label.to_owned());
    }
    let padding = if room(aligned) >= SHORTEST { aligned } else { 2 };
    let label =
        if room(padding) >= SHORTEST { without_middle(label, room(padding)).into_owned() } else { String::new() };
    (" ".repeat(padding), label)
}

fn risk_words(risk: Risk, color: bool) -> SafeText {
    match risk {
        Risk::Safe => SafeText::default(),
        Risk::DestroysData => painted(color, Style::new().red().bold(), &shown!("  [{}]", risk.words())),
        Risk::Brief => shown!("  [{}]", risk.words()),
        risk => painted(color, Style::new().yellow(), &shown!("  [{}]", risk.words())),
    }
}

/// The files of this machine that are sent there.
fn sources(change: &Change) -> SafeText {
    let sends =
        matches!(change.action, Action::Create | Action::Update | Action::Replace | Action::Recreate | Action::Adopt);
    let files = change.after.iter().filter(|_| sends).flat_map(|resource| &resource.sources);
    SafeText::join(files.map(|file| shown!("        from {}\n", file)), "")
}

/// Whether it existed before this stack: then it is never deleted by the way.
const fn imported(change: &Change) -> &'static str {
    match change.origin {
        ResourceOrigin::Imported => "  [imported, not created by this stack]",
        ResourceOrigin::Made | ResourceOrigin::Recovered => "",
    }
}

/// What else is on a resource that is changed: it stays.
fn extras_line(change: &Change) -> SafeText {
    let extras = change.found.iter().flat_map(|found| &found.extras);
    let paths: Vec<Cow<'_, str>> =
        extras.filter(|extra| !extra.theirs).map(|extra| setting_path(&extra.path)).collect();
    if paths.is_empty() {
        SafeText::default()
    } else {
        shown!("        also there, kept: {}\n", cut(&paths.join(", ")))
    }
}

/// A moved thing differs in its mark only.
fn mark_line(change: &Change) -> SafeText {
    shown!("        its ownership tag is changed to {}\n", change.address)
}

/// Where a kept thing stood before: `moved from A to B`, or which record sets came from there.
fn moved_line(change: &Change, from: &PreviousAddress) -> SafeText {
    if from.sets.is_empty() {
        return shown!("        moved from {} to {}\n", from.address, change.address);
    }
    let mut sets: Vec<&str> = from.sets.iter().map(String::as_str).take(4).collect();
    let more = format!("{} more", from.sets.len().saturating_sub(sets.len()));
    if from.sets.len() > sets.len() {
        sets.push(&more);
    }
    shown!("        moved from {} to {}: {}\n", from.address, change.address, sets.join(", "))
}

/// What a person knows the thing by.
fn label(change: &Change) -> String {
    let spec =
        change.after.as_ref().map(|resource| &resource.spec).or(change.before.as_ref().map(|record| &record.spec));
    let text =
        |key: &str| spec.and_then(|spec| spec.get(key)).and_then(Value::as_str).filter(|text| !text.contains("${"));
    let said = change.kind.facts().label.iter().copied().find_map(text);
    said.map(cut).or_else(|| record_names(spec?)).unwrap_or_else(|| change.kind.facts().title.to_owned())
}

/// The names that a group of record sets owns, the shortest first.
fn record_names(spec: &Value) -> Option<String> {
    let sets = spec.get("sets")?.as_array()?;
    let mut names: Vec<&str> = sets.iter().filter_map(|set| set.get("name")?.as_str()).collect();
    names.sort_by_key(|name| (name.len(), *name));
    names.dedup();
    let first = names.iter().find(|name| !name.contains("${"))?;
    let first = untrusted::line(first);
    let more = names.len() - 1;
    Some(if more == 0 { first.into_owned() } else { format!("{first} and {}", counted(more, "more name")) })
}

/// Why a field is not as the last run left it.
fn drift_words(change: &Change, field: &FieldChange) -> &'static str {
    match (field.drifted, change.kind.facts().condition == Some(field.path.as_str())) {
        (false, _) => "",
        (true, true) => "  (not usable now)",
        (true, false) => "  (changed outside)",
    }
}

fn field_line(field: &FieldChange, drift: &'static str, everything: bool) -> SafeText {
    let show = |value: &Option<Value>, none: &'static str| value.as_ref().map_or_else(|| none.to_owned(), value_text);
    if let (Some(Value::Array(old)), Some(Value::Array(new))) = (&field.old, &field.new)
        && old.iter().chain(new).any(Value::is_object)
    {
        return list_lines(&field.path, drift, old, new);
    }
    let open = field.new.as_ref().and_then(|new| new.get("text")).is_some_and(has_references);
    let field = &without_contents(field);
    // What a file holds is told by its hash, and a link by where it leads.
    let is_file = field.path == "content";
    if !is_file && let Some(lines) = differing::lines(field, LONGEST, everything) {
        return shown!("        {}:{}\n{}", setting_path(&field.path), drift, lines);
    }
    let old = show(&field.old, "(not set)");
    // The hash of a text with open references is not the one that the file will have.
    let new = if open { "(known after apply)".to_owned() } else { show(&field.new, "(default)") };
    if old.len() + new.len() < 70 {
        shown!("        {}: {} -> {}{}\n", setting_path(&field.path), old, new, drift)
    } else {
        shown!("        {}:{}\n          old {}\n          new {}\n", setting_path(&field.path), drift, old, new)
    }
}

/// The same with hashes for the contents of files, and without sensitive values.
fn without_contents(field: &FieldChange) -> FieldChange {
    let mut data = serde_json::to_value(field).unwrap_or_default();
    sensitive::hide(&mut data);
    let side = |name: &str| data.get(name).filter(|value| !value.is_null()).cloned();
    FieldChange { old: side("old"), new: side("new"), ..field.clone() }
}

/// A list of things: those that go and those that come, one on each line.
fn list_lines(path: &str, drift: &str, old: &[Value], new: &[Value]) -> SafeText {
    let mut text = shown!("        {}:{}\n", setting_path(path), drift);
    for (mark, here, there) in [("-", old, new), ("+", new, old)] {
        // Two sensitive values look alike when they are shown, so what differs is found before.
        for item in here.iter().filter(|item| !there.contains(item)) {
            text.push(shown!("          {} {}\n", mark, pairs(&hidden_member(path, item))));
        }
    }
    text
}

/// A member of the list at a path, without sensitive values.
fn hidden_member(path: &str, item: &Value) -> Value {
    let mut data = json!({"path": path, "new": item});
    sensitive::hide(&mut data);
    data["new"].take()
}

/// A thing as `field=value` pairs, its names first.
pub(super) fn pairs(value: &Value) -> String {
    fn walk(path: &str, value: &Value, out: &mut Vec<(String, String)>) {
        match value {
            Value::Object(fields) => {
                for (key, field) in fields {
                    let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                    walk(&path, field, out);
                }
            }
            Value::String(text) => out.push((path.to_owned(), text.clone())),
            other => out.push((path.to_owned(), other.to_string())),
        }
    }
    let mut all = Vec::new();
    walk("", value, &mut all);
    // Zone ids of alias targets say nothing to a person.
    all.retain(|(key, _)| key != "alias.zone_id");
    let names = ["name", "id", "type", "path", "set_identifier"];
    let rank = |key: &str| names.iter().position(|first| *first == key).unwrap_or(names.len());
    all.sort_by_key(|(key, _)| rank(key));
    let words = all.into_iter().map(|(key, value)| if rank(&key) < 3 { value } else { format!("{key}={value}") });
    untrusted::line(&words.collect::<Vec<_>>().join(" ")).into_owned()
}

fn value_text(value: &Value) -> String {
    match value {
        Value::String(text) if text.contains("${") => format!("(known after: {})", cut(text)),
        Value::String(text) if text.is_empty() => "(empty)".to_owned(),
        Value::String(text) => cut(text),
        other => content_text(other).unwrap_or_else(|| cut(&other.to_string())),
    }
}

/// What is at a path of a device; texts have become hashes.
fn content_text(value: &Value) -> Option<String> {
    let fields = value.as_object().filter(|fields| fields.len() == 1)?;
    let (form, held) = fields.iter().next()?;
    match form.as_str() {
        "sha256" => Some(format!("SHA-256 {}", cut(held.as_str()?))),
        "fetched" => Some(format!("SHA-256 {}", cut(held.get("sha256")?.as_str()?))),
        "link" => Some(format!("link to {}", cut(held.as_str()?))),
        _ => None,
    }
}

/// In one line: a value of several lines would look like lines of the preview.
fn cut(text: &str) -> String {
    let text = &*untrusted::line(text);
    if text.chars().count() <= LONGEST {
        return text.to_owned();
    }
    let short: String = text.chars().take(LONGEST).collect();
    format!("{short}…")
}

fn summary(changes: &Changes, wait: Level, color: bool, omitted: &OmittedResources<'_>) -> SafeText {
    if changes.is_empty() {
        return omitted.no_changes(changes.items.len());
    }
    let words = |(word, count): (&'static str, usize)| {
        let words = shown!("{} to {}", count, word);
        if word == Action::Delete.word() { painted(color, Style::new().red(), &words) } else { words }
    };
    let mut counts: Vec<SafeText> = counts_by_word(changes).into_iter().map(words).collect();
    if !changes.pending_deletions.is_empty() {
        counts.push(shown!("{} left over to clear", changes.pending_deletions.len()));
    }
    let seconds = duration::usual_seconds(changes, wait);
    let until = match wait {
        Level::Accepted => "until accepted",
        Level::Usable => "until usable",
        Level::Propagated => "until propagated",
    };
    let usually = match seconds {
        0 => SafeText::default(),
        _ => shown!("; typically about {} {} on AWS", whole(seconds), until),
    };
    shown!("\n{}; risk: {}{}\n", SafeText::join(counts, ", "), changes.risk().words(), usually)
}

/// How often each word stands in the preview; both ways to replace something have one word.
fn counts_by_word(changes: &Changes) -> Vec<(&'static str, usize)> {
    let mut counts: Vec<(&'static str, usize)> = Vec::new();
    for (action, count) in changes.counts() {
        match counts.iter_mut().find(|(word, _)| *word == action.word()) {
            Some((_, all)) => *all += count,
            None => counts.push((action.word(), count)),
        }
    }
    counts
}

/// Seconds in whole numbers: an estimate is not a measurement.
fn whole(seconds: u32) -> String {
    if seconds < 100 { format!("{seconds} s") } else { format!("{} min", seconds.div_ceil(60)) }
}

/// The difference as data.
pub fn changes_json(changes: &Changes) -> Value {
    let items: Vec<Value> = changes
        .acting()
        .map(|change| {
            json!({
                "address": change.address, "kind": change.kind, "action": change.action, "risk": change.risk,
                "reason": change.reason, "origin": change.origin, "fields": change.fields, "moved_from": change.moved_from,
                "id": change.found.as_ref().map(|found| &found.id),
                "step": change.after.as_ref().map(|resource| &resource.step),
                "sources": change.after.as_ref().map(|resource| &resource.sources),
            })
        })
        .collect();
    json!({"changes": items, "counts": changes.counts(), "kept": changes.items.len() - changes.acting().count(), "leftovers": changes.pending_deletions})
}

#[cfg(test)]
#[path = "changes_tests.rs"]
mod tests;
