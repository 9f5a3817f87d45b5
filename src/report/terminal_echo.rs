//! The terminal's settings, to put them back when a question whose answer is hidden is given up.

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
