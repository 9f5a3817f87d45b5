//! The shared battery: what every provider must do, whatever its kind.

use std::sync::Arc;

use akidb_edge::change::compare;
use akidb_edge::provider::aws::{AwsAccess, Clients, providers};
use akidb_edge::provider::{Applied, DeleteOutcome, Progress, Provider, ResourceContext};
use akidb_edge::resource::{Address, FaultClass};
use akidb_edge::resource::{Artifacts, Attributes, Fault, FieldChange, Kind, Level, ObservedResource, Owner, token};
use aws_config::BehaviorVersion;
use serde_json::Value;

use super::local_aws;

/// One account, its providers, and the SDK configuration for looking at it from outside.
pub struct TestAccountWorld {
    pub account: String,
    pub sdk: aws_config::SdkConfig,
    clients: Arc<Clients>,
    artifacts: Arc<Artifacts>,
}

/// The stack that the battery deploys.
pub const STACK: &str = "battery";

impl TestAccountWorld {
    /// A fresh account, with these artifacts at hand.
    pub async fn new(artifacts: Artifacts) -> Self {
        Self::in_account(local_aws::account(), artifacts).await
    }

    /// A given account.
    pub async fn in_account(account: String, artifacts: Artifacts) -> Self {
        let endpoint = local_aws::endpoint();
        let credentials = aws_credential_types::Credentials::new(&account, "test", None, None, "battery");
        let sdk = aws_config::defaults(BehaviorVersion::latest())
            .endpoint_url(&endpoint)
            .region("us-east-1")
            .credentials_provider(credentials)
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .load()
            .await;
        let access = AwsAccess { region: Some("us-east-1".into()), endpoint: Some(endpoint), route53_per_second: None };
        let clients = Arc::new(Clients::with_config(sdk.clone(), &access));
        Self { account, sdk, clients, artifacts: Arc::new(artifacts) }
    }

    /// The provider of a kind.
    pub fn provider(&self, kind: Kind) -> Arc<dyn Provider> {
        providers(&self.clients, &self.artifacts).of(kind).expect("a provider for the kind").clone()
    }

    /// The same provider behind an endpoint where nothing listens: whatever it answers, it answered without a request.
    pub fn cut_off(&self, kind: Kind) -> Arc<dyn Provider> {
        let nowhere = "http://127.0.0.1:9".to_owned();
        let sdk = self.sdk.to_builder().endpoint_url(&nowhere).build();
        let access = AwsAccess { region: Some("us-east-1".into()), endpoint: Some(nowhere), route53_per_second: None };
        let clients = Arc::new(Clients::with_config(sdk, &access));
        providers(&clients, &self.artifacts).of(kind).expect("a provider for the kind").clone()
    }
}

/// One resource under test.
pub struct BatteryCase<'w> {
    pub world: &'w TestAccountWorld,
    pub kind: Kind,
    pub address: Address,
    pub spec: Value,
}

impl BatteryCase<'_> {
    async fn with<'s, T>(
        &'s self,
        spec: &'s Value,
        before: Option<&'s Value>,
        id: Option<&'s str>,
        call: impl AsyncFnOnce(ResourceContext<'_>) -> T,
    ) -> T {
        let token = token(STACK, &self.address, 0);
        let none = Attributes::new();
        call(ResourceContext {
            stack: STACK,
            address: &self.address,
            token: &token,
            spec,
            id,
            attributes: &none,
            before,
            former: None,
            thorough: false,
            seen_absent: false,
        })
        .await
    }

    pub async fn read(&self, id: Option<&str>) -> Result<Option<ObservedResource>, Fault> {
        let provider = self.world.provider(self.kind);
        self.with(&self.spec, None, id, async |subject| provider.read(&subject).await).await
    }

    pub async fn create(&self) -> Result<Applied, Fault> {
        let provider = self.world.provider(self.kind);
        self.with(&self.spec, None, None, async |subject| provider.create(&subject).await).await
    }

    /// Waits until usable, as the engine would.
    pub async fn settle(&self, id: &str, level: Level) -> Attributes {
        let provider = self.world.provider(self.kind);
        for _ in 0..200 {
            let look =
                self.with(&self.spec, None, Some(id), async |subject| provider.settled(&subject, level).await).await;
            match look.expect("settled answers") {
                Progress::Ready(attributes) => return attributes,
                Progress::NotYet(_, pause) => tokio::time::sleep(pause).await,
            }
        }
        panic!("{} {id} never came to {level:?}", self.kind.name());
    }

    pub async fn update(&self, to: &Value, found: &ObservedResource, fields: &[FieldChange]) -> Result<Applied, Fault> {
        let provider = self.world.provider(self.kind);
        self.with(to, Some(&self.spec), Some(&found.id), async |subject| provider.update(&subject, found, fields).await)
            .await
    }

    pub async fn delete(&self, id: &str) -> Result<DeleteOutcome, Fault> {
        let provider = self.world.provider(self.kind);
        self.with(&self.spec, None, Some(id), async |subject| provider.delete(&subject).await).await
    }

    /// Everything that every kind must do. `changed` is the spec after an update in place, when the kind knows one.
    pub async fn run(&self, changed: Option<Value>) {
        let name = self.kind.name();
        assert_eq!(self.read(None).await.expect("read absent"), None, "{name}: absent at first");
        let made = self.create().await.expect("create");
        self.settle(&made.id, Level::Usable).await;
        let again = self.create().await.expect("create again");
        assert_eq!(again.id, made.id, "{name}: created again is the same thing");
        // A lost answer: the journal has no id, the thing is found by its own marks.
        let found = self.read(None).await.expect("read").unwrap_or_else(|| panic!("{name}: found without its id"));
        assert_eq!(found.id, made.id, "{name}: the same id");
        assert_eq!(found.owner, Owner::Ours, "{name}: known as ours");
        let same = compare(self.kind, &self.spec, Some(&self.spec), &found.spec);
        assert!(same.is_empty(), "{name}: unchanged, but differs: {same:#?}");
        for (key, value) in &made.attributes {
            assert_eq!(found.attributes.get(key), Some(value), "{name}: attribute {key} is the same when read");
        }
        let found = self.read(Some(&made.id)).await.expect("read by id").expect("found by id");
        assert_eq!(found.id, made.id);
        let provider = self.world.cut_off(self.kind);
        let nothing =
            self.with(&self.spec, None, Some(&made.id), async |subject| provider.update(&subject, &found, &[]).await);
        assert_eq!(nothing.await.expect("update nothing makes no request").id, made.id);
        let last = changed.as_ref().unwrap_or(&self.spec);
        if let Some(to) = &changed {
            let fields = compare(self.kind, to, Some(&self.spec), &found.spec);
            assert!(!fields.is_empty(), "{name}: the changed spec differs");
            let updated = self.update(to, &found, &fields).await.expect("update");
            assert_eq!(updated.id, made.id, "{name}: updated in place");
            let provider = self.world.provider(self.kind);
            let read = async |subject: ResourceContext<'_>| provider.read(&subject).await;
            let found = self.with(to, Some(to), Some(&made.id), read).await.expect("read").expect("still there");
            let left = compare(self.kind, to, Some(to), &found.spec);
            assert!(left.is_empty(), "{name}: updated, but differs: {left:#?}");
        }
        let provider = self.world.provider(self.kind);
        let delete = async |subject: ResourceContext<'_>| provider.delete(&subject).await;
        assert_eq!(self.with(last, None, Some(&made.id), delete).await.expect("delete"), DeleteOutcome::Deleted);
        assert_eq!(self.with(last, None, Some(&made.id), delete).await.expect("delete again"), DeleteOutcome::Deleted);
        assert_eq!(self.read(Some(&made.id)).await.expect("read gone"), None, "{name}: gone");
    }

    /// A thing of the same name that is not ours is refused.
    pub async fn refuses_foreign(&self) {
        let found = self.read(None).await.expect("read").expect("the foreign thing is there");
        assert!(matches!(found.owner, Owner::Foreign(_)), "{}: not ours", self.kind.name());
        let fault = self.create().await.expect_err("a foreign thing is not taken over");
        assert_eq!(fault.class, FaultClass::Exists, "{fault}");
    }
}
