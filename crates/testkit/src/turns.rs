//! Tests of one binary that must not all run at the same time.

use std::path::Path;
use std::sync::{Condvar, Mutex, PoisonError};

/// So many tests run at a time.
pub struct Turns {
    free: Mutex<usize>,
    given_back: Condvar,
}

/// The turn of a test; it ends with this value.
#[must_use = "the turn ends when this is dropped"]
pub struct Turn(&'static Turns);

impl Turns {
    pub const fn of(places: usize) -> Self {
        Self { free: Mutex::new(places), given_back: Condvar::new() }
    }

    /// Waits for a place.
    pub fn take(&'static self) -> Turn {
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let mut free = self.given_back.wait_while(free, |free| *free == 0).unwrap_or_else(PoisonError::into_inner);
        *free -= 1;
        Turn(self)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        *self.0.free.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.0.given_back.notify_one();
    }
}

/// The files of a folder in which not every test takes its turn; `main.rs` is not looked at.
pub fn missing_in(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for path in std::fs::read_dir(folder).expect("a folder of tests").map(|entry| entry.expect("an entry").path()) {
        if path.is_dir() {
            found.extend(missing_in(&path));
            continue;
        }
        if path.extension().is_none_or(|end| end != "rs") || path.ends_with("main.rs") {
            continue;
        }
        let text = std::fs::read_to_string(&path).expect("a file of tests");
        let count = |is: fn(&str) -> bool| text.lines().filter(|line| is(line.trim())).count();
        let tests = count(|line| line == "#[test]" || line.starts_with("#[tokio::test"));
        if tests != count(|line| line == "let _turn = crate::turn();") {
            found.push(path.display().to_string());
        }
    }
    found
}
