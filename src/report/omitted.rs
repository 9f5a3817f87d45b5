//! What a run does not look at, in words: nothing is said to match the plan that was not looked at.

use super::counted;
use crate::resource::{Address, Shown, shown};

/// Addresses that are named; the others are counted.
const NAMED: usize = 5;

/// What a run leaves out, and why.
#[derive(Clone, Copy, Debug, Default)]
pub struct Omitted<'a> {
    /// Devices that could not be looked at.
    pub away: &'a [String],
    /// Devices that the journal knows and neither plan nor inventory names.
    pub unnamed: &'a [String],
    /// Addresses outside of what was selected.
    pub unselected: &'a [Address],
    /// Those of them that would change, by plan and journal.
    pub would_change: &'a [Address],
}

impl Omitted<'_> {
    /// Names and addresses of all that is left out, for programs.
    pub fn names(&self) -> Vec<&str> {
        let devices = self.away.iter().chain(self.unnamed).map(String::as_str);
        devices.chain(self.unselected.iter().map(Address::as_str)).collect()
    }

    /// Nothing is to be done with what was looked at: `kept` resources.
    pub fn no_changes(&self, kept: usize) -> Shown {
        if !self.unselected.is_empty() {
            return self.nothing_of_the_selection(kept);
        }
        if self.away.is_empty() {
            return shown!("no changes: {}\n", matching(kept));
        }
        let (kept, away) = (counted(kept, "resource"), counted(self.away.len(), "device"));
        shown!("no changes ({} checked, {} left out: {})\n", kept, away, self.away.join(", "))
    }

    fn nothing_of_the_selection(&self, kept: usize) -> Shown {
        let selected = match kept {
            0 => Shown::from("nothing is selected"),
            kept => shown!("no changes in what is selected: {}", matching(kept)),
        };
        let left = counted(self.unselected.len(), "resource");
        let first: Vec<&str> = self.would_change.iter().take(NAMED).map(Address::as_str).collect();
        let would = match self.would_change.len() {
            0 => Shown::from("none of them would change by the journal"),
            all if all > NAMED => {
                let more = all - NAMED;
                shown!("{} of them would change by the journal: {} and {} more", all, first.join(", "), more)
            }
            all => shown!("{} of them would change by the journal: {}", all, first.join(", ")),
        };
        shown!("{}; {} left out, {}\n", selected, left, would)
    }
}

/// `1 resource matches the plan`, `3 resources match the plan`.
fn matching(kept: usize) -> Shown {
    let verb = if kept == 1 { "matches" } else { "match" };
    shown!("{} {} the plan", counted(kept, "resource"), verb)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_that_were_left_out_are_not_said_to_match_the_plan() {
        let said = |away: &[String]| Omitted { away, ..Omitted::default() }.no_changes(1);
        assert_eq!(said(&[]), "no changes: 1 resource matches the plan\n");
        let one = ["jetson-02".to_owned()];
        assert_eq!(said(&one), "no changes (1 resource checked, 1 device left out: jetson-02)\n");
        let two = ["jetson-02".to_owned(), "jetson-04".to_owned()];
        assert_eq!(said(&two), "no changes (1 resource checked, 2 devices left out: jetson-02, jetson-04)\n");
    }

    #[test]
    fn what_is_outside_of_a_selection_is_not_said_to_be_without_changes() {
        let address = |at: usize| -> Address { format!("m.bucket.b{at}").parse().expect("an address") };
        let all: Vec<Address> = (1..=7).map(address).collect();
        let said = |kept: usize, unselected: &[Address], would_change: &[Address]| {
            Omitted { unselected, would_change, ..Omitted::default() }.no_changes(kept)
        };
        assert_eq!(
            said(0, &all[..2], &all[..1]),
            "nothing is selected; 2 resources left out, 1 of them would change by the journal: m.bucket.b1\n"
        );
        assert_eq!(
            said(3, &all, &all),
            "no changes in what is selected: 3 resources match the plan; 7 resources left out, 7 of them would change by \
             the journal: m.bucket.b1, m.bucket.b2, m.bucket.b3, m.bucket.b4, m.bucket.b5 and 2 more\n"
        );
        assert!(said(3, &all[..1], &[]).ends_with("1 resource left out, none of them would change by the journal\n"));
    }
}
