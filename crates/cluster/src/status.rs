//! What an API server answers when it does not do what was asked: from its `Status` to a [`Fault`], by reason, code and
//! causes, never by its English text. Reasons: `metav1.StatusReason` of apimachinery.

use kube::core::Status;

use crate::resource::{Fault, FaultClass};

/// The service that faults name.
pub(crate) const SERVICE: &str = "kubernetes";
/// Cause of a field that another manager holds.
const FIELD_MANAGER: &str = "FieldManagerConflict";

/// Fields that another field manager holds with other values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FieldConflict {
    /// The manager, as the API server writes it: its name in quotes, with its subresource if any.
    pub manager: String,
    /// Its name alone.
    pub name: String,
    /// The fields, such as `.spec.replicas`.
    pub fields: Vec<String>,
}

/// Whether a status has a cause of this reason.
pub(crate) fn has_cause(status: &Status, reason: &str) -> bool {
    status.details.iter().flat_map(|details| &details.causes).any(|cause| cause.reason == reason)
}

/// The fields that its causes name.
pub(crate) fn fields(status: &Status) -> impl Iterator<Item = &str> {
    status.details.iter().flat_map(|details| &details.causes).map(|cause| cause.field.as_str())
}

/// The conflicts of a server-side apply, by manager. The reason and the fields of a cause are typed; the manager's name
/// stands only in its message: `conflict with "NAME" with subresource "scale" using apps/v1`.
pub(crate) fn conflicts(status: &Status) -> Vec<FieldConflict> {
    let mut all: Vec<FieldConflict> = Vec::new();
    let causes = status.details.iter().flat_map(|details| &details.causes);
    for cause in causes.filter(|cause| cause.reason == FIELD_MANAGER) {
        let words = cause.message.strip_prefix("conflict with ").unwrap_or(&cause.message);
        let manager = words.split(" using ").next().unwrap_or(words).to_owned();
        let name = manager.split('"').nth(1).unwrap_or(&manager).to_owned();
        match all.iter_mut().find(|known| known.manager == manager) {
            Some(known) => known.fields.push(cause.field.clone()),
            None => all.push(FieldConflict { manager, name, fields: vec![cause.field.clone()] }),
        }
    }
    all
}

/// The fault that a status stands for; `about` says what was asked for.
pub(crate) fn fault(operation: &str, about: &str, status: &Status) -> Fault {
    let conflicts = conflicts(status);
    if !conflicts.is_empty() {
        return conflict(operation, about, &conflicts);
    }
    let (class, code, next) = judged(status);
    let code = code.to_owned();
    let words = if about.is_empty() { told(status) } else { format!("{about}: {}", told(status)) };
    Fault::new(class, SERVICE, operation, code, words).next(next)
}

/// The fault of fields that others hold.
pub(crate) fn conflict(operation: &str, about: &str, conflicts: &[FieldConflict]) -> Fault {
    let all: Vec<String> =
        conflicts.iter().map(|one| format!("conflict with {}: {}", one.manager, one.fields.join(", "))).collect();
    Fault::new(FaultClass::Refused, SERVICE, operation, "Conflict", format!("{about}: {}", all.join("; "))).next(
        "another field manager set these fields: set the plan's values there (equal values do not conflict), or leave the \
         fields out of the plan; to take them over, add force_conflicts: [KIND/NAME] to the step",
    )
}

/// Class, code and next step of a status.
fn judged(status: &Status) -> (FaultClass, &str, &'static str) {
    const AGAIN: &str = "run the same command again; the API server's log has details";
    const CORRECT: &str = "correct what is named above in the plan, then run the same command again";
    let missing_namespace = status.details.as_ref().is_some_and(|details| details.kind == "namespaces");
    match (status.reason.as_str(), status.code) {
        _ if has_cause(status, "NamespaceTerminating") => (
            FaultClass::Retry,
            "NamespaceTerminating",
            "the namespace is being deleted: wait until it is gone, then run the same command again",
        ),
        ("Unauthorized", _) | ("", 401) => {
            (FaultClass::Credentials, "Unauthorized", "log in to the cluster again: kubectl get namespaces must work")
        }
        ("Forbidden", _) | ("", 403) => (
            FaultClass::Denied,
            "Forbidden",
            "it is refused by RBAC (kubectl auth can-i), by a quota, or by an admission policy of the namespace: ask \
             the cluster's administrator",
        ),
        ("NotFound", _) if missing_namespace => {
            (FaultClass::Missing, "NamespaceNotFound", "add a Namespace object to the plan, or create the namespace")
        }
        ("NotFound", _) | ("", 404) => (FaultClass::Missing, "NotFound", "run the same command again"),
        ("AlreadyExists", _) => (FaultClass::Exists, "AlreadyExists", "run the same command again"),
        ("Conflict", _) | ("", 409) => (FaultClass::Stale, "ChangedMeanwhile", "run the same command again"),
        ("Invalid", _) | ("", 422) => (FaultClass::Refused, "Invalid", CORRECT),
        ("TooManyRequests", _) | ("", 429) if has_cause(status, "DisruptionBudget") => (
            FaultClass::Retry,
            "DisruptionBudget",
            "a PodDisruptionBudget blocks the eviction: lower its minimum or add replicas, then run the same command \
             again",
        ),
        ("TooManyRequests" | "ServerTimeout" | "Timeout" | "ServiceUnavailable" | "Expired" | "Gone", _)
        | (_, 429 | 502..=504) => (FaultClass::Retry, reason(status), AGAIN),
        ("InternalError" | "Unknown" | "", 500..) => (FaultClass::Retry, reason(status), AGAIN),
        _ => (FaultClass::Refused, reason(status), CORRECT),
    }
}

fn reason(status: &Status) -> &str {
    match status.reason.as_str() {
        "" => "Failure",
        reason => reason,
    }
}

/// What it says: its causes with their fields, else its message.
fn told(status: &Status) -> String {
    const LONGEST: usize = 1500;
    let causes = status.details.iter().flat_map(|details| &details.causes).filter(|cause| !cause.field.is_empty());
    let causes: Vec<String> = causes.map(|cause| format!("{}: {}", cause.field, cause.message)).collect();
    let words = match (causes.is_empty(), status.message.is_empty()) {
        (false, _) => causes.join("; "),
        (true, false) => status.message.clone(),
        (true, true) => format!("HTTP status {} without a reason", status.code),
    };
    words.chars().take(LONGEST).collect()
}

#[cfg(test)]
#[path = "status_tests.rs"]
mod tests;
