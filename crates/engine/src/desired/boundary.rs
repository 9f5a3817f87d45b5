//! What a role that the tool makes can never have, whatever is written into its policies: permissions boundaries. They are managed
//! policies of AWS, which every account has and nobody in it can change.

/// For functions, which write their logs.
pub const LOGS: &str = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole";
/// For replication.
pub const OBJECTS: &str = "arn:aws:iam::aws:policy/AmazonS3FullAccess";
/// For replication with keys: AWS has no policy for objects and keys alone; this one holds nothing of IAM.
pub const KEYS: &str = "arn:aws:iam::aws:policy/PowerUserAccess";
