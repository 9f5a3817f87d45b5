//! Nothing that somebody has in a namespace is lost when a plan no longer names the namespace.

use super::*;

const NAMESPACE: &str = "
            - {apiVersion: v1, kind: Namespace, metadata: {name: akidb-edge-shop}}
            - {apiVersion: v1, kind: ConfigMap, metadata: {name: own, namespace: akidb-edge-shop}, data: {a: '1'}}";

/// The plan of the other tests under another name, with or without the namespace.
fn plan(with_namespace: bool) -> String {
    let plan = PLAN.replace("eks-objects", "eks-shop").replace("akidb-edge-settings", "akidb-edge-shop-settings");
    let plan = plan.trim_end().to_owned();
    if with_namespace { plan + NAMESPACE + "\n" } else { plan + "\n" }
}

#[test]
fn a_namespace_that_holds_objects_of_others_goes_only_on_an_explicit_word() {
    let _turn = crate::turn();
    let Some(world) = World::up(true) else { return };
    run_plan(&world, &plan(true), "deploy --yes").exits(0);
    world.api.kubectl("create secret generic token --from-literal a=secret-value -n akidb-edge-shop");
    let before = world.api.changes("akidb-edge-shop");

    let shown = run_plan(&world, &plan(false), "deploy --dry-run").exits(2);
    assert!(shown.all().contains("destroys data"), "{}", shown.all());
    assert!(shown.all().contains("would be refused without --empty-buckets"), "{}", shown.all());
    for words in ["deploy --yes", "destroy --yes"] {
        let refused = run_plan(&world, &plan(false), words).exits(3);
        let said = "edge-objects:Namespace/akidb-edge-shop";
        assert!(refused.stderr.contains(said), "{words}: {}", refused.stderr);
        assert!(refused.stderr.contains("1 Secret: Secret/akidb-edge-shop/token"), "{words}: {}", refused.stderr);
        assert!(refused.stderr.contains("nothing was done"), "{words}: {}", refused.stderr);
        assert!(refused.stderr.contains("--empty-buckets") && !refused.all().contains("secret-value"), "{words}");
    }
    assert_eq!(world.api.changes("akidb-edge-shop"), before, "nothing was sent");
    world.api.kubectl("get secret token -n akidb-edge-shop");
    world.api.kubectl("get configmap own -n akidb-edge-shop");

    // A saved plan is held to the same.
    let out = "deploy --out shop.plan.json";
    let saved = run_plan(&world, &plan(false), out);
    assert!(saved.all().contains("would be refused without --empty-buckets"), "{}", saved.all());

    // Once it is gone, or on the word, the namespace goes.
    world.api.kubectl("delete secret token -n akidb-edge-shop");
    world.api.kubectl("create configmap theirs --from-literal a=1 -n akidb-edge-shop");
    run_plan(&world, &plan(false), "deploy --yes").exits(3);
    run_plan(&world, &plan(false), "deploy --yes --empty-buckets").exits(0);
    assert_eq!(world.api.kubectl("get namespace akidb-edge-shop --ignore-not-found -o name"), "");
    let gone = run_plan(&world, &plan(false), "destroy --yes").exits(0);
    assert!(!gone.all().contains("destroys data"), "{}", gone.all());
}
