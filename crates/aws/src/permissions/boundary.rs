//! The permissions boundaries that a plan names in the account: what an administrator has to put into them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::resource::role::RoleSpec;
use crate::resource::{ACCOUNT, Desired, Kind};

/// The document of each of them by name: what the roles within it do, and no more.
pub fn boundaries(desired: &Desired, account: &str) -> BTreeMap<String, Value> {
    let roles = desired.resources.values().filter(|resource| resource.kind == Kind::Role);
    let roles = roles.filter_map(|role| serde_json::from_value::<RoleSpec>(role.spec.clone()).ok());
    let mut by_name: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let own = format!("arn:aws:iam::{ACCOUNT}:policy/");
    for role in roles {
        let Some(name) = role.boundary.as_ref().and_then(|arn| arn.strip_prefix(&own)) else { continue };
        let texts = role.inline.values().flat_map(statements).map(|one| one.to_string().replace(ACCOUNT, account));
        by_name.entry(name.to_owned()).or_default().extend(texts);
    }
    by_name.into_iter().map(|(name, statements)| (name, document(&statements))).collect()
}

/// The statements of a policy without their names: those of two roles may be alike.
fn statements(policy: &Value) -> Vec<Value> {
    let all = policy.get("Statement").and_then(Value::as_array).into_iter().flatten();
    let unnamed = all.map(|statement| {
        let mut statement = statement.clone();
        if let Some(fields) = statement.as_object_mut() {
            fields.remove("Sid");
        }
        statement
    });
    unnamed.collect()
}

fn document(statements: &BTreeSet<String>) -> Value {
    let statements: Vec<Value> = statements.iter().filter_map(|text| serde_json::from_str(text).ok()).collect();
    json!({"Version": "2012-10-17", "Statement": statements})
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::{Address, Resource};

    #[test]
    fn a_boundary_holds_what_its_roles_do_and_no_more() {
        let mut desired = Desired::new("prod");
        let own = format!("arn:aws:iam::{ACCOUNT}:policy/mine");
        let policy = |bucket: &str| {
            json!({"Statement": [{"Sid": "Read", "Effect": "Allow", "Action": "s3:GetObject", "Resource": bucket},
                                 {"Sid": "Key", "Effect": "Allow", "Action": "kms:Decrypt",
                                  "Resource": format!("arn:aws:kms:r:{ACCOUNT}:key/*")}]})
        };
        for (name, boundary, bucket) in
            [("a", own.as_str(), "one"), ("b", own.as_str(), "two"), ("c", "arn:other", "three")]
        {
            let spec = json!({"name": name, "description": "", "trust": {}, "boundary": boundary,
                              "inline": {"p": policy(bucket)}});
            desired.add(Resource::new(Address::new("x", Kind::Role, name), Kind::Role, &spec));
        }
        let all = boundaries(&desired, "1");
        assert_eq!(all.keys().collect::<Vec<_>>(), ["mine"]);
        let wanted = json!([
            {"Effect": "Allow", "Action": "kms:Decrypt", "Resource": "arn:aws:kms:r:1:key/*"},
            {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "one"},
            {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "two"},
        ]);
        assert_eq!(all["mine"]["Statement"], wanted);
    }
}
