//! Runs over a single bucket: the generations of its address, and settings that the plan gives up.

use akidb_edge_engine::resource::{Address, Desired, Kind, Resource};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::fake_world::{Process, World};

fn bucket() -> Address {
    "models.bucket.primary".parse().expect("an address")
}

/// A deploy of the bucket with these settings.
async fn deploy(process: &Process<'_>, spec: &Value) {
    let mut desired = Desired::new("fake");
    desired.add(Resource::new(bucket(), Kind::Bucket, spec));
    process.run(&desired).await.complete(&spec.to_string());
}

/// The generation of the bucket after a deploy with this name and tag. What a service saw once is never used again for something
/// new.
async fn deployed(process: Process<'_>, name: &str, tag: &str) -> u32 {
    deploy(&process, &json!({"name": name, "region": "us-east-1", "tags": {"v": tag}})).await;
    process.recorded().await.resources[&bucket()].generation
}

#[tokio::test(start_paused = true)]
async fn only_what_takes_the_place_of_something_else_is_another_generation() {
    let directory = TempDir::new().expect("a directory");
    let world = World::default();
    let process = || Process::new(directory.path(), &world);
    assert_eq!(deployed(process(), "one", "new").await, 0);
    assert_eq!(deployed(process(), "one", "changed").await, 0);
    world.meddle(|things| things.clear());
    assert_eq!(deployed(process(), "one", "made again").await, 1);
    assert_eq!(deployed(process(), "one", "changed again").await, 1);
    assert_eq!(deployed(process(), "two", "replaced").await, 2);
}

#[tokio::test(start_paused = true)]
async fn a_setting_that_the_plan_gives_up_goes_and_what_others_set_stays() {
    let directory = TempDir::new().expect("a directory");
    let world = World::default();
    let process = Process::new(directory.path(), &world);
    let spec = |tags: Value| json!({"name": "one", "region": "us-east-1", "tags": tags});
    deploy(&process, &spec(json!({"kept": "1", "dropped": "1"}))).await;
    world.meddle(|things| things[0].spec["tags"]["theirs"] = json!("1"));
    deploy(&process, &spec(json!({"kept": "1"}))).await;
    assert_eq!(world.things()[0].spec["tags"], json!({"kept": "1", "theirs": "1"}));
}
