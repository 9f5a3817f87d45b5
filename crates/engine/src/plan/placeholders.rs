//! The places of a plan where something is wrong already. A placeholder of the right type stands there, so that the rest of the plan
//! can be checked in the same round; nothing more is said about such a place.

use std::collections::{BTreeMap, BTreeSet};

use super::source::join;

/// Places with placeholders, as dotted paths.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Placeholders {
    /// Values for which one of the right type stands in.
    values: BTreeSet<String>,
    /// Members of mappings and lists that are left out.
    left_out: BTreeSet<String>,
    /// Required members that are missing, by the path of their mapping.
    missing: BTreeMap<String, BTreeSet<&'static str>>,
    /// A step of an unknown kind may have declared any name.
    names_unknown: bool,
}

impl Placeholders {
    /// A placeholder stands at a path from now on.
    pub fn note(&mut self, path: &str) {
        self.values.insert(path.to_owned());
    }

    /// The member at a path is left out from now on.
    pub fn leave_out(&mut self, path: &str) {
        self.values.remove(path);
        let (whole, field) = path.rsplit_once('.').unwrap_or(("", path));
        if let Some(fields) = self.missing.get_mut(whole) {
            fields.remove(field);
        }
        self.left_out.insert(path.to_owned());
    }

    /// A placeholder stands for a missing member from now on.
    pub fn add(&mut self, whole: &str, field: &'static str) {
        self.missing.entry(whole.to_owned()).or_default().insert(field);
    }

    /// Names that nothing declares may have been declared by a step of an unknown kind.
    pub const fn forget_names(&mut self) {
        self.names_unknown = true;
    }

    /// Whether a name that nothing declares may have been declared by a step of an unknown kind.
    pub const fn names_are_unknown(&self) -> bool {
        self.names_unknown
    }

    /// Whether nothing is wrong.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty() && self.left_out.is_empty() && self.missing.is_empty() && !self.names_unknown
    }

    /// Whether a placeholder stands exactly here.
    pub fn is_at(&self, path: &str) -> bool {
        self.values.contains(path) || self.is_missing(path)
    }

    /// Whether the member at a path is left out.
    pub fn is_left_out(&self, path: &str) -> bool {
        self.left_out.contains(path)
    }

    /// The missing members of the mapping at a path.
    pub fn missing_of(&self, path: &str) -> Vec<&'static str> {
        self.missing.get(path).into_iter().flatten().copied().collect()
    }

    /// The place at or above a path where something is wrong: the nearest one.
    pub fn nearest<'p>(&self, path: &'p str) -> Option<&'p str> {
        let mut at = path;
        loop {
            if self.is_at(at) || self.is_left_out(at) {
                return Some(at);
            }
            at = match at.rsplit_once('.') {
                Some((above, _)) => above,
                None if at.is_empty() => return None,
                None => "",
            };
        }
    }

    /// Whether something is wrong at a path, or at a place above it.
    pub fn covers(&self, path: &str) -> bool {
        self.nearest(path).is_some()
    }

    /// Whether something is wrong at a path, above it, or below it.
    pub fn touches(&self, path: &str) -> bool {
        if self.covers(path) {
            return true;
        }
        if path.is_empty() {
            return !self.values.is_empty() || !self.left_out.is_empty() || !self.missing.is_empty();
        }
        let below = join(path, "");
        let begins = |found: Option<&String>| found.is_some_and(|found| found.starts_with(&below));
        let has_missing = self.missing.get(path).is_some_and(|fields| !fields.is_empty());
        has_missing
            || begins(self.values.range(below.clone()..).next())
            || begins(self.left_out.range(below.clone()..).next())
            || begins(self.missing.range(below.clone()..).next().map(|(whole, _)| whole))
    }

    fn is_missing(&self, path: &str) -> bool {
        let (whole, field) = path.rsplit_once('.').unwrap_or(("", path));
        self.missing.get(whole).is_some_and(|fields| fields.contains(field))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_covers_what_is_below_it_and_touches_what_is_above() {
        let mut places = Placeholders::default();
        assert!(places.is_empty() && !places.touches("") && !places.covers("a.b"));
        places.note("a.b");
        places.leave_out("c.x");
        places.add("d.e", "name");
        for (path, covers, touches) in [
            ("a.b", true, true),
            ("a.b.c", true, true),
            ("a", false, true),
            ("a.bc", false, false),
            ("c.x", true, true),
            ("c.x.y", true, true),
            ("c", false, true),
            ("d.e.name", true, true),
            ("d.e", false, true),
            ("d.e.other", false, false),
            ("d", false, true),
            ("z", false, false),
            ("", false, true),
        ] {
            assert_eq!((places.covers(path), places.touches(path)), (covers, touches), "{path}");
        }
        assert_eq!(places.nearest("a.b.c.d"), Some("a.b"));
        assert_eq!(places.missing_of("d.e"), ["name"]);
    }

    #[test]
    fn a_member_that_is_left_out_has_no_placeholder() {
        let mut places = Placeholders::default();
        places.add("", "version");
        places.note("a");
        assert!(places.is_at("version") && places.is_at("a"));
        places.leave_out("a");
        assert!(!places.is_at("a") && places.is_left_out("a"));
        places.note("");
        assert_eq!(places.nearest("b.c"), Some(""), "the whole is wrong");
    }
}
