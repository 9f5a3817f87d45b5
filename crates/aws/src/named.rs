//! The CloudFront kinds with a unique name, an ETag, and a comment instead of tags: one flow for all of them.

use std::marker::PhantomData;
use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_cloudfront::Client;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::Clients;
use super::edit::taken;
use super::stated;
use crate::pages::Pages;
use crate::provider::{Applied, DeleteOutcome, OwnedQuery, Provider, ResourceContext};
use crate::resource::{
    Address, Attributes, Fault, FaultClass, FieldChange, IMPORTED, Kind, ORIGIN_TAG, ObservedResource, OwnedResource,
    Owner, TAKEN_IN, UnmanagedField, comment,
};

/// One page of a listing: ids with their configurations, and the marker of the next page.
pub type ListPage<C> = (Vec<(String, C)>, Option<String>);

/// What is special about one kind: its calls, and how its spec is written in the SDK's words.
#[async_trait]
pub trait NamedApi: Send + Sync + 'static {
    /// The typed spec.
    type Spec: Serialize + DeserializeOwned + Send + Sync;
    /// The SDK's configuration.
    type Config: Send + Sync + 'static;
    /// The kind.
    const KIND: Kind;
    /// Characters that the description may have.
    const LIMIT: usize;
    /// The operation that lists them.
    const LIST: &'static str;

    /// The configuration and its ETag.
    async fn get(client: &Client, id: &str) -> Result<(Self::Config, String), Fault>;
    /// One page of those that the account made.
    async fn page(client: &Client, marker: Option<String>) -> Result<ListPage<Self::Config>, Fault>;
    /// Makes one and gives its id.
    async fn create(client: &Client, config: Self::Config) -> Result<String, Fault>;
    /// Writes the whole configuration over the version with this ETag.
    async fn update(client: &Client, id: &str, etag: String, config: Self::Config) -> Result<(), Fault>;
    /// Deletes the version with this ETag.
    async fn delete(client: &Client, id: &str, etag: String) -> Result<(), Fault>;

    /// Name in the spec.
    fn wanted_name(spec: &Self::Spec) -> &str;
    /// What the plan says it is for.
    fn wanted_text(spec: &Self::Spec) -> &str;
    /// Name in the configuration.
    fn name(config: &Self::Config) -> &str;
    /// Comment or description in the configuration.
    fn text(config: &Self::Config) -> &str;
    /// The configuration that the spec asks for. `held` is what is there: its other fields survive, but for those that an
    /// earlier run stated (`before`), which go back to the service's default.
    fn config(
        spec: &Self::Spec,
        text: String,
        held: Option<Self::Config>,
        before: Option<&Self::Spec>,
    ) -> Result<Self::Config, Fault>;
    /// The configuration as a spec with every setting.
    fn spec(config: Self::Config, text: String) -> Self::Spec;
    /// What the service fills in where nothing is said.
    fn usual() -> Value {
        Value::Null
    }
    /// What the spec has no words for and is not as the service makes it: dotted paths and values.
    fn others(_: &Self::Config) -> Vec<(String, Value)> {
        Vec::new()
    }
}

/// Provider of one such kind.
pub struct NamedProvider<A> {
    clients: Arc<Clients>,
    api: PhantomData<A>,
}

impl<A: NamedApi> NamedProvider<A> {
    /// Things of this kind reached by `clients`.
    pub fn new(clients: &Arc<Clients>) -> Self {
        Self { clients: Arc::clone(clients), api: PhantomData }
    }

    fn client(&self) -> &Client {
        &self.clients.cloudfront
    }

    /// The one with this name, page by page.
    async fn by_name(&self, name: &str) -> Result<Option<(String, A::Config)>, Fault> {
        let mut marker = None;
        let mut pages = Pages::of("cloudfront", A::LIST);
        loop {
            pages.next()?;
            let (items, next) = A::page(self.client(), marker).await?;
            if let Some(hit) = items.into_iter().find(|(_, config)| A::name(config) == name) {
                return Ok(Some(hit));
            }
            if next.is_none() {
                return Ok(None);
            }
            marker = next;
        }
    }

    /// Whether the one with this name carries the mark of the address that the plan has moved it from: a lost call made it.
    async fn is_of_former(&self, subject: &ResourceContext<'_>) -> Result<bool, Fault> {
        let Some(former) = subject.former else { return Ok(false) };
        let there = ResourceContext { address: former, former: None, id: None, ..*subject };
        Ok(self.read(&there).await?.is_some_and(|found| found.owner == Owner::Ours))
    }

    async fn remove(&self, id: &str) -> Result<(), Fault> {
        let (_, etag) = A::get(self.client(), id).await?;
        A::delete(self.client(), id, etag).await
    }
}

/// The text with the mark behind it.
fn marked(subject: &ResourceContext<'_>, text: &str, limit: usize) -> Result<String, Fault> {
    if subject.is_imported() {
        let room = limit.saturating_sub(IMPORTED.len() + 1);
        let plain = crate::resource::marked(subject.stack, subject.address, text, room);
        // Where there is no room for the word, the journal alone knows.
        if let Some(text) = plain.as_deref().and_then(|text| text.strip_suffix(')')) {
            return Ok(format!("{text} {IMPORTED})"));
        }
    }
    crate::resource::marked(subject.stack, subject.address, text, limit).ok_or_else(|| {
        let mark = comment(subject.stack, subject.address);
        let words = format!("the stack name and address ({mark}) do not fit into a comment of {limit} characters");
        Fault::new(FaultClass::Refused, "cloudfront", "comment", "TooLong", words).next("use shorter names")
    })
}

/// Whose it is, and what is before the mark.
fn unmarked(subject: &ResourceContext<'_>, held: &str, wanted: &str, limit: usize) -> (Owner, String) {
    let Some((stack, address)) = read_mark(held) else {
        return (Owner::Foreign(format!("its comment is {held:?}")), held.to_owned());
    };
    let owner = match (stack == subject.stack, address == subject.address.as_str()) {
        (true, true) => Owner::Ours,
        (false, _) if subject.id.is_some() => Owner::Contested(format!("its comment is {held:?}")),
        _ => Owner::Foreign(format!("its comment is {held:?}")),
    };
    // A text that had to be cut is not a difference, also under the address that it had before the plan moved it.
    let parsed = address.parse::<Address>().ok();
    let known = Attributes::from([(TAKEN_IN.to_owned(), says_imported(held).into())]);
    let cut = parsed.and_then(|address| {
        marked(&ResourceContext { stack, address: &address, attributes: &known, ..*subject }, wanted, limit).ok()
    });
    let text = held.rsplit_once("(akidb-edge ").map_or(held, |(text, _)| text);
    let text = if cut.as_deref() == Some(held) { wanted } else { text.strip_suffix(' ').unwrap_or(text) };
    (owner, text.to_owned())
}

/// The stack and the address that the mark in a comment names.
fn read_mark(held: &str) -> Option<(&str, &str)> {
    let (_, mark) = held.strip_suffix(')')?.rsplit_once("(akidb-edge ")?;
    let (stack, address) = mark.split_once(' ')?;
    Some((stack, address.strip_suffix(IMPORTED).map_or(address, str::trim_end)))
}

/// Whether the mark in a comment says that the thing was imported.
fn says_imported(held: &str) -> bool {
    read_mark(held).is_some() && held.ends_with(&format!(" {IMPORTED})"))
}

fn made(id: String) -> Applied {
    Applied { attributes: attributes(&id), id }
}

fn attributes(id: &str) -> Attributes {
    Attributes::from([("id".into(), id.into())])
}

#[async_trait]
impl<A: NamedApi> Provider for NamedProvider<A> {
    async fn read(&self, subject: &ResourceContext<'_>) -> Result<Option<ObservedResource>, Fault> {
        let wanted: A::Spec = subject.typed()?;
        let hit = match subject.id {
            Some(id) => match A::get(self.client(), id).await {
                Ok((config, _)) => Some((id.to_owned(), config)),
                Err(fault) if fault.class == FaultClass::Missing => None,
                Err(fault) => return Err(fault),
            },
            None => self.by_name(A::wanted_name(&wanted)).await?,
        };
        let Some((id, config)) = hit else { return Ok(None) };
        let (owner, text) = unmarked(subject, A::text(&config), A::wanted_text(&wanted), A::LIMIT);
        let imported = says_imported(A::text(&config));
        let others = A::others(&config);
        let (spec, mut extras) = stated::parted(subject, &A::spec(config, text), &A::usual())?;
        extras.extend(others.into_iter().map(|(path, value)| UnmanagedField { path, value, theirs: false }));
        extras.extend(imported.then(|| UnmanagedField {
            path: ORIGIN_TAG.to_owned(),
            value: IMPORTED.into(),
            theirs: true,
        }));
        Ok(Some(ObservedResource { attributes: attributes(&id), id, spec, owner, extras }))
    }

    async fn create(&self, subject: &ResourceContext<'_>) -> Result<Applied, Fault> {
        let spec: A::Spec = subject.typed()?;
        let text = marked(subject, A::wanted_text(&spec), A::LIMIT)?;
        match A::create(self.client(), A::config(&spec, text, None, None)?).await {
            Ok(id) => Ok(made(id)),
            Err(fault) if fault.class == FaultClass::Exists => {
                match self.read(&ResourceContext { id: None, ..*subject }).await? {
                    Some(found) if found.owner == Owner::Ours => Ok(made(found.id)),
                    Some(found) if self.is_of_former(subject).await? => self.update(subject, &found, &[]).await,
                    _ => Err(taken(subject, fault)),
                }
            }
            Err(fault) => Err(fault),
        }
    }

    async fn update(
        &self,
        subject: &ResourceContext<'_>,
        found: &ObservedResource,
        fields: &[FieldChange],
    ) -> Result<Applied, Fault> {
        // What is taken over from somebody else needs our mark even when nothing else differs.
        if fields.is_empty() && found.owner == Owner::Ours {
            return Ok(made(found.id.clone()));
        }
        let spec: A::Spec = subject.typed()?;
        let text = marked(subject, A::wanted_text(&spec), A::LIMIT)?;
        let (held, etag) = A::get(self.client(), &found.id).await?;
        let before: Option<A::Spec> = stated::before(subject)?;
        let config = A::config(&spec, text, Some(held), before.as_ref())?;
        A::update(self.client(), &found.id, etag, config).await?;
        Ok(made(found.id.clone()))
    }

    async fn list_owned(&self, search: &OwnedQuery<'_>) -> Result<Vec<OwnedResource>, Fault> {
        let (mut owned, mut marker) = (Vec::new(), None);
        let mut pages = Pages::of("cloudfront", A::LIST);
        loop {
            pages.next()?;
            let (items, next) = A::page(self.client(), marker).await?;
            for (id, config) in items.into_iter().filter(|(id, _)| !search.known.contains(id)) {
                let mark = read_mark(A::text(&config)).filter(|(stack, _)| *stack == search.stack);
                if let Some(address) = mark.and_then(|(_, address)| address.parse::<Address>().ok()) {
                    owned.push(OwnedResource { kind: A::KIND, id, address: Some(address) });
                }
            }
            if next.is_none() {
                return Ok(owned);
            }
            marker = next;
        }
    }

    async fn delete(&self, subject: &ResourceContext<'_>) -> Result<DeleteOutcome, Fault> {
        let id = match subject.id {
            Some(id) => id.to_owned(),
            None => match self.read(subject).await? {
                Some(found) if found.owner == Owner::Ours => found.id,
                _ => return Ok(DeleteOutcome::Deleted),
            },
        };
        match self.remove(&id).await {
            Ok(()) => Ok(DeleteOutcome::Deleted),
            Err(fault) if fault.class == FaultClass::Missing => Ok(DeleteOutcome::Deleted),
            Err(fault) if fault.code.ends_with("InUse") => Ok(DeleteOutcome::Deferred(fault.message)),
            Err(fault) => Err(fault),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mark_comes_off_again_and_is_never_cut() {
        let address = Address::new("cdn", Kind::CachePolicy, "embed");
        let none = Attributes::new();
        let spec = serde_json::Value::Null;
        let subject = ResourceContext {
            stack: "prod",
            address: &address,
            token: "",
            spec: &spec,
            id: None,
            attributes: &none,
            before: None,
            former: None,
            thorough: false,
            seen_absent: false,
        };
        for text in ["", "hashed reads", &"long ".repeat(60)] {
            let held = marked(&subject, text, 128).expect("it fits");
            assert!(held.chars().count() <= 128 && held.is_ascii(), "{held}");
            assert_eq!(unmarked(&subject, &held, text, 128), (Owner::Ours, text.to_owned()));
        }
        let (owner, text) = unmarked(&subject, "drifted (akidb-edge prod cdn.cache-policy.embed)", "x", 128);
        assert_eq!((owner, text.as_str()), (Owner::Ours, "drifted"));
        // An address that begins like ours is another one.
        let (owner, _) = unmarked(&subject, "x (akidb-edge prod cdn.cache-policy.embed-2)", "x", 128);
        assert!(matches!(owner, Owner::Foreign(_)));
        assert!(marked(&subject, "x", 20).is_err());
    }
}
