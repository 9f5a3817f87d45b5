//! What the tool must be allowed to do for a kind, as data: each provider says it of its own calls. What is held to more than
//! names is in `conditions`.

use super::context::PolicyContext;

/// What the calls for one kind need: actions, and on which resources.
pub struct Grant {
    /// The id of its statement. Grants of several kinds with one id have the same actions and become one statement.
    pub sid: &'static str,
    /// The actions, in order.
    pub actions: &'static [&'static str],
    /// ARNs, as far as they are known before the run; no statement when there are none.
    pub on: fn(&PolicyContext<'_>) -> Vec<String>,
}

/// Statement of what only shows what there is; AWS knows no resource for these actions.
pub const LOOK: &str = "Look";
/// Statement of what makes something whose ID is not known before; AWS knows neither resources nor tags for these actions.
pub const MAKE: &str = "Make";

/// What gives a role something, or says who may take it on. AWS knows the role's boundary in each of these calls.
pub const GIVE_ROLES: &[&str] =
    &["iam:CreateRole", "iam:PutRolePermissionsBoundary", "iam:PutRolePolicy", "iam:UpdateAssumeRolePolicy"];
/// What is done with managed policies.
pub const ATTACH_POLICIES: &[&str] = &["iam:AttachRolePolicy", "iam:DetachRolePolicy"];
/// What is done with a distribution that carries the stack's tag.
pub const OWN_DISTRIBUTIONS: &[&str] =
    &["cloudfront:DeleteDistribution", "cloudfront:TagResource", "cloudfront:UpdateDistribution"];
/// What makes a distribution, on no resource that AWS knows.
pub const MAKE_DISTRIBUTIONS: &[&str] = &["cloudfront:CreateDistribution"];
/// What gives a distribution its tags, a new one, too.
pub const TAG_DISTRIBUTIONS: &[&str] = &["cloudfront:TagResource"];
/// What is done with a certificate that carries the stack's tag.
pub const OWN_CERTIFICATES: &[&str] =
    &["acm:AddTagsToCertificate", "acm:DeleteCertificate", "acm:RemoveTagsFromCertificate"];
/// What asks for a certificate, on no resource that AWS knows.
pub const REQUEST_CERTIFICATES: &[&str] = &["acm:RequestCertificate"];
/// What gives a certificate its tags, a new one, too.
pub const TAG_CERTIFICATES: &[&str] = &["acm:AddTagsToCertificate"];
/// What changes record sets.
pub const CHANGE_RECORDS: &[&str] = &["route53:ChangeResourceRecordSets"];
