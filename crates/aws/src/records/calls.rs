//! What the calls for record sets need.

use crate::permissions::Grant;

/// What its calls need.
pub const GRANTS: &[Grant] = &[
    Grant {
        sid: "Records",
        on: |_| vec!["arn:aws:route53:::hostedzone/*".to_owned()],
        actions: &["route53:ListResourceRecordSets"],
    },
    Grant { sid: "Changes", on: |_| vec!["arn:aws:route53:::change/*".to_owned()], actions: &["route53:GetChange"] },
];
