//! Progress: a line for each step at work on a terminal, plain lines elsewhere. Always on standard error.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use console::Style;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::duration;
use super::fit::{SHORTEST, Screen, fitted, without_middle};
use super::outcome::shortened;
use super::output::{painted, printable, say};
use super::progress::Progress;
use crate::resource::{Action, Address, Changes, Event, EventListener, SafeText, ToSafeText, shown};

/// Columns of an address, where there is room.
const ADDRESS: usize = 44;

/// Shows events to a person.
pub struct Terminal {
    bars: Option<MultiProgress>,
    running: Mutex<BTreeMap<Address, ProgressBar>>,
    quiet: bool,
    screen: Screen,
    /// Waits are told line by line, too.
    waits: bool,
    progress: Progress,
    notices: Mutex<Vec<SafeText>>,
}

impl Terminal {
    /// Bars on a terminal, lines elsewhere, nothing when quiet.
    pub fn new(terminal: bool, quiet: bool, color: bool) -> Self {
        let bars =
            (terminal && !quiet).then(|| MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(12)));
        Self {
            bars,
            running: Mutex::default(),
            quiet,
            screen: Screen::of_errors(color),
            waits: false,
            progress: Progress::default(),
            notices: Mutex::default(),
        }
    }

    /// The same, saying how many of these changes are done, and with `waits` what is waited for.
    #[must_use]
    pub fn of(self, changes: &Changes, waits: bool) -> Self {
        Self { progress: Progress::of(changes), waits, ..self }
    }

    /// What a person has to know or do, in the order in which it was said.
    pub fn notices(&self) -> Vec<SafeText> {
        self.notices.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn running(&self) -> MutexGuard<'_, BTreeMap<Address, ProgressBar>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn line(&self, text: impl Into<SafeText>) {
        if !self.quiet {
            put_line(self.bars.as_ref(), fitted(&text.into(), self.screen, false));
        }
    }

    fn begin(&self, address: &Address, action: Action, usual_seconds: u32) {
        let Some(bars) = &self.bars else { return };
        let style = ProgressStyle::with_template("  {spinner} {prefix} {elapsed:>4} of about {msg}")
            .unwrap_or_else(|_| ProgressStyle::default_spinner());
        let bar = bars.add(ProgressBar::new_spinner().with_style(style));
        bar.set_prefix(self.bar_name(action, address));
        bar.set_message(bar_text(&shown!("{} s", usual_seconds)));
        bar.enable_steady_tick(Duration::from_millis(120));
        if let Some(old) = self.running().insert(address.clone(), bar) {
            old.finish_and_clear();
        }
    }

    /// The columns that leave room for the times and a state.
    fn bar_name(&self, action: Action, address: &Address) -> String {
        const REST: usize = 40;
        let room = (ADDRESS + 8).min(self.screen.width.saturating_sub(REST).max(SHORTEST));
        let name = bar_text(&shown!("{} {}", action.word(), address));
        format!("{:<room$}", without_middle(&name, room))
    }

    fn end(&self, address: &Address) {
        if let Some(bar) = self.running().remove(address) {
            bar.finish_and_clear();
        }
    }

    fn mark(&self, style: Style, mark: &'static str) -> SafeText {
        painted(self.screen.color, style, mark)
    }

    /// `[12/34] ✓ create  cdn.distribution.main    2.4 s  E1ABC`. In a narrow terminal the id gives way.
    fn row(&self, address: &Address, action: Action, took_ms: u64, id: &str) -> SafeText {
        let count = self.progress.after(address);
        let (mark, took) = (self.mark(Style::new().green(), "✓"), duration(took_ms));
        let name = address.to_string();
        // Beside the name and the id: the indent, the mark, the action, the time and what is between them.
        let rest = 2 + count.len() + 10 + 1 + took.len().max(8) + 2;
        let room = self.screen.width.saturating_sub(rest + name.len().max(ADDRESS));
        let (columns, room) = if room >= SHORTEST {
            (ADDRESS, room)
        } else {
            (name.len(), self.screen.width.saturating_sub(rest + name.len()))
        };
        let name = format!("{name:<columns$}");
        let id = shortened(id);
        let id = if room < SHORTEST { String::new() } else { without_middle(&id, room).into_owned() };
        shown!("  {}{} {:<8}{} {:>8}  {}", count, mark, action.word(), name, took, id).trimmed()
    }
}

impl EventListener for Terminal {
    fn tell(&self, event: &Event) {
        match event {
            Event::Started { address, action, usual_seconds, .. } => self.begin(address, *action, *usual_seconds),
            Event::Waiting { address, state } => {
                if let Some(bar) = self.running().get(address) {
                    bar.set_message(bar_text(&shown!("… {}", state)));
                }
                if self.waits {
                    self.line(shown!("  … {}: {}", address, state));
                }
            }
            Event::Retrying { address, attempt, after_ms, fault } => {
                self.line(shown!("  ↻ {}: try {} in {}: {}", address, attempt, duration(*after_ms), fault.code));
            }
            Event::Finished { address, action, id, took_ms, .. } => {
                self.end(address);
                self.line(self.row(address, *action, *took_ms, &id.line()));
            }
            Event::Notice { text, .. } => {
                self.notices.lock().unwrap_or_else(PoisonError::into_inner).push(text.into());
                self.line(text);
            }
            Event::Deferred { address, reason } => {
                self.end(address);
                self.line(shown!("  {}… later   {}: {}", self.progress.after(address), address, reason));
            }
            Event::Failed { address, action, fault } => {
                self.end(address);
                let (count, mark) = (self.progress.after(address), self.mark(Style::new().red(), "✗"));
                self.line(shown!("  {}{} {:<8}{}: {}", count, mark, action.word(), address, fault.shown()));
            }
            Event::Skipped { .. } => {}
            Event::Stopping => self.line("  stopping: operations in progress are finished, no new ones are started"),
        }
    }
}

/// Shows files as they come: a bar for each on a terminal, a line for each that is here elsewhere.
pub struct TransferProgress {
    bars: Option<MultiProgress>,
    running: Mutex<BTreeMap<String, ProgressBar>>,
    quiet: bool,
    color: bool,
}

impl TransferProgress {
    /// Bars on a terminal, lines elsewhere, nothing when quiet.
    pub fn new(terminal: bool, quiet: bool, color: bool) -> Self {
        let Terminal { bars, .. } = Terminal::new(terminal, quiet, color);
        Self { bars, running: Mutex::default(), quiet, color }
    }

    fn running(&self) -> MutexGuard<'_, BTreeMap<String, ProgressBar>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A file begins to come, or goes on from a byte.
    pub fn begin(&self, file: &str, size: u64, here: u64) {
        let Some(bars) = &self.bars else { return };
        let form = "  {prefix:<44} {bar:24} {bytes:>10} of {total_bytes:<10} {bytes_per_sec:>12} {eta:>4}";
        let style = ProgressStyle::with_template(form).unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar = bars.add(ProgressBar::new(size).with_style(style).with_position(here));
        bar.set_prefix(bar_text(&file.to_shown()));
        bar.reset_eta();
        if let Some(old) = self.running().insert(file.to_owned(), bar) {
            old.finish_and_clear();
        }
    }

    /// So many bytes are here.
    pub fn moved(&self, file: &str, here: u64) {
        if let Some(bar) = self.running().get(file) {
            bar.set_position(here);
        }
    }

    /// A file is whole and right.
    pub fn end(&self, file: &str, size: u64) {
        if let Some(bar) = self.running().remove(file) {
            bar.finish_and_clear();
        }
        let mark = painted(self.color, Style::new().green(), "✓");
        self.line(shown!("  {} {:<44} {:>9}", mark, file, super::size(size)));
    }

    /// Something else to say.
    pub fn line(&self, text: impl Into<SafeText>) {
        if !self.quiet {
            put_line(self.bars.as_ref(), text.into());
        }
    }
}

/// A text beside a bar.
fn bar_text(text: &SafeText) -> String {
    printable(text).into_owned()
}

/// A line above the bars, or at the end of standard error when there are none.
fn put_line(bars: Option<&MultiProgress>, text: SafeText) {
    match bars {
        Some(bars) => drop(bars.println(printable(&text))),
        None => say(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::Kind;

    #[test]
    fn a_row_of_progress_fits_the_terminal() {
        let at = |width: usize, name: &str| {
            let mut terminal = Terminal::new(false, false, false);
            terminal.screen = Screen { width, color: false };
            let address = Address::new("cdn", Kind::Distribution, name);
            terminal.row(&address, Action::Create, 2_400, "d111111abcdef8.cloudfront.net").to_string()
        };
        let aligned = format!("{:<44}", "cdn.distribution.main");
        assert_eq!(at(usize::MAX, "main"), format!("  ✓ create  {aligned}    2.4 s  d111111abcdef8.cloudfront.net"));
        assert_eq!(at(80, "main"), format!("  ✓ create  {aligned}    2.4 s  d11111…nt.net"));
        // The id goes before the name does.
        let long = "canary-latency-of-the-region-eu-central-1";
        assert_eq!(at(80, long), format!("  ✓ create  cdn.distribution.{long}    2.4 s"));
        for width in [60, 70, 80, 100, 120] {
            assert!(at(width, "main").chars().count() <= width, "{width}: {}", at(width, "main"));
        }
    }
}
