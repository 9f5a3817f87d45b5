//! Cases that go wrong on purpose: whether a panic, the end of a process, a hang, and memory are found.

use super::files::{Ended, ended};

/// With this seed each case leaves memory behind, with others some cases go wrong at once.
pub const LEAKS: u64 = 1;
/// What a case leaves behind.
const LEFT: usize = 64 << 10;
/// What a case takes that takes too much.
const LARGE: usize = 512 << 20;

pub fn case(seed: u64, number: u64) -> Ended {
    match number {
        _ if seed == LEAKS => {
            // Written, or no memory would be taken.
            std::mem::forget(vec![1_u8; LEFT]);
            Ended::Good
        }
        2 => ended(|| panic!("on purpose")),
        4 => std::process::abort(),
        6 => loop {
            std::thread::park();
        },
        8 => {
            drop(std::hint::black_box(vec![1_u8; LARGE]));
            Ended::Good
        }
        _ => Ended::Refused,
    }
}
