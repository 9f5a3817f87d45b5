//! Which session runs a text that is alone: a worker's, or the one that uses all cores. Both are timed at start, and again and
//! again while the server runs: a moment of noise at start must not decide for good.

use std::sync::{Mutex, PoisonError};

use super::queue::{CLASSES, class};

/// The session of all cores has to be this much faster: while it runs, nobody else has a core.
const FASTER: f64 = 0.9;
/// Once chosen it stays, unless it is slower than a worker by more than this.
const STAYS: f64 = 1.05;
/// One text of so many is run by the other session, so that a change is seen.
const TRIED: u32 = 48;
/// Weight of a text in what is known.
const WEIGHT: f64 = 0.15;
/// A text that took so many times as long as usual counts as one that took so long: others had the cores.
const OUTLIER: f64 = 1.5;

/// Seconds a token of lone texts of one class of length.
#[derive(Clone, Copy, Debug)]
struct SecondsPerToken {
    own: f64,
    all: f64,
    all_cores: bool,
    texts: u32,
}

impl SecondsPerToken {
    fn choose(&mut self) {
        let bound = if self.all_cores { STAYS } else { FASTER };
        self.all_cores = self.all < self.own * bound;
    }
}

/// What is known of both sessions.
#[derive(Debug)]
pub struct SessionChoice {
    classes: Option<Mutex<[SecondsPerToken; CLASSES]>>,
}

impl SessionChoice {
    /// There is no session that uses all cores.
    pub fn never() -> Self {
        Self { classes: None }
    }

    /// From seconds that texts of some lengths took, shortest first: by a worker's session, and by the one of all cores.
    pub fn measured(times: &[(usize, f64, f64)]) -> Self {
        let mut known = SecondsPerToken { own: f64::INFINITY, all: f64::INFINITY, all_cores: false, texts: 0 };
        let mut classes = [known; CLASSES];
        let mut measured = times.iter().peekable();
        for (number, times) in classes.iter_mut().enumerate() {
            // A class that was not measured is like the one below.
            while let Some((length, own, all)) = measured.next_if(|(length, ..)| class(*length) <= number) {
                known = SecondsPerToken { own: own / *length as f64, all: all / *length as f64, ..known };
                known.all_cores = false;
                known.choose();
            }
            *times = known;
        }
        Self { classes: Some(Mutex::new(classes)) }
    }

    /// Whether all cores are to run a text of so many tokens that is alone.
    pub fn all_cores(&self, tokens: usize) -> bool {
        let Some(classes) = &self.classes else { return false };
        let times = &mut classes.lock().unwrap_or_else(PoisonError::into_inner)[class(tokens)];
        times.texts = times.texts.wrapping_add(1);
        times.all_cores != times.texts.is_multiple_of(TRIED)
    }

    /// A text that was alone took so many seconds.
    pub fn learn(&self, tokens: usize, all_cores: bool, seconds: f64) {
        let Some(classes) = &self.classes else { return };
        let times = &mut classes.lock().unwrap_or_else(PoisonError::into_inner)[class(tokens)];
        let known = if all_cores { &mut times.all } else { &mut times.own };
        let each = seconds / tokens.max(1) as f64;
        *known = if known.is_finite() { *known + (each.min(*known * OUTLIER) - *known) * WEIGHT } else { each };
        times.choose();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Which session runs most of the next hundred texts, when they take so long.
    fn mostly(session_choice: &SessionChoice, tokens: usize, own: f64, all: f64) -> bool {
        let mut count = 0;
        for _ in 0..100 {
            let all_cores = session_choice.all_cores(tokens);
            count += usize::from(all_cores);
            session_choice.learn(tokens, all_cores, if all_cores { all } else { own });
        }
        count > 50
    }

    #[test]
    fn what_was_measured_at_start_is_used() {
        let session_choice = SessionChoice::measured(&[(8, 1.0, 0.95), (32, 2.0, 1.2), (128, 8.0, 4.5)]);
        assert_eq!(
            [9, 31, 32, 63, 200, 5000].map(|tokens| session_choice.all_cores(tokens)),
            [false, false, true, true, true, true]
        );
        assert!(!SessionChoice::never().all_cores(1000));
    }

    #[test]
    fn a_wrong_start_is_corrected() {
        let session_choice = SessionChoice::measured(&[(8, 1.0, 1.3)]);
        for _ in 0..10 {
            mostly(&session_choice, 10, 1.0, 0.6);
        }
        assert!(mostly(&session_choice, 10, 1.0, 0.6), "all cores are faster than they were at start");
        for _ in 0..10 {
            mostly(&session_choice, 10, 1.0, 1.4);
        }
        assert!(!mostly(&session_choice, 10, 1.0, 1.4), "a neighbor has taken a core");
    }

    #[test]
    fn single_outliers_change_nothing() {
        let session_choice = SessionChoice::measured(&[(8, 1.0, 0.6)]);
        session_choice.learn(10, true, 100.0);
        assert!(session_choice.all_cores(10));
        let close = SessionChoice::measured(&[(8, 1.0, 0.85)]);
        let mut left = 0;
        for number in 0..96 {
            close.learn(8, number % 2 == 0, if number % 4 < 2 { 0.9 } else { 0.95 });
            left += usize::from(!close.all_cores(8));
        }
        assert_eq!(left, 2, "it stays with what it has, and tries the other one twice");
    }
}
