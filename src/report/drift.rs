//! The drift view: for each field the planned, the recorded and the real value.

use std::borrow::Cow;

use console::Style;
use serde_json::Value;

use super::changes::pairs;
use super::counted;
use super::output::painted;
use super::setting_path::setting_path;
use crate::resource::{
    DriftField, DriftKind, DriftedResource, FieldOrigin, OwnedResource, PlannedValue, Remedy, ResourceOrigin, SafeText,
    ToSafeText, sensitive, shown, untrusted,
};

/// Columns before a value.
const INDENT: usize = 18;

/// The drift as text of at most `width` columns. `everything` shows what is left alone, too.
pub fn drift_text(drift: &[DriftedResource], everything: bool, color: bool, width: usize) -> SafeText {
    let shown: Vec<&DriftedResource> = drift.iter().filter(|one| everything || one.counts()).collect();
    let mut text = SafeText::default();
    for one in &shown {
        let name = painted(color, Style::new().bold(), &one.address);
        let reason = one.reason.as_ref().map_or_else(SafeText::default, |why| shown!(": {}", why));
        let imported =
            if one.origin == ResourceOrigin::Imported { "  [imported, not created by this stack]" } else { "" };
        text.push(shown!("{}  {}{}{}\n", name, happened(one), reason, imported));
        for field in one.fields.iter().filter(|field| everything || field.remedy != Remedy::Leave) {
            text.push(field_lines(field, width));
        }
        text.push(shown!("  next  {}\n\n", next(one)));
    }
    if !everything {
        text.push(also_there(drift));
    }
    let counting = drift.iter().filter(|one| one.counts()).count();
    if counting > 0 {
        let verb = if counting == 1 { "differs" } else { "differ" };
        text.push(shown!("drift: {} {} from the recorded state\n", counted(counting, "resource"), verb));
    }
    text
}

/// What others keep beside ours, in one line for each resource.
fn also_there(drift: &[DriftedResource]) -> SafeText {
    let mut text = SafeText::default();
    for one in drift {
        let others = |field: &&DriftField| {
            matches!(field.sort, FieldOrigin::Extra | FieldOrigin::Tag) && field.remedy == Remedy::Leave
        };
        let extras = one.fields.iter().filter(others);
        let paths: Vec<Cow<'_, str>> = extras.map(|field| setting_path(&field.path)).collect();
        if !paths.is_empty() {
            text.push(shown!("also there, left alone: {}: {}\n", one.address, paths.join(", ")));
        }
    }
    text
}

fn happened(one: &DriftedResource) -> &'static str {
    match one.happened {
        DriftKind::Gone => "is gone",
        DriftKind::Contested => "is contested",
        DriftKind::Changed if lacks_its_mark(one) => "is not tagged by this tool yet",
        DriftKind::Changed if only_does_not_work(one) => "is not usable now",
        DriftKind::Changed if one.counts() => "was changed outside",
        DriftKind::Changed => "has settings that the plan does not set",
    }
}

/// Whether all that there is to do is to tag something imported: nobody changed it.
fn lacks_its_mark(one: &DriftedResource) -> bool {
    let is_new = |field: &DriftField| field.sort == FieldOrigin::Mark && field.recorded.is_none();
    one.counts() && one.fields.iter().filter(|field| field.remedy != Remedy::Leave).all(is_new)
}

/// Whether it is as it was made, and does not work.
fn only_does_not_work(one: &DriftedResource) -> bool {
    one.counts()
        && one
            .fields
            .iter()
            .filter(|field| field.remedy != Remedy::Leave)
            .all(|field| field.sort == FieldOrigin::Condition)
}

fn next(one: &DriftedResource) -> SafeText {
    let address = &one.address;
    let can_accept = one.fields.iter().any(|field| field.remedy == Remedy::Accept);
    let speaks = one.fields.iter().any(|field| field.remedy == Remedy::Deploy);
    match one.happened {
        DriftKind::Gone if one.wanted && one.origin == ResourceOrigin::Imported => {
            shown!(
                "deploy creates a new one, owned by this stack; status --drift --accept {} forgets it until then",
                address
            )
        }
        DriftKind::Gone if one.wanted => {
            shown!("deploy creates it again; status --drift --accept {} forgets it until then", address)
        }
        DriftKind::Gone => shown!("status --drift --accept {} forgets it; so does deploy", address),
        DriftKind::Contested => {
            shown!("find out who owns it; deploy is refused unless you add --adopt {}", address)
        }
        DriftKind::Changed if !one.counts() => "nothing to do: deploy leaves them alone".into(),
        DriftKind::Changed if one.refused.is_some() => "deploy cannot restore it: see the conflict below".into(),
        DriftKind::Changed if !one.wanted && one.origin == ResourceOrigin::Imported => {
            "deploy forgets it: it is no longer in the plan, and was not created by this stack".into()
        }
        DriftKind::Changed if !one.wanted => "deploy deletes it: it is no longer in the plan".into(),
        DriftKind::Changed if lacks_its_mark(one) => "deploy tags it".into(),
        DriftKind::Changed if only_does_not_work(one) => {
            "its settings did not change: find out why it does not work; deploy applies it again and waits until it \
             works"
                .into()
        }
        DriftKind::Changed if can_accept && speaks => {
            "deploy restores the plan's values; unmanaged settings stay and can be accepted afterwards".into()
        }
        DriftKind::Changed if can_accept => shown!("status --drift --accept {} records the real value", address),
        DriftKind::Changed => "deploy restores it; to keep the real value, change the plan".into(),
    }
}

fn field_lines(field: &DriftField, width: usize) -> SafeText {
    let sort = match field.sort {
        FieldOrigin::Setting => "",
        FieldOrigin::Condition => "  (whether it works)",
        FieldOrigin::Output => "  (an output)",
        FieldOrigin::Mark => "  (the ownership tag of this stack)",
        FieldOrigin::Tag => "  (a tag set by others)",
        FieldOrigin::Extra => "  (also there)",
    };
    let plan = match &field.plan {
        PlannedValue::Value(value) => Some(value),
        PlannedValue::Silent | PlannedValue::NoPlan => None,
    };
    let [plan, recorded, real] = [plan, field.recorded.as_ref(), field.real.as_ref()]
        .map(|value| value.map(|value| without_secrets(&field.path, value)));
    let (plan, recorded, real) = (plan.as_ref(), recorded.as_ref(), real.as_ref());
    let all = [plan, recorded, real];
    let mut text = shown!("  {}{}\n", setting_path(&field.path), sort);
    let silent = match field.plan {
        PlannedValue::NoPlan => "(no plan)",
        _ => "(silent)",
    };
    for (label, value, none) in
        [("plan", plan, silent), ("recorded", recorded, "(not set)"), ("real", real, "(not set)")]
    {
        let mut label = label;
        for line in value.map_or_else(|| vec![none.to_owned()], |value| lines(value, &all)) {
            let room = width.saturating_sub(INDENT).max(20);
            text.push(shown!("    {:<12}  {}\n", label, cut(&line, room)));
            label = "";
        }
    }
    text
}

/// A value with hashes for the contents of files, and without sensitive values.
fn without_secrets(path: &str, value: &Value) -> Value {
    let mut data = serde_json::json!({"path": path, "real": value});
    sensitive::hide(&mut data);
    data["real"].take()
}

/// A value in lines: of a list of things, those that not all three have; they say what is different.
fn lines(value: &Value, all: &[Option<&Value>]) -> Vec<String> {
    let Some(items) = value.as_array().filter(|items| items.iter().any(Value::is_object)) else {
        return vec![value.as_str().map_or_else(|| value.to_string(), str::to_owned)];
    };
    let everywhere =
        |item: &Value| all.iter().flatten().all(|value| value.as_array().is_some_and(|items| items.contains(item)));
    let mut lines: Vec<String> = items.iter().filter(|item| !everywhere(item)).map(pairs).collect();
    let alike = items.len() - lines.len();
    if lines.is_empty() {
        lines.push(format!("(only the {alike} common to all)"));
    } else if alike > 0 {
        lines.push(format!("(plus {alike} common to all)"));
    }
    lines
}

fn cut(text: &str, room: usize) -> String {
    let text = &*untrusted::line(text);
    if text.chars().count() <= room {
        return text.to_owned();
    }
    text.chars().take(room - 1).chain(['…']).collect()
}

/// What is tagged as the stack's and is not in the journal.
pub fn unmanaged_text(owned: &[OwnedResource]) -> SafeText {
    let mut text = SafeText::default();
    for one in owned {
        let title = one.kind.facts().title;
        let address = one.address.as_ref().map_or_else(|| "ADDRESS".into(), ToSafeText::to_shown);
        text.push(shown!("not in the journal: {} {} is tagged as this stack's\n", title, one.id));
        text.push(shown!(
            "  next  akidb-edge state import {}={} --plan PLAN, or delete it manually\n",
            address,
            one.id
        ));
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::resource::{Address, Kind};

    #[test]
    fn three_columns_fit_the_terminal() {
        let set = |name: &str, value: &str| json!({"name": name, "type": "A", "ttl": 60, "values": [value]});
        let field = DriftField {
            path: "sets".into(),
            sort: FieldOrigin::Setting,
            plan: PlannedValue::Value(json!([set("a.example.com", "1.1.1.1"), set("b.example.com", "1.1.1.2")])),
            recorded: Some(json!([set("a.example.com", "1.1.1.1"), set("b.example.com", "1.1.1.2")])),
            real: Some(json!([set("a.example.com", "1.1.1.1"), set("b.example.com", &"9".repeat(120))])),
            remedy: Remedy::Deploy,
        };
        let text = field_lines(&field, 100);
        assert!(text.lines().all(|line| line.chars().count() <= 100), "{text:?}");
        assert_eq!(text.matches("b.example.com").count(), 3, "{text:?}");
        assert_eq!(text.matches("(plus 1 common to all)").count(), 3, "{text:?}");
        assert!(!text.contains("a.example.com"), "{text:?}");
    }

    #[test]
    fn silence_is_said() {
        let field = DriftField {
            path: "dns_name".into(),
            sort: FieldOrigin::Output,
            plan: PlannedValue::Silent,
            recorded: Some(json!("old")),
            real: Some(json!("new")),
            remedy: Remedy::Accept,
        };
        let one = DriftedResource {
            address: Address::new("cdn", Kind::Distribution, "main"),
            kind: Kind::Distribution,
            id: None,
            happened: DriftKind::Changed,
            reason: None,
            wanted: true,
            origin: ResourceOrigin::Made,
            refused: None,
            fields: vec![field],
        };
        insta::assert_snapshot!(drift_text(&[one], false, false, 100).to_string(), @"
        cdn.distribution.main  was changed outside
          dns_name  (an output)
            plan          (silent)
            recorded      old
            real          new
          next  status --drift --accept cdn.distribution.main records the real value

        drift: 1 resource differs from the recorded state
        ");
    }

    #[test]
    fn what_does_not_work_was_not_changed_outside() {
        let field = |path: &str, sort: FieldOrigin| DriftField {
            path: path.into(),
            sort,
            plan: PlannedValue::Value(json!("rolled-out")),
            recorded: Some(json!("rolled-out")),
            real: Some(json!("1 of 2 available")),
            remedy: Remedy::Deploy,
        };
        let with = |fields: Vec<DriftField>| {
            let one = DriftedResource {
                address: Address::new("kubernetes", Kind::Manifest, "web"),
                kind: Kind::Manifest,
                id: None,
                happened: DriftKind::Changed,
                reason: None,
                wanted: true,
                origin: ResourceOrigin::Made,
                fields,
                refused: None,
            };
            drift_text(&[one], false, false, 100).to_string()
        };
        let text = with(vec![field("ready", FieldOrigin::Condition)]);
        assert!(
            text.starts_with("kubernetes.manifest.web  is not usable now\n  ready  (whether it works)\n"),
            "{text}"
        );
        assert!(text.contains("1 of 2 available") && !text.contains("outside"), "{text}");
        let both = with(vec![field("object.data.a", FieldOrigin::Setting), field("ready", FieldOrigin::Condition)]);
        assert!(both.starts_with("kubernetes.manifest.web  was changed outside\n"), "{both}");
    }

    #[test]
    fn what_was_imported_and_never_tagged_was_not_changed_outside() {
        let field = DriftField {
            path: "tags.akidb:stack".into(),
            sort: FieldOrigin::Mark,
            plan: PlannedValue::Silent,
            recorded: None,
            real: Some(json!("not tagged by this tool")),
            remedy: Remedy::Deploy,
        };
        let one = DriftedResource {
            address: Address::new("queues", Kind::Queue, "a"),
            kind: Kind::Queue,
            id: None,
            happened: DriftKind::Changed,
            reason: None,
            wanted: true,
            origin: ResourceOrigin::Imported,
            refused: None,
            fields: vec![field],
        };
        let text = drift_text(&[one], false, false, 100);
        assert!(text.starts_with("queues.queue.a  is not tagged by this tool yet  [imported"), "{text:?}");
        assert!(text.contains("  next  deploy tags it\n") && !text.contains("outside"), "{text:?}");
    }

    #[test]
    fn tags_of_others_are_listed_with_what_else_is_left_alone() {
        let field = |path: &str, sort: FieldOrigin| DriftField {
            path: path.into(),
            sort,
            plan: PlannedValue::Silent,
            recorded: None,
            real: Some(json!("x")),
            remedy: Remedy::Leave,
        };
        let one = DriftedResource {
            address: Address::new("queues", Kind::Queue, "jobs"),
            kind: Kind::Queue,
            id: None,
            happened: DriftKind::Changed,
            reason: None,
            wanted: true,
            origin: ResourceOrigin::Made,
            refused: None,
            fields: vec![field("tags.other", FieldOrigin::Tag), field("policy.Statement.them", FieldOrigin::Extra)],
        };
        let text = drift_text(&[one], false, false, 100).to_string();
        assert_eq!(text, "also there, left alone: queues.queue.jobs: tags.other, policy.Statement.them\n");
    }
}
