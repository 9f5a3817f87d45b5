//! The state in the formats of other tools. Pure: reads the journal, makes no call.
//!
//! Nothing is dropped silently: what the other tool cannot say is listed in [`Export::notes`] and in the files.

mod bundle;
pub mod cloudformation;
mod names;
pub mod terraform;

pub use bundle::{Export, ExportFile, ExportItem, ExportNote, OTHERS};

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use serde_json::json;

    use super::bundle::UNSAID;
    use super::*;
    use crate::resource::{Address, Kind, Platform, ResourceOrigin, ResourceRecord, ResourceStatus, StackState};

    fn record(kind: Kind) -> ResourceRecord {
        ResourceRecord {
            kind,
            id: Some("x".to_owned()),
            generation: 0,
            spec: json!({}),
            attributes: BTreeMap::new(),
            needs: BTreeMap::new(),
            step: String::new(),
            after: BTreeSet::new(),
            standing: ResourceStatus::Present,
            pending: None,
            made_at: None,
            origin: ResourceOrigin::Made,
        }
    }

    #[test]
    fn every_kind_has_its_words_in_both() {
        let mut state = StackState::empty("s");
        for kind in Kind::ALL {
            state.resources.insert(Address::new("a", kind, "x"), record(kind));
        }
        for export in [terraform::export(&state), cloudformation::export(&state)] {
            let unsaid: Vec<&ExportNote> = export.notes.iter().filter(|note| note.text == UNSAID).collect();
            assert!(unsaid.is_empty(), "{unsaid:?}");
            let told = |words: &str| export.notes.iter().filter(|note| note.text.contains(words)).count();
            let of =
                |platform: Platform| Kind::ALL.into_iter().filter(|kind| kind.facts().platform == platform).count();
            assert_eq!(told("it is on a device"), of(Platform::Device));
            assert_eq!(told("Kubernetes cluster"), of(Platform::Cluster));
        }
    }
}
