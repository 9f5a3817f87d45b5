//! Statements of policy documents: which are the same, and how ours stand among those of others.

use serde_json::{Value, json};

/// The statements of a document; a single one may stand without a list.
pub fn statements(policy: &Value) -> Vec<Value> {
    match policy.get("Statement") {
        Some(Value::Array(all)) => all.clone(),
        Some(one) => vec![one.clone()],
        None => Vec::new(),
    }
}

/// A statement is told by its `Sid`; one that has none, by what it says.
pub fn is_same(known: &Value, held: &Value) -> bool {
    match known.get("Sid") {
        Some(sid) => held.get("Sid") == Some(sid),
        None => meaning(known) == meaning(held),
    }
}

/// Whether a statement is one of these.
pub fn is_among(known: &[Value], held: &Value) -> bool {
    known.iter().any(|known| is_same(known, held))
}

/// Puts statements into the words of the plan where they mean the same.
pub fn spell(held: &mut [Value], wanted: &[Value]) {
    for one in held {
        if let Some(same) = wanted.iter().find(|wanted| meaning(wanted) == meaning(one)) {
            one.clone_from(same);
        }
    }
}

/// What a statement says, however AWS writes it: a list of one is the one, an account is its root, and anybody is any account.
fn meaning(value: &Value) -> Value {
    match value {
        Value::Array(all) => match all.as_slice() {
            [one] => meaning(one),
            all => all.iter().map(meaning).collect(),
        },
        Value::Object(fields) => fields.iter().map(|(key, held)| (key.clone(), member(key, held))).collect(),
        other => other.clone(),
    }
}

fn member(key: &str, held: &Value) -> Value {
    match (key, meaning(held)) {
        ("Principal", Value::String(anybody)) if anybody == "*" => json!({"AWS": "*"}),
        ("AWS", Value::String(account)) => Value::String(root(account)),
        ("AWS", Value::Array(accounts)) => {
            let named = |one: Value| match one {
                Value::String(account) => Value::String(root(account)),
                other => other,
            };
            accounts.into_iter().map(named).collect()
        }
        (_, other) => other,
    }
}

/// The ARN of an account's root, for its number.
fn root(account: String) -> String {
    let number = account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit());
    if number { format!("arn:aws:iam::{account}:root") } else { account }
}

/// Our statements where the first of them stands, those of others where they are.
pub fn merged(wanted: &[Value], known: &[Value], held: Option<&Value>) -> Vec<Value> {
    let mut ours = Some(wanted.to_vec());
    let mut all = Vec::new();
    for statement in held.map(statements).unwrap_or_default() {
        if is_among(known, &statement) {
            all.extend(ours.take().into_iter().flatten());
        } else {
            all.push(statement);
        }
    }
    all.extend(ours.into_iter().flatten());
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_is_the_same_however_it_is_written() {
        let ours = json!({"Effect": "Allow", "Principal": {"AWS": "123456789012"}, "Action": ["sqs:SendMessage"]});
        let theirs = json!({"Effect": "Allow", "Principal": {"AWS": ["arn:aws:iam::123456789012:root"]}, "Action": "sqs:SendMessage"});
        assert!(is_same(&ours, &theirs));
        let mut held = vec![theirs, json!({"Effect": "Deny", "Principal": {"AWS": "*"}})];
        spell(&mut held, &[json!({"Effect": "Deny", "Principal": "*"}), ours.clone()]);
        assert_eq!(held, [ours.clone(), json!({"Effect": "Deny", "Principal": "*"})]);
        let other = json!({"Effect": "Allow", "Principal": {"AWS": "123456789013"}, "Action": ["sqs:SendMessage"]});
        assert!(!is_same(&ours, &other));
        assert!(is_same(&json!({"Sid": "A", "Effect": "Deny"}), &json!({"Sid": "A", "Effect": "Allow"})));
    }

    #[test]
    fn ours_stand_where_the_first_of_them_stood() {
        let one = |sid: &str| json!({"Sid": sid});
        let held = json!({"Statement": [one("Theirs"), one("Old"), one("Last")]});
        let merged = merged(&[one("New")], &[one("New"), one("Old")], Some(&held));
        assert_eq!(merged, [one("Theirs"), one("New"), one("Last")]);
    }
}
