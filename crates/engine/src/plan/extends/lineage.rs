//! Where the values of a plan come from that extends others: the files, what each of them did, and what each may read.

use std::collections::{BTreeMap, BTreeSet};

use super::tree::{Flat, NamedVariables, SourceSpot};
use crate::plan::read_scope::ReadScope;
use crate::plan::source::{SourcePlace, join};

/// A file of a chain.
#[derive(Clone, Debug)]
pub struct SourceFile {
    /// Its name.
    pub file: String,
    /// SHA-256 of its text in hex.
    pub sha256: String,
    /// Bytes of its text.
    pub bytes: u64,
    /// It is on this machine; else it is a part of the program.
    pub on_disk: bool,
    /// What it may read.
    pub reach: ReadScope,
}

/// What a later plan does to the earlier ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayeredChange {
    /// The file that says so.
    pub file: String,
    /// `added`, `changed` or `removed`.
    pub what: &'static str,
    /// What: `steps.models.with.buckets.logs`.
    pub path: String,
}

/// Where the values of a plan come from. Empty for a plan that extends none.
#[derive(Clone, Debug, Default)]
pub struct Lineage {
    /// From the one that the user named to the earliest.
    files: Vec<SourceFile>,
    changes: Vec<LayeredChange>,
    /// The variables that the user set.
    given: BTreeSet<String>,
    /// The number of the file of each dotted path.
    origins: BTreeMap<String, usize>,
    /// The variables that the text at a dotted path names.
    variables: BTreeMap<String, NamedVariables>,
    /// What later plans have removed, and where they say so.
    removed: BTreeMap<String, SourceSpot>,
}

impl Lineage {
    /// What is known once the files are one plan.
    pub fn new(files: Vec<SourceFile>, changes: Vec<LayeredChange>, given: BTreeSet<String>, flat: Flat) -> Self {
        let Flat { files: origins, variables, removed, .. } = flat;
        Self { files, changes, given, origins, variables, removed }
    }

    /// The earliest plan, when there are several.
    pub fn earliest(&self) -> Option<&str> {
        self.files.last().map(|source| source.file.as_str())
    }

    /// The names of all files, from the one that the user named to the earliest.
    pub fn files(&self) -> Vec<&str> {
        self.files.iter().map(|source| source.file.as_str()).collect()
    }

    /// What the later plans did, the earlier first.
    pub fn changes(&self) -> &[LayeredChange] {
        &self.changes
    }

    /// The files that are on this machine: SHA-256 in hex, path, bytes.
    pub fn on_disk(&self) -> impl Iterator<Item = (&str, &str, u64)> {
        let there = self.files.iter().filter(|source| source.on_disk);
        there.map(|source| (source.sha256.as_str(), source.file.as_str(), source.bytes))
    }

    /// The file that the value at a dotted path is in, or its nearest parent; none when there is one file alone.
    pub fn file(&self, path: &str) -> Option<&str> {
        let mut at = path;
        let number = loop {
            match (self.origins.get(at), at.rfind('.')) {
                (Some(number), _) => break *number,
                (None, Some(dot)) => at = &at[..dot],
                (None, None) => break self.origins.get("").copied().unwrap_or_default(),
            }
        };
        self.files.get(number).map(|source| source.file.as_str())
    }

    /// Where a later plan removes a member of the mapping at a dotted path: file and place. None when none of the `missing` members
    /// was removed.
    pub fn removal(&self, path: &str, missing: impl Fn(&str) -> bool) -> Option<(&str, SourcePlace)> {
        let below = |removed: &str| removed.strip_prefix(path).is_some_and(|rest| rest.starts_with('.'));
        let mut members = self.removed.iter().filter(|(removed, _)| path.is_empty() || below(removed));
        let key = |removed: &str| removed[path.len()..].trim_start_matches('.').to_owned();
        let (_, spot) = members.find(|(removed, _)| missing(&key(removed)))?;
        Some((self.files.get(spot.file)?.file.as_str(), spot.place))
    }

    /// Where a later plan removes the value at a dotted path, or what it is in: file and place.
    pub fn removal_of(&self, path: &str) -> Option<(&str, SourcePlace)> {
        let holds =
            |removed: &str| path.strip_prefix(removed).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
        let (_, spot) = self.removed.iter().find(|(removed, _)| holds(removed))?;
        Some((self.files.get(spot.file)?.file.as_str(), spot.place))
    }

    /// Whether a file of this machine may be read that the plan names at `origin`; none when there is one plan file alone.
    /// A path belongs to the file that wrote its beginning: the text itself, or the default of the variable that the text begins
    /// with. Files that wrote other parts of it must be allowed to read it, too: otherwise a plan could set a default of one that
    /// the tool carries, and have it read what it may not read itself.
    pub fn check(&self, path: &str, origin: &str) -> Option<Result<(), String>> {
        self.each_behind(origin, |reach| reach.check(path))
    }

    /// The same for a file that the user has to name: see [`ReadScope::check_named`].
    pub fn check_named(&self, path: &str, origin: &str) -> Option<Result<(), String>> {
        self.each_behind(origin, |reach| reach.check_named(path))
    }

    /// Whether what each file behind a path may read accepts it; none when there is one plan file alone.
    fn each_behind(
        &self,
        origin: &str,
        check: impl Fn(&ReadScope) -> Result<(), String>,
    ) -> Option<Result<(), String>> {
        if self.files.is_empty() {
            return None;
        }
        let mut behind = self.behind(origin).into_iter().filter_map(|number| self.files.get(number));
        Some(behind.try_for_each(|source| check(&source.reach)))
    }

    /// The files that the path of a file comes from.
    fn behind(&self, origin: &str) -> BTreeSet<usize> {
        let mut behind = BTreeSet::new();
        for leaf in self.leaves(origin) {
            let named = self.variables.get(&leaf);
            // A path that begins with a default belongs to the file that wrote the default.
            let first = named.and_then(|named| named.first.as_ref()).and_then(|name| self.default_of(name));
            behind.extend(first.or_else(|| self.origins.get(&leaf).copied()));
            let all = named.into_iter().flat_map(|named| &named.all);
            behind.extend(all.filter_map(|name| self.default_of(name)));
        }
        if behind.is_empty() { (0..self.files.len()).collect() } else { behind }
    }

    /// The number of the file that wrote the default of a variable, when that is its value.
    fn default_of(&self, name: &str) -> Option<usize> {
        let written = self.origins.get(&format!("variables.{name}.default")).copied();
        written.filter(|_| !self.given.contains(name))
    }

    /// The dotted paths that may hold the path of a file.
    fn leaves(&self, origin: &str) -> Vec<String> {
        let known = ["file", "folder", "path", "zip"].into_iter().map(|key| join(origin, key));
        let known: Vec<String> = known.filter(|leaf| self.origins.contains_key(leaf)).collect();
        if !known.is_empty() {
            return known;
        }
        let below = format!("{origin}.");
        let further = self.origins.range(below.clone()..).map(|(path, _)| path);
        let mut all: Vec<String> = further.take_while(|path| path.starts_with(&below)).cloned().collect();
        all.push(origin.to_owned());
        // An archive of an image may be in the directory of artifacts.
        all.extend(origin.strip_suffix(".k3s.images").map(|with| join(with, "artifacts")));
        all
    }
}
