//! What is written is what is read.

use super::*;

#[test]
fn a_document_is_read_as_it_was_written() {
    let model = RegistryModel {
        name: "m".to_owned(),
        version: Some("v".to_owned()),
        path: None,
        dimension: Some(3),
        enabled: true,
    };
    let mut registry = Registry::new(vec![model]);
    registry.tenants.push(RegistryTenant { name: "acme".to_owned(), enabled: false });
    registry.collections.push(RegistryCollection {
        tenant: "acme".to_owned(),
        name: "texts".to_owned(),
        model: "m".to_owned(),
        dimension: None,
    });
    assert_eq!(Registry::from_bytes(registry.text().as_bytes()).unwrap(), registry);
    // The bytes of a registry are in the journals of stacks: another text of the same rows would be a change of each of them.
    let model = r#"{"name":"m","version":"v","path":null,"dimension":3,"enabled":true}"#;
    let rest = r#""tenants":[{"name":"acme","enabled":false}],"collections":[{"tenant":"acme","name":"texts","model":"m","dimension":null}]"#;
    assert_eq!(registry.text(), format!(r#"{{"format":1,"models":[{model}],{rest}}}"#));
}

#[test]
fn another_format_and_unknown_fields_are_refused() {
    let newer = Registry::from_bytes(br#"{"format":2,"models":"something else"}"#).unwrap_err();
    assert!(matches!(newer, DocumentFault::Format { found: 2 }), "{newer}");
    for text in ["", "{}", "[]", r#"{"format":1}"#, r#"{"format":1,"models":[],"more":1}"#] {
        let refused = Registry::from_bytes(text.as_bytes()).unwrap_err();
        assert!(matches!(refused, DocumentFault::Shape(_)), "{text}: {refused}");
    }
}
