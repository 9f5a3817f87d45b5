//! A policy in parts that IAM takes: a managed policy has at most 6,144 characters, white space not counted.

use serde_json::{Value, json};

/// The most characters of a managed policy (IAM User Guide, "IAM and AWS STS quotas").
pub const MOST: usize = 6_144;
/// What stands around the statements.
const AROUND: usize = r#"{"Version":"2012-10-17","Statement":[]}"#.len();

/// Characters as IAM counts them. No name in a policy has white space in it.
pub fn size(policy: &Value) -> usize {
    policy.to_string().chars().filter(|letter| !letter.is_whitespace()).count()
}

/// The policy in as many parts as it needs; together they say the same.
pub fn parts(policy: &Value) -> Vec<Value> {
    let statements = policy.get("Statement").and_then(Value::as_array).into_iter().flatten();
    let mut parts: Vec<(usize, Vec<Value>)> = Vec::new();
    for statement in statements.flat_map(pieces) {
        // The comma before it.
        let more = size(&statement) + 1;
        match parts.last_mut() {
            Some((held, all)) if *held + more <= MOST => {
                *held += more;
                all.push(statement);
            }
            _ => parts.push((AROUND + more, vec![statement])),
        }
    }
    parts.into_iter().map(|(_, all)| json!({"Version": "2012-10-17", "Statement": all})).collect()
}

/// A statement that is too long by itself, in several with a part of its resources each.
fn pieces(statement: &Value) -> Vec<Value> {
    let resources = statement.get("Resource").and_then(Value::as_array);
    let Some(resources) = resources.filter(|all| all.len() > 1 && AROUND + size(statement) + 1 > MOST) else {
        return vec![statement.clone()];
    };
    let (first, second) = resources.split_at(resources.len() / 2);
    let mut all = Vec::new();
    for (suffix, half) in [("A", first), ("B", second)] {
        let mut piece = statement.clone();
        piece["Resource"] = half.into();
        if let Some(sid) = statement["Sid"].as_str() {
            piece["Sid"] = format!("{sid}{suffix}").into();
        }
        all.extend(pieces(&piece));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_small_and_say_the_same() {
        let statement = |sid: &str, resources: usize| {
            let on: Vec<String> =
                (0..resources).map(|at| format!("arn:aws:s3:::a-bucket-with-a-long-name-{at:04}/*")).collect();
            json!({"Sid": sid, "Effect": "Allow", "Action": ["s3:PutObject"], "Resource": on})
        };
        let statements = [statement("One", 60), statement("Two", 60), statement("Many", 500)];
        let whole = json!({"Version": "2012-10-17", "Statement": statements});
        let parts = parts(&whole);
        assert!(
            parts.len() >= 5 && parts.iter().all(|part| size(part) <= MOST),
            "{:?}",
            parts.iter().map(size).collect::<Vec<_>>()
        );
        let resources = |policy: &Value| -> Vec<Value> {
            let all = policy["Statement"].as_array().unwrap().iter();
            all.flat_map(|one| one["Resource"].as_array().unwrap().clone()).collect()
        };
        assert_eq!(parts.iter().flat_map(resources).collect::<Vec<_>>(), resources(&whole));
        let sids: std::collections::BTreeSet<String> = parts
            .iter()
            .flat_map(|part| part["Statement"].as_array().unwrap().clone())
            .map(|one| one["Sid"].to_string())
            .collect();
        let statements: usize = parts.iter().map(|part| part["Statement"].as_array().unwrap().len()).sum();
        assert_eq!(sids.len(), statements, "no two statements have the same name");
        let small = json!({"Version": "2012-10-17", "Statement": [statement("One", 1)]});
        assert_eq!(super::parts(&small), [small]);
    }
}
