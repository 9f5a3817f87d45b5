//! Reading policy documents: statements, principals, actions; and ARNs with unfilled placeholders.

use serde_json::Value;

/// The statements of a document, one or many.
pub(super) fn statements(document: &Value) -> Vec<&Value> {
    match document.get("Statement") {
        Some(Value::Array(items)) => items.iter().collect(),
        Some(one) => vec![one],
        None => Vec::new(),
    }
}

/// The texts of a field that may be one text or a list.
pub(super) fn texts<'v>(value: &'v Value, field: &str) -> Vec<&'v str> {
    match value.get(field) {
        Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).collect(),
        Some(Value::String(one)) => vec![one],
        _ => Vec::new(),
    }
}

fn allowing(document: &Value) -> impl Iterator<Item = &Value> {
    statements(document)
        .into_iter()
        .filter(|statement| statement.get("Effect").and_then(Value::as_str) == Some("Allow"))
}

/// Whether a statement allows everyone something, without a condition.
pub(super) fn allows_everybody(statement: &Value) -> bool {
    let allow = statement.get("Effect").and_then(Value::as_str) == Some("Allow");
    let open = match statement.get("Principal") {
        Some(Value::String(who)) => who == "*",
        Some(who) => texts(who, "AWS").contains(&"*"),
        None => false,
    };
    allow && open && statement.get("Condition").is_none()
}

/// The services that a statement allows something for any account, because no condition names the source.
pub(super) fn services_of_any_account(statement: &Value) -> Vec<&str> {
    const SOURCES: [&str; 4] = ["aws:sourcearn", "aws:sourceaccount", "aws:sourceorgid", "aws:sourceorgpaths"];
    let allow = statement.get("Effect").and_then(Value::as_str) == Some("Allow");
    let condition = statement.get("Condition").map(|condition| condition.to_string().to_ascii_lowercase());
    let bound = condition.is_some_and(|text| SOURCES.iter().any(|source| text.contains(source)));
    let services = statement.get("Principal").map(|who| texts(who, "Service")).unwrap_or_default();
    if allow && !bound { services } else { Vec::new() }
}

/// Whether the trust document lets this service take the role on.
pub(super) fn trusts(document: &Value, service: &str) -> bool {
    allowing(document).any(|statement| {
        let named = statement.get("Principal").is_some_and(|who| texts(who, "Service").contains(&service));
        named && texts(statement, "Action").iter().any(|action| matches_action(action, "sts:AssumeRole"))
    })
}

/// Whether the document allows this action on anything.
pub(super) fn allows(document: &Value, action: &str) -> bool {
    allowing(document).any(|statement| texts(statement, "Action").iter().any(|pattern| matches_action(pattern, action)))
}

fn matches_action(pattern: &str, action: &str) -> bool {
    let (pattern, action) = (pattern.to_ascii_lowercase(), action.to_ascii_lowercase());
    match pattern.split_once('*') {
        None => pattern == action,
        Some((head, tail)) => {
            action.len() >= head.len() + tail.len() && action.starts_with(head) && action.ends_with(tail)
        }
    }
}

/// A word that somebody was to fill in, when one is in the text.
pub(super) fn placeholder(text: &str) -> Option<&'static str> {
    const WORDS: [&str; 9] =
        ["ACCOUNT_ID", "ACCOUNT-ID", "OIDC_ID", "YOUR_", "YOUR-", "<ACCOUNT", "REPLACE_ME", "CHANGEME", "CHANGE_ME"];
    let upper = text.to_ascii_uppercase();
    WORDS.into_iter().find(|word| upper.contains(word))
}

/// What is wrong with an ARN of a role, if anything.
pub(super) fn bad_role_arn(arn: &str) -> Option<String> {
    if let Some(word) = placeholder(arn) {
        return Some(format!("`{arn}` still holds the placeholder {word}"));
    }
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let open = super::scope::is_open(arn);
    let good = matches!(parts[..], ["arn", _, "iam", "", account, role]
        if account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit()) && role.starts_with("role/"));
    (!open && !good).then(|| format!("`{arn}` is not the ARN of a role"))
}

/// Visits every text in a document.
pub(super) fn walk(value: &Value, path: &str, visit: &mut dyn FnMut(&str, &str)) {
    let join = |part: &str| if path.is_empty() { part.to_owned() } else { format!("{path}.{part}") };
    match value {
        Value::String(text) => visit(path, text),
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(at, item)| walk(item, &join(&at.to_string()), visit));
        }
        Value::Object(fields) => fields.iter().for_each(|(key, field)| walk(field, &join(key), visit)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn documents_are_read_in_both_forms() {
        let one = json!({"Statement": {"Effect": "Allow", "Action": "s3:Get*", "Principal": {"Service": "a"}}});
        assert!(allows(&one, "s3:GetObject") && !allows(&one, "s3:PutObject") && !trusts(&one, "a"));
        let deny = json!({"Statement": [{"Effect": "Deny", "Action": ["*"]}]});
        assert!(!allows(&deny, "s3:GetObject"));
    }

    #[test]
    fn role_arns() {
        assert_eq!(bad_role_arn("arn:aws:iam::123456789012:role/x"), None);
        assert_eq!(bad_role_arn("${a.role.b#arn}"), None);
        assert_eq!(bad_role_arn("arn:aws:iam::${#account}:role/x"), None);
        for bad in ["arn:aws:iam::ACCOUNT_ID:role/x", "arn:aws:iam::12:role/x", "x", "arn:aws:iam::123456789012:user/x"]
        {
            assert!(bad_role_arn(bad).is_some(), "{bad}");
        }
    }
}
