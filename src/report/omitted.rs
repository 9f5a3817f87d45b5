//! What a run does not compare: nothing that was not read is reported as matching the plan.

use super::counted;
use crate::resource::{Address, SafeText, shown};

/// Addresses that are named; the others are counted.
const NAMED: usize = 5;

/// What a run leaves out, and why.
#[derive(Clone, Copy, Debug, Default)]
pub struct OmittedResources<'a> {
    /// Devices that could not be looked at.
    pub away: &'a [String],
    /// Clusters that could not be looked at.
    pub clusters: &'a [String],
    /// The account could not be reached.
    pub account_away: bool,
    /// Addresses of the run that need the account, when it could not be reached.
    pub of_account: &'a [Address],
    /// Addresses that would go and stay, because something that is left out needs them.
    pub held: &'a [Address],
    /// Devices that the journal knows and neither plan nor inventory names.
    pub unnamed: &'a [String],
    /// Addresses outside of what was selected.
    pub unselected: &'a [Address],
    /// Those of them that would change, by plan and journal.
    pub would_change: &'a [Address],
}

impl OmittedResources<'_> {
    /// Names and addresses of all that is left out, for programs.
    pub fn names(&self) -> Vec<&str> {
        let devices = self.away.iter().chain(self.clusters).chain(self.unnamed).map(String::as_str);
        // What stays because of the account is among what needs the account.
        let held = self.held.iter().filter(|address| !self.of_account.contains(address));
        let addresses = self.of_account.iter().chain(held).chain(self.unselected);
        devices.chain(addresses.map(Address::as_str)).collect()
    }

    /// Nothing is to be done with what was looked at: `kept` resources.
    pub fn no_changes(&self, kept: usize) -> SafeText {
        if !self.unselected.is_empty() {
            return self.nothing_of_the_selection(kept);
        }
        match self.unreached() {
            None => shown!("no changes: {}\n", matching(kept)),
            Some(left) => shown!("no changes ({} checked, {})\n", counted(kept, "resource"), left),
        }
    }

    /// What of the run could not be looked at; none when everything was.
    fn unreached(&self) -> Option<SafeText> {
        let mut all = Vec::new();
        for (names, what) in [(self.away, "device"), (self.clusters, "cluster")] {
            if !names.is_empty() {
                all.push(shown!("{} left out: {}", counted(names.len(), what), names.join(", ")));
            }
        }
        if self.account_away {
            let needing = counted(self.of_account.len(), "resource");
            all.push(shown!("the AWS account and {} left out{}", needing, first(self.of_account)));
        }
        (!all.is_empty()).then(|| SafeText::join(&all, "; "))
    }

    fn nothing_of_the_selection(&self, kept: usize) -> SafeText {
        let selected = match (kept, self.unreached()) {
            (0, None) => SafeText::from("nothing is selected"),
            (kept, None) => shown!("no changes in what is selected: {}", matching(kept)),
            (kept, Some(left)) => {
                shown!("no changes in what is selected ({} checked, {})", counted(kept, "resource"), left)
            }
        };
        let left = counted(self.unselected.len(), "resource");
        let would = match (self.unselected.len(), self.would_change.len()) {
            (1, 0) => SafeText::from("which would not change by the journal"),
            (1, _) => shown!("which would change by the journal{}", first(self.would_change)),
            (_, 0) => SafeText::from("none of them would change by the journal"),
            (_, all) => shown!("{} of them would change by the journal{}", all, first(self.would_change)),
        };
        shown!("{}; {} left out, {}\n", selected, left, would)
    }
}

/// `: a, b`; of many `: a, b, c, d, e and 2 more`.
fn first(all: &[Address]) -> SafeText {
    let named: Vec<&str> = all.iter().take(NAMED).map(Address::as_str).collect();
    match all.len() {
        0 => SafeText::default(),
        many if many > NAMED => shown!(": {} and {} more", named.join(", "), many - NAMED),
        _ => shown!(": {}", named.join(", ")),
    }
}

/// `1 resource matches the plan`, `3 resources match the plan`.
fn matching(kept: usize) -> SafeText {
    let verb = if kept == 1 { "matches" } else { "match" };
    shown!("{} {} the plan", counted(kept, "resource"), verb)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_that_were_left_out_are_not_said_to_match_the_plan() {
        let said = |away: &[String]| OmittedResources { away, ..OmittedResources::default() }.no_changes(1);
        assert_eq!(said(&[]), "no changes: 1 resource matches the plan\n");
        let one = ["jetson-02".to_owned()];
        assert_eq!(said(&one), "no changes (1 resource checked, 1 device left out: jetson-02)\n");
        let two = ["jetson-02".to_owned(), "jetson-04".to_owned()];
        assert_eq!(said(&two), "no changes (1 resource checked, 2 devices left out: jetson-02, jetson-04)\n");
        let west = ["west".to_owned()];
        let left = OmittedResources { away: &one, clusters: &west, ..OmittedResources::default() };
        assert_eq!(
            left.no_changes(1),
            "no changes (1 resource checked, 1 device left out: jetson-02; 1 cluster left out: west)\n"
        );
        assert_eq!(left.names(), ["jetson-02", "west"]);
    }

    #[test]
    fn what_needs_an_account_that_is_away_is_counted_and_named() {
        let all: Vec<Address> = (1..=7).map(|at| format!("m.bucket.b{at}").parse().expect("an address")).collect();
        let away = ["jetson-02".to_owned()];
        let account = |kept: usize, of_account: &[Address]| {
            OmittedResources { account_away: true, of_account, ..OmittedResources::default() }.no_changes(kept)
        };
        assert_eq!(
            account(0, &all[..2]),
            "no changes (0 resources checked, the AWS account and 2 resources left out: m.bucket.b1, m.bucket.b2)\n"
        );
        assert!(account(0, &all).ends_with(
            "7 resources left out: m.bucket.b1, m.bucket.b2, m.bucket.b3, m.bucket.b4, m.bucket.b5 and 2 more)\n"
        ));
        assert!(!account(3, &[]).contains("match"));
        let both =
            OmittedResources { away: &away, account_away: true, of_account: &all[..1], ..OmittedResources::default() };
        assert_eq!(
            both.no_changes(1),
            "no changes (1 resource checked, 1 device left out: jetson-02; the AWS account and 1 resource left out: \
             m.bucket.b1)\n"
        );
        assert_eq!(both.names(), ["jetson-02", "m.bucket.b1"]);
        let selected =
            OmittedResources { away: &away, unselected: &all[..1], ..OmittedResources::default() }.no_changes(0);
        assert_eq!(
            selected,
            "no changes in what is selected (0 resources checked, 1 device left out: jetson-02); 1 resource left out, which \
             would not change by the journal\n"
        );
    }

    #[test]
    fn what_is_outside_of_a_selection_is_not_said_to_be_without_changes() {
        let address = |at: usize| -> Address { format!("m.bucket.b{at}").parse().expect("an address") };
        let all: Vec<Address> = (1..=7).map(address).collect();
        let said = |kept: usize, unselected: &[Address], would_change: &[Address]| {
            OmittedResources { unselected, would_change, ..OmittedResources::default() }.no_changes(kept)
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
        assert!(said(3, &all[..1], &[]).ends_with("1 resource left out, which would not change by the journal\n"));
    }
}
