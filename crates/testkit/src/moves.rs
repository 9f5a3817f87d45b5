//! What a provider does with a thing whose address has changed.

use akidb_edge::change::differing;
use akidb_edge::provider::ResourceContext;
use akidb_edge::resource::{Address, Attributes, Owner};

use super::battery::{BatteryCase, STACK};

/// Makes it at one address and has it moved to another: the mark is the only difference, an update rewrites it, and a create
/// whose answer was lost accepts what still carries the old one. `mark` is where the mark stands.
pub async fn moved(case: BatteryCase<'_>, mark: &str) {
    let made = case.create().await.expect("create");
    let to = Address::new(case.address.area(), case.kind, "elsewhere");
    let none = Attributes::new();
    let subject = |id, former| ResourceContext {
        stack: STACK,
        address: &to,
        token: "t",
        spec: &case.spec,
        id,
        attributes: &none,
        before: Some(&case.spec),
        former,
        thorough: false,
        seen_absent: false,
    };
    let provider = case.world.provider(case.kind);
    let again = provider.create(&subject(None, Some(&case.address))).await.expect("it is ours, under its old address");
    assert_eq!(again.id, made.id);
    // Back under its old mark, if the create has written the new one.
    let found = case.read(Some(&made.id)).await.expect("read").expect("found");
    let fields = differing(STACK, case.kind, &case.spec, Some(&case.spec), &found);
    case.update(&case.spec, &found, &fields).await.expect("marked as before");
    let known = subject(Some(made.id.as_str()), Some(&case.address));
    let found = provider.read(&known).await.expect("read").expect("found");
    let fields = differing(STACK, case.kind, &case.spec, Some(&case.spec), &found);
    let paths: Vec<&str> = fields.iter().map(|field| field.path.as_str()).collect();
    assert_eq!(paths, [mark], "{fields:#?}");
    provider.update(&known, &found, &fields).await.expect("update");
    let found = provider.read(&known).await.expect("read").expect("found");
    assert_eq!(found.owner, Owner::Ours);
    assert!(differing(STACK, case.kind, &case.spec, Some(&case.spec), &found).is_empty());
}
