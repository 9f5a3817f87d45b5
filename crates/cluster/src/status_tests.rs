use serde_json::{Value, json};

use super::*;

fn status(value: Value) -> Status {
    serde_json::from_value(value).expect("a status")
}

fn class_of(reason: &str, code: u16) -> FaultClass {
    fault("apply", "x", &status(json!({"reason": reason, "code": code, "message": "words"}))).class
}

#[test]
fn the_reason_decides_and_not_the_text() {
    for (reason, code, class) in [
        ("Unauthorized", 401, FaultClass::Credentials),
        ("Forbidden", 403, FaultClass::Denied),
        ("NotFound", 404, FaultClass::Missing),
        ("AlreadyExists", 409, FaultClass::Exists),
        ("Conflict", 409, FaultClass::Stale),
        ("Invalid", 422, FaultClass::Refused),
        ("BadRequest", 400, FaultClass::Refused),
        ("TooManyRequests", 429, FaultClass::Retry),
        ("ServerTimeout", 500, FaultClass::Retry),
        ("InternalError", 500, FaultClass::Retry),
        ("ServiceUnavailable", 503, FaultClass::Retry),
        ("", 503, FaultClass::Retry),
        ("", 404, FaultClass::Missing),
        ("MethodNotAllowed", 405, FaultClass::Refused),
    ] {
        assert_eq!(class_of(reason, code), class, "{reason} {code}");
    }
}

#[test]
fn a_conflict_names_the_managers_and_their_fields() {
    let cause =
        |message: &str, field: &str| json!({"reason": "FieldManagerConflict", "message": message, "field": field});
    let said = status(json!({"reason": "Conflict", "code": 409, "message": "Apply failed with 3 conflicts",
        "details": {"causes": [
            cause("conflict with \"kubectl\" with subresource \"scale\" using apps/v1", ".spec.replicas"),
            cause("conflict with \"nimbus\" using apps/v1", ".spec.paused"),
            cause("conflict with \"nimbus\" using apps/v1", ".spec.minReadySeconds")]}}));
    let all = conflicts(&said);
    assert_eq!(all.iter().map(|one| one.name.as_str()).collect::<Vec<_>>(), ["kubectl", "nimbus"]);
    let fault = fault("apply", "a:Deployment/b/c", &said);
    assert_eq!((fault.class, fault.code.line().as_str()), (FaultClass::Refused, "Conflict"));
    let text = fault.message.text();
    let wanted = "a:Deployment/b/c: conflict with \"kubectl\" with subresource \"scale\": .spec.replicas; \
                  conflict with \"nimbus\": .spec.paused, .spec.minReadySeconds";
    assert_eq!(text, wanted);
}

#[test]
fn causes_tell_what_a_reason_does_not() {
    let with = |reason: &str, code: u16, cause: &str| {
        let details = json!({"kind": "pods", "causes": [{"reason": cause, "message": "m"}]});
        fault("x", "", &status(json!({"reason": reason, "code": code, "message": "words", "details": details})))
    };
    let held = with("TooManyRequests", 429, "DisruptionBudget");
    assert_eq!((held.class, held.code.line().as_str()), (FaultClass::Retry, "DisruptionBudget"));
    let going = with("Forbidden", 403, "NamespaceTerminating");
    assert_eq!((going.class, going.code.line().as_str()), (FaultClass::Retry, "NamespaceTerminating"));
    let missing = status(json!({"reason": "NotFound", "code": 404, "details": {"kind": "namespaces", "name": "x"}}));
    assert_eq!(fault("apply", "", &missing).code.line(), "NamespaceNotFound");
}

#[test]
fn an_invalid_object_is_told_by_its_fields() {
    let said = status(json!({"reason": "Invalid", "code": 422, "message": "Job \"x\" is invalid: a long text",
        "details": {"causes": [{"reason": "FieldValueInvalid", "message": "field is immutable", "field": "spec.template"}]}}));
    assert_eq!(fault("apply", "j", &said).message.text(), "j: spec.template: field is immutable");
    assert_eq!(fields(&said).collect::<Vec<_>>(), ["spec.template"]);
}
