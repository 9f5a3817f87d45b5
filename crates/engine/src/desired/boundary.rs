//! What a role that the tool makes can never have, whatever is written into its policies: permissions boundaries. Two are managed
//! policies of AWS, which every account has and nobody in it can change; one of the account's own can be named in the plan.

use crate::resource::ACCOUNT;

/// For functions, which write their logs.
pub const LOGS: &str = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole";
/// For replication.
pub const OBJECTS: &str = "arn:aws:iam::aws:policy/AmazonS3FullAccess";

/// A managed policy of the account.
pub fn own(name: &str) -> String {
    format!("arn:aws:iam::{ACCOUNT}:policy/{name}")
}

/// Whether this can be the name of a managed policy.
pub fn is_name(text: &str) -> bool {
    (1..=128).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"+=,.@_-".contains(&b))
}
