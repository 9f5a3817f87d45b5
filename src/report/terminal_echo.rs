//! The terminal's settings, restored when a hidden prompt is canceled.

use std::io::stderr;

use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};

/// How the terminal at standard error is set; none when there is none.
pub struct TerminalEcho(Option<Termios>);

impl TerminalEcho {
    /// As it is now.
    pub fn now() -> Self {
        Self(tcgetattr(stderr()).ok())
    }

    /// As it was then. A terminal that is gone meanwhile shows nothing to anybody.
    pub fn restore(&self) {
        if let Some(settings) = &self.0 {
            let _ = tcsetattr(stderr(), OptionalActions::Now, settings);
        }
    }
}
