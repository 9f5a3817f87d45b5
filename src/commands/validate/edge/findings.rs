//! What requests through the function brought, against the check.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::commands::validate::latency::CONFIDENCE;
use crate::commands::validate::measurements::{CheckResult, Found};
use crate::measure::verdict::{self, Compare, MeasuredFinding, Unit, Wanted};
use crate::measure::{Cache, Class, Connection, Recording, Start};
use crate::plan::validation::EdgeCheck;

/// One answer.
#[derive(Clone, Debug, Default)]
pub struct EdgeAnswer {
    /// Its status; 0 where none came.
    pub status: u16,
    /// The numbers of its vector; none where it has none.
    pub numbers: Option<usize>,
    /// The function's own time; none where an origin answered.
    pub own: Option<Duration>,
    /// Why there is no answer.
    pub why: Option<String>,
}

/// What came from a place.
#[derive(Clone, Debug)]
pub enum RegionAnswers {
    /// These answers.
    Answered(Vec<EdgeAnswer>),
    /// None, and why.
    Silent(String),
}

impl RegionAnswers {
    fn answers(&self) -> &[EdgeAnswer] {
        match self {
            Self::Answered(answers) => answers,
            Self::Silent(_) => &[],
        }
    }
}

/// The findings of a check. `from_regions` says whether the places are regions.
pub fn of(check: &EdgeCheck, places: &BTreeMap<String, RegionAnswers>, from_regions: bool) -> CheckResult {
    let mut found = vec![answered(check, places), duration(check, places)];
    found.push(measured(check, places, from_regions));
    found.into()
}

/// Requests that were answered with a vector of the right length.
fn answered(check: &EdgeCheck, places: &BTreeMap<String, RegionAnswers>) -> Found {
    let wanted = check.requests.saturating_mul(places.len() as u64);
    let name = format!("requests answered with {} numbers", check.dimension);
    let wish = Wanted::new(name, Unit::Count, Compare::AtLeast, wanted as f64);
    let all: Vec<&EdgeAnswer> = places.values().flat_map(RegionAnswers::answers).collect();
    let right = all.iter().filter(|one| is_right(one, check)).count();
    let finding = if all.is_empty() {
        verdict::unmeasured(&wish, "no request was sent")
    } else {
        let known = verdict::known(&wish, right as f64);
        MeasuredFinding { samples: all.len() as u64, ..known }
    };
    let wrong = all.iter().filter(|one| !is_right(one, check)).take(3).map(|one| said(one));
    let finding = wrong.fold(finding, MeasuredFinding::with_note);
    Found { measure: "edge.requests_ok".to_owned(), of: None, finding }
}

fn is_right(one: &EdgeAnswer, check: &EdgeCheck) -> bool {
    one.why.is_none() && (200..=299).contains(&one.status) && one.numbers == Some(check.dimension)
}

fn said(one: &EdgeAnswer) -> String {
    match (&one.why, one.numbers) {
        (Some(why), _) if one.status == 0 => format!("no answer: {why}"),
        (_, Some(numbers)) => format!("status {} with a vector of {numbers} numbers", one.status),
        (_, None) => format!("status {} without a vector", one.status),
    }
}

/// The function's own time, of the answers that it gave itself.
fn duration(check: &EdgeCheck, places: &BTreeMap<String, RegionAnswers>) -> Found {
    let name = "p95 of the function's own time";
    let own: Vec<Duration> = places.values().flat_map(RegionAnswers::answers).filter_map(|one| one.own).collect();
    let passed_on =
        places.values().flat_map(RegionAnswers::answers).filter(|one| is_right(one, check) && one.own.is_none());
    let passed_on = passed_on.count();
    let finding = if own.is_empty() {
        let wish = Wanted::new(name, Unit::Milliseconds, Compare::Less, check.duration_p95_ms);
        let why = if passed_on > 0 {
            "the function passed the requests on to an origin, whose answers do not state the function's time"
        } else {
            "no answer states the function's time"
        };
        verdict::unmeasured(&wish, why)
    } else {
        let limit = Duration::try_from_secs_f64(check.duration_p95_ms / 1000.0).unwrap_or(Duration::ZERO);
        verdict::latency(name, &recorded(&own), 0.95, Compare::Less, limit, CONFIDENCE)
    };
    let finding = match passed_on {
        0 => finding,
        count => finding.with_note(format!("{count} right answers came from an origin")),
    };
    let of = check.function.as_ref().map(|name| format!("edge.function.{name}"));
    Found { measure: "edge.function.duration_p95".to_owned(), of, finding }
}

/// Times as a recording, of which a percentile has its interval.
fn recorded(times: &[Duration]) -> Recording {
    let started_ms = jiff::Timestamp::now().as_millisecond();
    let mut recording = Recording { started_ms, ..Recording::default() };
    let class = Class { connection: Connection::Reused, cache: Cache::Unstated, start: Start::Warm };
    let phases = recording.classes.entry(class).or_default();
    times.iter().for_each(|time| phases.total.record(*time));
    recording
}

/// How many of the plan's regions requests came from.
fn measured(check: &EdgeCheck, places: &BTreeMap<String, RegionAnswers>, from_regions: bool) -> Found {
    let wanted = if from_regions { check.regions.len().max(places.len()) } else { check.regions.len() };
    let wish = Wanted::new("regions measured", Unit::Count, Compare::AtLeast, wanted as f64);
    let finding = if from_regions {
        let count = places.values().filter(|place| matches!(place, RegionAnswers::Answered(_))).count();
        let silent = places.iter().filter_map(|(name, place)| match place {
            RegionAnswers::Silent(why) => Some(format!("{name}: {why}")),
            RegionAnswers::Answered(_) => None,
        });
        silent.fold(verdict::known(&wish, count as f64), MeasuredFinding::with_note)
    } else {
        let regions = check.regions.join(", ");
        verdict::unmeasured(&wish, format!("sent from this machine alone, not from {regions} (--regions all)"))
    };
    Found { measure: "edge.regions_measured".to_owned(), of: None, finding }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::verdict::Verdict;
    use crate::plan::validation::RequestPlan;

    fn check() -> EdgeCheck {
        EdgeCheck {
            regions: vec!["us-east-1".to_owned()],
            function: Some("gateway".to_owned()),
            request: RequestPlan {
                host: "h".to_owned(),
                path: "/".to_owned(),
                texts: vec!["a".to_owned()],
                model: None,
            },
            requests: 100,
            duration_p95_ms: 50.0,
            dimension: 3,
        }
    }

    fn right(own_ms: Option<u64>) -> EdgeAnswer {
        EdgeAnswer { status: 200, numbers: Some(3), own: own_ms.map(Duration::from_millis), why: None }
    }

    fn found(answers: Vec<EdgeAnswer>, from_regions: bool) -> Vec<MeasuredFinding> {
        let places = [("us-east-1".to_owned(), RegionAnswers::Answered(answers))].into();
        of(&check(), &places, from_regions).found.into_iter().map(|found| found.finding).collect()
    }

    #[test]
    fn each_request_has_to_bring_a_vector_of_the_right_length() {
        let good = found(vec![right(Some(8)); 100], true);
        assert!(good.iter().all(|one| one.verdict == Verdict::Pass), "{good:?}");
        let mut answers = vec![right(Some(8)); 99];
        answers.push(EdgeAnswer { numbers: Some(2), ..right(Some(8)) });
        let one_short = found(answers, true).remove(0);
        assert_eq!((one_short.verdict, one_short.value, one_short.samples), (Verdict::Fail, Some(99.0), 100));
        assert_eq!(one_short.notes, ["status 200 with a vector of 2 numbers"]);
        assert_eq!(found(Vec::new(), true)[0].verdict, Verdict::Inconclusive);
    }

    #[test]
    fn the_time_of_the_function_is_known_where_it_answered_itself() {
        let slow = found(vec![right(Some(80)); 100], true).remove(1);
        assert_eq!(slow.verdict, Verdict::Fail);
        let few = found(vec![right(Some(8)); 10], true).remove(1);
        assert_eq!((few.verdict, few.value), (Verdict::Inconclusive, None));
        let passed_on = found(vec![right(None); 100], true).remove(1);
        assert_eq!(passed_on.verdict, Verdict::Inconclusive);
        assert!(passed_on.why.contains("passed the requests on"), "{}", passed_on.why);
    }

    #[test]
    fn a_region_that_is_silent_is_counted_and_this_machine_is_no_region() {
        let silent = BTreeMap::from([("us-east-1".to_owned(), RegionAnswers::Silent("no".to_owned()))]);
        let regions = |from_regions| of(&check(), &silent, from_regions).found.remove(2).finding;
        assert_eq!((regions(true).verdict, regions(true).notes), (Verdict::Fail, vec!["us-east-1: no".to_owned()]));
        assert_eq!(found(vec![right(None)], false).remove(2).verdict, Verdict::Inconclusive);
    }
}
