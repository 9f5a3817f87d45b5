//! What the calls for record sets need.

use crate::permissions::{Grant, context};

/// What its calls need.
pub const GRANTS: &[Grant] = &[
    Grant { sid: "Records", on: context::zone_of_records, actions: &["route53:ListResourceRecordSets"] },
    Grant { sid: "Changes", on: |_| vec!["arn:aws:route53:::change/*".to_owned()], actions: &["route53:GetChange"] },
];
