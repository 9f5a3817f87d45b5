//! The difference, situation by situation: what is wanted, what is remembered, what is there.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{DiffScope, PlanningRefusal, diff};
use crate::resource::{
    Action, Address, Attributes, Change, Changes, CreatedAddress, Desired, Fault, FaultClass, IMPORTED_SETTINGS, Kind,
    Level, Observed, ObservedResource, Owner, PendingDeletion, Resource, ResourceOrigin, ResourceRecord,
    ResourceStatus, Risk, StackState, UnmanagedField, Untrusted,
};

const BUCKET: &str = "m.bucket.b";
const ROLE: &str = "e.role.r";
const FUNCTION: &str = "e.function.f";
const VERSION: &str = "e.function-version.f";
const BALANCER: &str = "r.load-balancer.l";

pub(super) fn at(text: &str) -> Address {
    text.parse().expect("an address")
}

pub(super) fn kind(address: &str) -> Kind {
    let address = at(address);
    Kind::ALL.into_iter().find(|kind| kind.name() == address.kind_name()).expect("a kind")
}

pub(super) fn record(address: &str, id: Option<&str>, spec: Value) -> ResourceRecord {
    ResourceRecord {
        kind: kind(address),
        id: id.map(str::to_owned),
        generation: 0,
        spec,
        attributes: Attributes::new(),
        needs: BTreeMap::new(),
        step: "s".to_owned(),
        after: BTreeSet::new(),
        standing: ResourceStatus::Present,
        pending: None,
        made_at: None,
        origin: ResourceOrigin::Made,
    }
}

pub(super) fn found(id: &str, spec: Value) -> ObservedResource {
    ObservedResource { id: id.to_owned(), spec, attributes: Attributes::new(), owner: Owner::Ours, extras: Vec::new() }
}

/// What a difference is made of.
#[derive(Default)]
pub(super) struct Place {
    pub desired: Desired,
    pub recorded: StackState,
    pub observed: Observed,
    pub scope: DiffScope,
}

impl Place {
    pub fn new() -> Self {
        Self { desired: Desired::new("s"), recorded: StackState::empty("s"), ..Self::default() }
    }

    pub fn want(mut self, address: &str, spec: Value) -> Self {
        self.desired.add(Resource::new(at(address), kind(address), &spec));
        self
    }

    pub fn know(mut self, address: &str, record: ResourceRecord) -> Self {
        self.recorded.resources.insert(at(address), record);
        self
    }

    pub fn see(mut self, address: &str, found: ObservedResource) -> Self {
        self.observed.seen.insert(at(address), Ok(Some(found)));
        self
    }

    pub fn changes(&self) -> Changes {
        diff(&self.desired, &self.recorded, &self.observed, &self.scope).expect("nothing stands in the way")
    }

    pub fn one(&self, address: &str) -> Change {
        self.changes().items.remove(&at(address)).expect("the address is in it")
    }

    pub fn refused(&self) -> Vec<PlanningRefusal> {
        diff(&self.desired, &self.recorded, &self.observed, &self.scope).expect_err("something stands in the way")
    }
}

pub(super) fn told(change: &Change) -> (Action, Risk, Option<&str>) {
    (change.action, change.risk, change.reason.as_deref())
}

pub(super) fn role(name: &str) -> Value {
    json!({"name": name, "description": "d"})
}

pub(super) fn bucket(name: &str, region: &str, versioning: bool) -> Value {
    json!({"name": name, "region": region, "versioning": versioning})
}

#[test]
fn what_is_wanted_and_not_there_is_made() {
    let new = Place::new().want(ROLE, role("r")).one(ROLE);
    assert_eq!((told(&new), new.origin), ((Action::Create, Risk::Safe, None), ResourceOrigin::Made));
    assert!(new.after.is_some() && new.before.is_none() && new.found.is_none() && new.fields.is_empty());
    let imported = ResourceRecord { origin: ResourceOrigin::Imported, ..record(ROLE, Some("r"), role("r")) };
    let gone = Place::new().want(ROLE, role("r")).know(ROLE, imported).one(ROLE);
    assert_eq!(told(&gone), (Action::Create, Risk::Safe, Some("it existed and is gone")));
    assert_eq!(gone.origin, ResourceOrigin::Made, "the new one is made");
    let begun = ResourceRecord { standing: ResourceStatus::Creating, ..record(ROLE, None, role("r")) };
    let begun = Place::new().want(ROLE, role("r")).know(ROLE, begun).one(ROLE);
    assert_eq!(told(&begun), (Action::Create, Risk::Safe, None));
}

#[test]
fn what_is_only_looked_up_has_to_be_there_and_is_kept() {
    let spec = json!({"region": "us-east-1", "name": "l"});
    let refused = Place::new().want(BALANCER, spec.clone()).refused();
    assert_eq!((refused.len(), refused[0].address.as_str()), (1, BALANCER));
    assert!(refused[0].problem.starts_with("no load balancer answers to "), "{}", refused[0].problem);
    let other =
        ObservedResource { owner: Owner::Foreign("no mark".to_owned()), ..found("arn", json!({"name": "other"})) };
    let kept = Place::new().want(BALANCER, spec.clone()).see(BALANCER, other.clone()).one(BALANCER);
    assert_eq!((told(&kept), kept.origin), ((Action::Keep, Risk::Safe, None), ResourceOrigin::Made));
    let unwanted = Place::new().know(BALANCER, record(BALANCER, Some("arn"), spec)).see(BALANCER, other).one(BALANCER);
    assert_eq!(unwanted.action, Action::Forget);
}

#[test]
fn what_differs_is_changed_in_place_or_replaced() {
    let then = bucket("b", "eu-central-1", true);
    let with = |address: &str, then: &Value, wanted: Value| {
        Place::new()
            .want(address, wanted)
            .know(address, record(address, Some("x"), then.clone()))
            .see(address, found("x", then.clone()))
    };
    for (wanted, action, risk) in [
        (then.clone(), Action::Keep, Risk::Safe),
        (bucket("b", "eu-central-1", false), Action::Update, Risk::Brief),
        (bucket("c", "eu-central-1", true), Action::Replace, Risk::DestroysData),
        (bucket("c", "us-east-1", true), Action::Replace, Risk::DestroysData),
    ] {
        assert_eq!(told(&with(BUCKET, &then, wanted.clone()).one(BUCKET)), (action, risk, None), "{wanted}");
    }
    let refused = with(BUCKET, &then, bucket("b", "us-east-1", true)).refused();
    assert!(refused[0].problem.starts_with("region cannot change under the same name"), "{}", refused[0].problem);
    assert_eq!(told(&with(ROLE, &role("r"), role("x")).one(ROLE)), (Action::Replace, Risk::Brief, None));

    let zone = |name: &str, comment: &str| json!({"name": name, "comment": comment});
    let z = "z.zone.m";
    assert_eq!(with(z, &zone("a.example", "c"), zone("a.example", "d")).one(z).risk, Risk::Brief);
    let renamed = with(z, &zone("a.example", "c"), zone("b.example", "c")).one(z);
    assert_eq!((renamed.action, renamed.risk), (Action::Replace, Risk::Disruptive));
    assert_eq!(renamed.reason.as_deref(), Kind::Zone.facts().when_replaced);
    let d = "c.distribution.d";
    let aliases = |alias: &str| json!({"comment": "c", "aliases": [alias]});
    assert_eq!(told(&with(d, &aliases("a"), aliases("b")).one(d)), (Action::Update, Risk::Disruptive, None));
}

#[test]
fn what_the_journal_does_not_know_is_taken_up_when_it_is_ours() {
    let seen = |owner: Owner| {
        Place::new().want(ROLE, role("r")).see(ROLE, ObservedResource { owner, ..found("r", role("r")) })
    };
    let foreign = || Owner::Foreign("no mark".to_owned());
    let begun = || ResourceRecord { standing: ResourceStatus::Creating, ..record(ROLE, None, role("r")) };

    let ours = seen(Owner::Ours).one(ROLE);
    let reason = "it is tagged as this stack's, but it is not in the journal";
    assert_eq!((told(&ours), ours.origin), ((Action::Adopt, Risk::Safe, Some(reason)), ResourceOrigin::Recovered));
    let lost = seen(Owner::Ours).know(ROLE, begun()).one(ROLE);
    let reason = "an earlier run created it and got no answer";
    assert_eq!((told(&lost), lost.origin), ((Action::Adopt, Risk::Safe, Some(reason)), ResourceOrigin::Made));

    let refused = seen(foreign()).refused();
    assert_eq!(refused[0].problem, "IAM role r exists and is not owned by this stack: no mark");
    assert!(refused[0].next_step.ends_with("--adopt e.role.r"), "{}", refused[0].next_step);
    let mut adopted = seen(foreign());
    adopted.scope.adopt.insert(at(ROLE));
    let adopted = adopted.one(ROLE);
    assert_eq!((adopted.action, adopted.origin), (Action::Adopt, ResourceOrigin::Imported));
    assert_eq!(adopted.reason.as_deref(), Some("this stack does not own it: adopted as requested"));
    let marks: Vec<_> = adopted.fields.iter().map(|field| (field.path.as_str(), field.drifted)).collect();
    assert_eq!((marks.as_slice(), adopted.risk), (&[("tags.akidb:stack", false)][..], Risk::Safe));
    let there = ObservedResource { owner: foreign(), ..found("r", role("r")) };
    let mut changed = Place::new().want(ROLE, json!({"name": "r", "description": "other"})).see(ROLE, there);
    changed.scope.adopt.insert(at(ROLE));
    assert_eq!(changed.one(ROLE).risk, Risk::Brief, "it changes what others may rely on");
    let unanswered = seen(foreign()).know(ROLE, begun()).one(ROLE);
    let reason = "an earlier run started it and got no answer";
    assert_eq!(told(&unanswered), (Action::Create, Risk::Safe, Some(reason)));
    assert!(unanswered.found.is_none());

    let (mode, spec) = ("d.power-mode.h", json!({"host": "h", "mode": "15W"}));
    let device = Place::new().want(mode, spec.clone()).see(mode, found("h", spec)).one(mode);
    assert_eq!((device.reason.as_deref(), device.origin), (Some("it already exists"), ResourceOrigin::Made));
}

#[test]
fn another_cluster_under_the_same_name_is_refused_whether_it_is_wanted_or_not() {
    let (west, object) = ("kubernetes.cluster.west", "kubernetes.manifest.west-a");
    let spec = json!({"name": "west", "reach": {"kubeconfig": {"context": "west"}}});
    let uid = |uid: &str| Attributes::from([("uid".to_owned(), json!(uid)), ("version".to_owned(), json!("v1.36.3"))]);
    let seen = |now: &str| {
        let service = json!({"cluster": "west", "api_version": "v1", "kind": "Service", "name": "a", "object": {}});
        Place::new()
            .know(west, ResourceRecord { attributes: uid("one"), ..record(west, Some("west"), spec.clone()) })
            .know(object, record(object, Some("west:Service/default/a"), service))
            .see(west, ObservedResource { attributes: uid(now), ..found("west", spec.clone()) })
    };
    for place in [seen("two").want(west, spec.clone()), seen("two")] {
        let refused = place.refused();
        assert_eq!(refused.len(), 1, "{refused:?}");
        assert!(refused[0].problem.contains("is not the one in the journal (uid two, before one)"), "{refused:?}");
        assert!(refused[0].next_step.contains("state forget kubernetes.cluster.west"), "{refused:?}");
    }
    assert_eq!(seen("one").want(west, spec.clone()).one(west).action, Action::Keep);
    let mut other = seen("two");
    other.scope.only = Some(BTreeSet::from([at(object)]));
    other.changes();
}

#[test]
fn what_is_somebody_elses_is_not_replaced_and_not_taken_without_a_word() {
    let seen = |owner: Owner, name: &str| {
        Place::new().want(ROLE, role(name)).see(ROLE, ObservedResource { owner, ..found("r", role("r")) })
    };
    let named = |mut place: Place| {
        place.scope.adopt.insert(at(ROLE));
        place
    };
    let foreign = || Owner::Foreign("no mark".to_owned());
    let contested = || Owner::Contested("of stack other".to_owned());
    let known = || record(ROLE, Some("r"), role("r"));
    let replaced = "was not created by this stack, and name, tags.akidb:stack cannot change in place";
    assert!(named(seen(foreign(), "x")).refused()[0].problem.contains(replaced));
    assert!(named(seen(contested(), "x").know(ROLE, known())).refused()[0].problem.contains(replaced));
    let refused = seen(contested(), "r").know(ROLE, known()).refused();
    assert_eq!(refused[0].problem, "IAM role r is contested: of stack other");
    assert!(refused[0].next_step.ends_with("--adopt e.role.r"));
    let taken = named(seen(contested(), "r").know(ROLE, known())).one(ROLE);
    assert_eq!((taken.action, taken.origin), (Action::Update, ResourceOrigin::Made));
    // Somebody took the mark away: it is put back.
    let marked = seen(foreign(), "r").know(ROLE, known()).one(ROLE);
    let fields: Vec<_> = marked.fields.iter().map(|field| (field.path.as_str(), field.drifted)).collect();
    assert_eq!((marked.action, fields), (Action::Update, vec![("tags.akidb:stack", true)]));
}

#[test]
fn what_a_run_was_cut_off_in_is_written_down_as_done() {
    let with = |record: ResourceRecord, description: &str| {
        let there = json!({"name": "r", "description": description});
        Place::new().want(ROLE, role("r")).know(ROLE, record).see(ROLE, found("r", there)).one(ROLE)
    };
    let known = || record(ROLE, Some("r"), role("r"));
    let drifted = with(known(), "theirs");
    assert_eq!((drifted.action, drifted.fields[0].drifted), (Action::Update, true));
    assert_eq!(with(known(), "d").action, Action::Keep);
    let updating = || ResourceRecord { standing: ResourceStatus::Updating, ..known() };
    assert_eq!(with(updating(), "d").action, Action::Adopt);
    let cut_off = with(updating(), "theirs");
    assert_eq!((cut_off.action, cut_off.fields[0].drifted), (Action::Update, false), "that was this stack itself");
    let pending = || ResourceRecord { pending: Some(role("r")), ..known() };
    assert_eq!(with(pending(), "d").action, Action::Adopt);
    assert!(!with(pending(), "theirs").fields[0].drifted);
}

#[test]
fn only_what_a_run_covers_is_looked_at() {
    let fault = Fault::new(FaultClass::Denied, "iam", "GetRole", "AccessDenied", "no");
    let mut place = Place::new().want(ROLE, role("r")).want(FUNCTION, json!({"name": "f", "region": "us-east-1"}));
    place.observed.seen.insert(at(ROLE), Err(fault));
    let left = |address: &str| PendingDeletion {
        address: at(address),
        kind: kind(address),
        id: "old".to_owned(),
        spec: json!({}),
        attributes: Attributes::new(),
        reason: Untrusted::default(),
        held_by: BTreeSet::new(),
    };
    place.recorded.pending_deletions = vec![left(ROLE), left(FUNCTION)];
    let place = place.know(BUCKET, record(BUCKET, Some("b"), bucket("b", "us-east-1", true)));
    let refused = place.refused();
    assert_eq!((refused.len(), refused[0].address.as_str()), (1, ROLE));
    assert!(refused[0].problem.starts_with("it could not be read: "), "{}", refused[0].problem);
    let scope = DiffScope { only: Some([at(FUNCTION)].into()), ..DiffScope::default() };
    let changes = Place { scope, ..place }.changes();
    assert_eq!(changes.items.keys().map(Address::as_str).collect::<Vec<_>>(), [FUNCTION]);
    assert_eq!(changes.pending_deletions, [left(FUNCTION)]);
}

#[test]
fn what_the_plan_does_not_want_goes_unless_it_is_not_ours_to_delete() {
    let known = || record(ROLE, Some("r"), role("r"));
    let with = |record: ResourceRecord, owner: Owner, undo: bool, named: bool| {
        let mut place = Place::new().know(ROLE, record).see(ROLE, ObservedResource { owner, ..found("r", role("r")) });
        place.scope.undo = undo;
        place.scope.delete_imported.extend(named.then(|| at(ROLE)));
        let change = place.one(ROLE);
        (change.action, change.reason.unwrap_or_default())
    };
    let of = |origin: ResourceOrigin| ResourceRecord { origin, ..known() };
    let foreign = || Owner::Foreign("no mark".to_owned());
    let contested = || Owner::Contested("of stack other".to_owned());
    let begun = || ResourceRecord { standing: ResourceStatus::Creating, ..record(ROLE, None, role("r")) };
    let undone = "the undone runs found it and did not create it: it is kept as it is";
    let unfinished = "it was never finished, and this stack does not own what exists there";
    let taken = "it is now tagged as another stack's: it is left alone";
    for (record, owner, undo, named, action, reason) in [
        (known(), Owner::Ours, false, false, Action::Delete, ""),
        (known(), Owner::Ours, true, false, Action::Delete, ""),
        (known(), foreign(), false, false, Action::Delete, ""),
        (known(), contested(), false, false, Action::Forget, taken),
        (begun(), foreign(), false, false, Action::Forget, unfinished),
        (begun(), Owner::Ours, false, false, Action::Delete, ""),
        (of(ResourceOrigin::Imported), Owner::Ours, false, false, Action::Forget, "left as it is"),
        (of(ResourceOrigin::Imported), Owner::Ours, false, true, Action::Delete, ""),
        (of(ResourceOrigin::Recovered), Owner::Ours, false, false, Action::Delete, ""),
        (of(ResourceOrigin::Recovered), Owner::Ours, true, false, Action::Forget, undone),
        (of(ResourceOrigin::Recovered), Owner::Ours, true, true, Action::Delete, ""),
    ] {
        let note = format!("{:?} {owner:?} {undo} {named}", record.origin);
        assert_eq!(with(record, owner, undo, named), (action, reason.to_owned()), "{note}");
    }
    let gone = Place::new().know(ROLE, known()).one(ROLE);
    assert_eq!(told(&gone), (Action::Forget, Risk::Safe, None));
    assert!(gone.after.is_none() && gone.found.is_none());
    let deleted = Place::new().know(ROLE, known()).see(ROLE, found("r", role("r"))).one(ROLE);
    assert_eq!(deleted.risk, Risk::Disruptive);
}

#[test]
fn an_object_that_holds_others_destroys_data_and_stays_without_its_mark() {
    let spec = |kind: &str, name: &str| json!({"cluster": "west", "api_version": "v1", "kind": kind, "name": name});
    let address = "kubernetes.manifest.west-a";
    for (kind, risk) in [
        ("Namespace", Risk::DestroysData),
        ("PersistentVolumeClaim", Risk::DestroysData),
        ("ConfigMap", Risk::Disruptive),
    ] {
        let known = || Place::new().know(address, record(address, Some("a"), spec(kind, "a")));
        let goes = known().see(address, found("a", spec(kind, "a")));
        assert_eq!(told(&goes.one(address)), (Action::Delete, risk, None), "{kind}");
        let foreign = ObservedResource { owner: Owner::Foreign("no mark".to_owned()), ..found("a", spec(kind, "a")) };
        let action = if risk == Risk::DestroysData { Action::Forget } else { Action::Delete };
        assert_eq!(known().see(address, foreign).one(address).action, action, "{kind}");
        // What is there goes, whatever takes its place.
        let renamed = known().see(address, found("a", spec(kind, "a"))).want(address, spec("ConfigMap", "b"));
        let risk = if risk == Risk::DestroysData { risk } else { Risk::Brief };
        assert_eq!(told(&renamed.one(address)), (Action::Replace, risk, None), "{kind}");
    }
}

#[test]
fn data_whose_mark_is_gone_stays() {
    let spec = || bucket("b", "us-east-1", true);
    let known = || record(BUCKET, Some("b"), spec());
    let foreign = || ObservedResource { owner: Owner::Foreign("no mark".to_owned()), ..found("b", spec()) };
    let with = |record: ResourceRecord, there: ObservedResource| Place::new().know(BUCKET, record).see(BUCKET, there);
    assert_eq!(told(&with(known(), found("b", spec())).one(BUCKET)), (Action::Delete, Risk::DestroysData, None));
    let stays = "the S3 bucket is no longer tagged as this stack's: another owner is possible, so it is kept";
    assert_eq!(told(&with(known(), foreign()).one(BUCKET)), (Action::Forget, Risk::Safe, Some(stays)));
    let mut named = with(known(), foreign());
    named.scope.delete_imported.insert(at(BUCKET));
    assert_eq!(named.one(BUCKET).action, Action::Delete);
    // It has moved, and its mark names the former address.
    let made_at = CreatedAddress { address: at("m.bucket.old"), token: "t".to_owned() };
    assert_eq!(
        with(ResourceRecord { made_at: Some(made_at), ..known() }, foreign()).one(BUCKET).action,
        Action::Delete
    );
    // A bucket gets its mark after it was made.
    assert_eq!(with(record(BUCKET, None, spec()), foreign()).one(BUCKET).action, Action::Delete);
    // Under another address of the plan it is wanted: it is the same thing.
    let elsewhere = with(known(), found("b", spec())).want("m.bucket.new", spec()).one(BUCKET);
    assert_eq!(elsewhere.reason.as_deref(), Some("the plan has the same S3 bucket as m.bucket.new"));
    assert_eq!(elsewhere.action, Action::Forget);
    let other = with(known(), found("b", spec())).want("m.bucket.new", bucket("c", "us-east-1", true)).one(BUCKET);
    assert_eq!(other.action, Action::Delete);
}

#[test]
fn what_refers_to_something_new_changes_with_it() {
    let function = |name: &str| json!({"name": name, "region": "us-east-1", "role_arn": "${e.role.r#arn}"});
    let version =
        json!({"function": "${e.function.f#name}", "region": "us-east-1", "code_sha256": "c", "settings": "s"});
    let seen = |id: &str, spec: Value, attributes: &[(&str, &str)]| ObservedResource {
        attributes: attributes.iter().map(|(name, value)| ((*name).to_owned(), (*value).into())).collect(),
        ..found(id, spec)
    };
    let there = json!({"name": "f", "region": "us-east-1", "role_arn": "arn:r"});
    let made = json!({"function": "f", "region": "us-east-1", "code_sha256": "c", "settings": "s"});
    let place = |role_name: &str, function_name: &str, origin: ResourceOrigin| {
        Place::new()
            .want(ROLE, role(role_name))
            .want(FUNCTION, function(function_name))
            .want(VERSION, version.clone())
            .know(ROLE, record(ROLE, Some("r"), role("r")))
            .know(FUNCTION, record(FUNCTION, Some("f"), function("f")))
            .know(VERSION, ResourceRecord { origin, ..record(VERSION, Some("f:1"), version.clone()) })
            .see(ROLE, seen("r", role("r"), &[("arn", "arn:r")]))
            .see(FUNCTION, seen("f", there.clone(), &[("name", "f")]))
            .see(VERSION, seen("f:1", made.clone(), &[]))
            .changes()
    };
    let actions = |changes: &Changes| [ROLE, FUNCTION, VERSION].map(|address| changes.items[&at(address)].action);
    assert_eq!(actions(&place("r", "f", ResourceOrigin::Made)), [Action::Keep; 3]);
    let renamed = place("x", "f", ResourceOrigin::Made);
    assert_eq!(actions(&renamed), [Action::Replace, Action::Update, Action::Keep]);
    let update = &renamed.items[&at(FUNCTION)];
    assert_eq!(
        (update.fields[0].path.as_str(), update.fields[0].new.clone()),
        ("role_arn", Some("${e.role.r#arn}".into()))
    );
    assert_eq!(update.risk, Risk::Brief);
    let both = place("r", "g", ResourceOrigin::Made);
    assert_eq!(actions(&both), [Action::Keep, Action::Replace, Action::Replace]);
    assert_eq!((both.items[&at(VERSION)].risk, both.items[&at(VERSION)].origin), (Risk::Brief, ResourceOrigin::Made));
    // What was imported stays beside the new one.
    let imported = place("r", "g", ResourceOrigin::Imported);
    let beside = &imported.items[&at(VERSION)];
    assert_eq!((beside.action, beside.origin, beside.fields.len()), (Action::Create, ResourceOrigin::Made, 0));
    assert!(beside.found.is_none() && beside.reason.as_ref().is_some_and(|why| why.contains("was imported")));
}

#[test]
fn what_only_has_another_address_moves() {
    let made_at = CreatedAddress { address: at("e.role.old"), token: "t".to_owned() };
    let moved = ResourceRecord { made_at: Some(made_at), ..record(ROLE, Some("r"), role("r")) };
    let with = |description: &str| {
        let there = json!({"name": "r", "description": description});
        let there = ObservedResource { owner: Owner::Foreign("e.role.old".to_owned()), ..found("r", there) };
        Place::new().want(ROLE, role("r")).know(ROLE, moved.clone()).see(ROLE, there).one(ROLE)
    };
    let change = with("d");
    assert_eq!(told(&change), (Action::Move, Risk::Safe, None));
    assert!(!change.fields[0].drifted, "its mark names the former address: nobody changed it");
    let changed = with("theirs");
    let fields: Vec<_> = changed.fields.iter().map(|field| (field.path.as_str(), field.drifted)).collect();
    assert_eq!((changed.action, fields), (Action::Update, vec![("description", true), ("tags.akidb:stack", false)]));
}

#[test]
fn what_stays_keeps_what_it_uses() {
    const RULES: &str = "m.replication.p";
    let needing = |address: &str, origin: ResourceOrigin| ResourceRecord {
        needs: [(at(ROLE), Level::Usable)].into(),
        origin,
        ..record(address, Some("x"), json!({"source": "b", "name": "x", "region": "us-east-1"}))
    };
    let extra = |theirs: bool| UnmanagedField { path: "rules.other".to_owned(), value: json!({}), theirs };
    let with = |address: &str, origin: ResourceOrigin, extras: Vec<UnmanagedField>| {
        Place::new()
            .know(ROLE, record(ROLE, Some("r"), role("r")))
            .know(address, needing(address, origin))
            .see(ROLE, found("r", role("r")))
            .see(address, ObservedResource { extras, ..found("x", json!({})) })
            .one(ROLE)
    };
    assert_eq!(with(RULES, ResourceOrigin::Made, vec![]).action, Action::Delete);
    assert_eq!(with(RULES, ResourceOrigin::Made, vec![extra(false)]).action, Action::Delete);
    let kept = with(RULES, ResourceOrigin::Made, vec![extra(true)]);
    assert_eq!(told(&kept), (Action::Forget, Risk::Safe, Some("replication rules of others use it: it stays")));
    assert_eq!(
        with(FUNCTION, ResourceOrigin::Made, vec![extra(true)]).action,
        Action::Delete,
        "only rules of a bucket"
    );
    let kept = with(FUNCTION, ResourceOrigin::Imported, vec![]);
    let reason = "e.function.f stays and uses it: it is kept as well";
    assert_eq!(told(&kept), (Action::Forget, Risk::Safe, Some(reason)));
}

#[test]
fn the_mark_that_something_imported_never_had_was_not_changed_outside() {
    let drifted = |origin: ResourceOrigin, why: &str| {
        let known = ResourceRecord { origin, ..record(ROLE, Some("r"), role("r")) };
        let there = ObservedResource { owner: Owner::Foreign(why.to_owned()), ..found("r", role("r")) };
        let change = Place::new().want(ROLE, role("r")).know(ROLE, known).see(ROLE, there).one(ROLE);
        assert_eq!((change.action, change.fields.len()), (Action::Update, 1));
        change.fields[0].drifted
    };
    assert!(!drifted(ResourceOrigin::Imported, "not tagged by this tool"));
    assert!(drifted(ResourceOrigin::Made, "not tagged by this tool"));
    assert!(drifted(ResourceOrigin::Imported, "tagged as e.role.x of stack other"));
}

#[test]
fn what_an_import_found_is_left_alone_when_the_plan_gives_it_up() {
    let with = |more: Value| {
        let mut spec = json!({"name": "b", "region": "us-east-1"});
        for (key, value) in more.as_object().into_iter().flatten() {
            spec[key] = value.clone();
        }
        spec
    };
    let there = with(json!({"versioning": true, "encryption": "aws:kms"}));
    let held = |origin: ResourceOrigin| {
        let mut held = record(BUCKET, Some("b"), there.clone());
        held.origin = origin;
        // The encryption was set by a deploy.
        held.attributes.insert(IMPORTED_SETTINGS.to_owned(), with(json!({"versioning": true, "encryption": "AES256"})));
        held
    };
    for (origin, given_up) in
        [(ResourceOrigin::Imported, vec!["encryption"]), (ResourceOrigin::Made, vec!["encryption", "versioning"])]
    {
        let place = Place::new().want(BUCKET, with(json!({}))).know(BUCKET, held(origin));
        let changes = place.see(BUCKET, found("b", there.clone())).changes();
        let fields = &changes.items[&at(BUCKET)].fields;
        assert!(fields.iter().all(|field| field.new.is_none()), "{fields:?}");
        assert_eq!(fields.iter().map(|field| field.path.as_str()).collect::<Vec<_>>(), given_up, "{origin:?}");
    }
    // What the plan still states is put back when somebody changes it.
    let wanted = with(json!({"versioning": true, "encryption": "aws:kms"}));
    let place = Place::new().want(BUCKET, wanted).know(BUCKET, held(ResourceOrigin::Imported));
    let off = with(json!({"versioning": false, "encryption": "aws:kms"}));
    let changes = place.see(BUCKET, found("b", off)).changes();
    let fields = &changes.items[&at(BUCKET)].fields;
    assert!(fields.len() == 1 && fields[0].path == "versioning" && fields[0].drifted, "{fields:?}");
}
