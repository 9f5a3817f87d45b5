//! The policy of a queue: our statements are told from those of others by their `Sid`, else by what they say.

use serde_json::{Value, json};

use super::super::statements::{is_among, is_same, merged, spell, statements};
use crate::resource::UnmanagedField;

/// What the plan says, and what an earlier run said.
#[derive(Clone, Copy)]
pub struct StatedPolicy<'a> {
    pub now: Option<&'a Value>,
    pub before: Option<&'a Value>,
}

impl StatedPolicy<'_> {
    /// The statements of both.
    fn known(self) -> Vec<Value> {
        [self.now, self.before].into_iter().flatten().flat_map(statements).collect()
    }
}

/// Our part of the held policy, in the order and the words of the plan; none where nothing of it is ours and the plan says
/// nothing. The statements of others are extras.
pub fn seen(held: Option<&str>, stated: StatedPolicy<'_>, extras: &mut Vec<UnmanagedField>) -> Option<Value> {
    let text = held.filter(|text| !text.is_empty())?;
    // A policy that is not JSON stays text, so that it differs from the plan.
    let Ok(mut policy) = serde_json::from_str::<Value>(text) else { return stated.now.map(|_| text.into()) };
    let known = stated.known();
    let (mut ours, others): (Vec<Value>, Vec<Value>) =
        statements(&policy).into_iter().partition(|one| is_among(&known, one));
    extras.extend(others.into_iter().enumerate().map(|(at, value)| {
        let name = value.get("Sid").and_then(Value::as_str).map_or_else(|| at.to_string(), str::to_owned);
        UnmanagedField { path: format!("policy.Statement.{name}"), value, theirs: true }
    }));
    if ours.is_empty() && stated.now.is_none() {
        return None;
    }
    ours.sort_by_key(|one| known.iter().position(|known| is_same(known, one)));
    let wanted = stated.now.map(statements).unwrap_or_default();
    spell(&mut ours, &wanted);
    if let Some(fields) = policy.as_object_mut() {
        // Whoever adds a statement first gives the whole its id.
        fields.remove("Id");
        if let Some(own) = stated.now.and_then(|now| now.get("Id")) {
            fields.insert("Id".to_owned(), own.clone());
        }
        let one = stated.now.and_then(|now| now.get("Statement")).is_some_and(Value::is_object) && ours.len() == 1;
        fields.insert("Statement".to_owned(), if one { ours.remove(0) } else { json!(ours) });
    }
    Some(policy)
}

/// The document to write, with the statements of others; empty when nothing is left, which takes the policy away.
pub fn written(held: Option<&str>, stated: StatedPolicy<'_>) -> String {
    let held: Option<Value> = held.and_then(|text| serde_json::from_str(text).ok());
    let wanted = stated.now.map(statements).unwrap_or_default();
    let all = merged(&wanted, &stated.known(), held.as_ref());
    if all.is_empty() {
        return String::new();
    }
    let mut policy = stated.now.cloned().or(held).unwrap_or_default();
    if let Some(fields) = policy.as_object_mut() {
        fields.insert("Statement".to_owned(), all.into());
    }
    policy.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn statement(sid: &str, action: &str) -> Value {
        json!({"Sid": sid, "Effect": "Allow", "Principal": {"AWS": "123456789012"}, "Action": action, "Resource": "*"})
    }

    fn document(statements: &[Value]) -> Value {
        json!({"Version": "2012-10-17", "Statement": statements})
    }

    #[test]
    fn statements_of_others_stay_beside_ours() {
        let ours = document(&[statement("Ours", "sqs:SendMessage")]);
        let held = document(&[statement("Theirs", "sqs:*"), statement("Ours", "sqs:ReceiveMessage")]).to_string();
        let stated = StatedPolicy { now: Some(&ours), before: None };
        let mut extras = Vec::new();
        let seen = seen(Some(&held), stated, &mut extras).expect("ours");
        assert_eq!(seen, document(&[statement("Ours", "sqs:ReceiveMessage")]));
        let told: Vec<(&str, bool)> = extras.iter().map(|extra| (extra.path.as_str(), extra.theirs)).collect();
        assert_eq!(told, [("policy.Statement.Theirs", true)]);
        let whole: Value = serde_json::from_str(&written(Some(&held), stated)).expect("JSON");
        assert_eq!(whole, document(&[statement("Theirs", "sqs:*"), statement("Ours", "sqs:SendMessage")]));
    }

    #[test]
    fn what_the_plan_gave_up_goes_and_the_rest_stays() {
        let before = document(&[statement("Ours", "sqs:SendMessage")]);
        let stated = StatedPolicy { now: None, before: Some(&before) };
        let alone = before.to_string();
        assert!(seen(Some(&alone), stated, &mut Vec::new()).is_some());
        assert_eq!(written(Some(&alone), stated), "");
        let both = document(&[statement("Theirs", "sqs:*"), statement("Ours", "sqs:SendMessage")]).to_string();
        let left: Value = serde_json::from_str(&written(Some(&both), stated)).expect("JSON");
        assert_eq!(left, document(&[statement("Theirs", "sqs:*")]));
        // Once it is gone, there is nothing to take back.
        assert_eq!(seen(Some(&left.to_string()), stated, &mut Vec::new()), None);
    }

    #[test]
    fn the_words_of_the_service_are_no_difference() {
        let ours = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": "123456789012"},
            "Action": ["sqs:SendMessage"], "Resource": "*"}]});
        let held = json!({"Version": "2012-10-17", "Id": "__default_policy_ID", "Statement": [{"Effect": "Allow",
            "Principal": {"AWS": "arn:aws:iam::123456789012:root"}, "Action": "sqs:SendMessage", "Resource": "*"}]});
        let stated = StatedPolicy { now: Some(&ours), before: Some(&ours) };
        let mut extras = Vec::new();
        assert_eq!(seen(Some(&held.to_string()), stated, &mut extras), Some(ours.clone()));
        assert_eq!(extras, []);
    }
}
