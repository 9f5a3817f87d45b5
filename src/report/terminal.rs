//! Progress: a line for each step at work on a terminal, plain lines elsewhere. Always on standard error.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use console::Style;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::duration;
use super::output::{painted, printable, say};
use crate::resource::{Action, Address, Event, EventListener, SafeText, ToSafeText, shown};

/// Shows events to a person.
pub struct Terminal {
    bars: Option<MultiProgress>,
    running: Mutex<BTreeMap<Address, ProgressBar>>,
    quiet: bool,
    color: bool,
}

impl Terminal {
    /// Bars on a terminal, lines elsewhere, nothing when quiet.
    pub fn new(terminal: bool, quiet: bool, color: bool) -> Self {
        let bars =
            (terminal && !quiet).then(|| MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(12)));
        Self { bars, running: Mutex::default(), quiet, color }
    }

    fn running(&self) -> MutexGuard<'_, BTreeMap<Address, ProgressBar>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn line(&self, text: impl Into<SafeText>) {
        if !self.quiet {
            put_line(self.bars.as_ref(), text.into());
        }
    }

    fn begin(&self, address: &Address, action: Action, usual_seconds: u32) {
        let Some(bars) = &self.bars else { return };
        let style = ProgressStyle::with_template("  {spinner} {prefix:<52} {elapsed:>4} of about {msg}")
            .unwrap_or_else(|_| ProgressStyle::default_spinner());
        let bar = bars.add(ProgressBar::new_spinner().with_style(style));
        bar.set_prefix(bar_text(&shown!("{} {}", action.word(), address)));
        bar.set_message(bar_text(&shown!("{} s", usual_seconds)));
        bar.enable_steady_tick(Duration::from_millis(120));
        if let Some(old) = self.running().insert(address.clone(), bar) {
            old.finish_and_clear();
        }
    }

    fn end(&self, address: &Address) {
        if let Some(bar) = self.running().remove(address) {
            bar.finish_and_clear();
        }
    }

    fn mark(&self, style: Style, mark: &'static str) -> SafeText {
        painted(self.color, style, mark)
    }
}

impl EventListener for Terminal {
    fn tell(&self, event: &Event) {
        match event {
            Event::Started { address, action, usual_seconds, .. } => self.begin(address, *action, *usual_seconds),
            Event::Waiting { address, state } => {
                let running = self.running();
                match running.get(address) {
                    Some(bar) => bar.set_message(bar_text(&shown!("… {}", state))),
                    None => {
                        drop(running);
                        self.line(shown!("  … {}: {}", address, state));
                    }
                }
            }
            Event::Retrying { address, attempt, after_ms, fault } => {
                self.line(shown!("  ↻ {}: try {} in {}: {}", address, attempt, duration(*after_ms), fault.code));
            }
            Event::Finished { address, action, id, took_ms, .. } => {
                self.end(address);
                let mark = self.mark(Style::new().green(), "✓");
                let id = super::outcome::shortened(&id.line());
                self.line(shown!("  {} {:<8}{:<44} {:>8}  {}", mark, action.word(), address, duration(*took_ms), id));
            }
            Event::Notice { text, .. } => self.line(text),
            Event::Deferred { address, reason } => {
                self.end(address);
                self.line(shown!("  … later   {}: {}", address, reason));
            }
            Event::Failed { address, action, fault } => {
                self.end(address);
                let mark = self.mark(Style::new().red(), "✗");
                self.line(shown!("  {} {:<8}{}: {}", mark, action.word(), address, fault.shown()));
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
