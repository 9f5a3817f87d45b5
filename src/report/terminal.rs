//! Progress: a line for each step at work on a terminal, plain lines elsewhere. Always on standard error.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use console::Style;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::duration;
use super::output::{printable, say};
use crate::resource::untrusted::line;
use crate::resource::{Action, Address, Event, Listener};

/// Shows events to a person.
pub struct Terminal {
    bars: Option<MultiProgress>,
    running: Mutex<BTreeMap<Address, ProgressBar>>,
    quiet: bool,
    colour: bool,
}

impl Terminal {
    /// Bars on a terminal, lines elsewhere, nothing when quiet.
    pub fn new(terminal: bool, quiet: bool, colour: bool) -> Self {
        let bars =
            (terminal && !quiet).then(|| MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(12)));
        Self { bars, running: Mutex::default(), quiet, colour }
    }

    fn running(&self) -> MutexGuard<'_, BTreeMap<Address, ProgressBar>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn line(&self, text: &str) {
        match &self.bars {
            _ if self.quiet => {}
            Some(bars) => drop(bars.println(printable(text))),
            None => say(text),
        }
    }

    fn begin(&self, address: &Address, action: Action, usual_seconds: u32) {
        let Some(bars) = &self.bars else { return };
        let style = ProgressStyle::with_template("  {spinner} {prefix:<52} {elapsed:>4} of about {msg}")
            .unwrap_or_else(|_| ProgressStyle::default_spinner());
        let bar = bars.add(ProgressBar::new_spinner().with_style(style));
        bar.set_prefix(format!("{} {address}", action.word()));
        bar.set_message(format!("{usual_seconds} s"));
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

    fn mark(&self, style: Style, mark: &str) -> String {
        style.force_styling(self.colour).apply_to(mark).to_string()
    }
}

impl Listener for Terminal {
    fn tell(&self, event: &Event) {
        match event {
            Event::Started { address, action, usual_seconds, .. } => self.begin(address, *action, *usual_seconds),
            Event::Waiting { address, state } => {
                let running = self.running();
                match running.get(address) {
                    Some(bar) => bar.set_message(printable(&format!("… {}", state.line())).into_owned()),
                    None => {
                        drop(running);
                        self.line(&format!("  … {address}: {}", state.line()));
                    }
                }
            }
            Event::Retrying { address, attempt, after_ms, fault } => {
                self.line(&format!("  ↻ {address}: try {attempt} in {}: {}", duration(*after_ms), fault.code.line()));
            }
            Event::Finished { address, action, id, took_ms, .. } => {
                self.end(address);
                let mark = self.mark(Style::new().green(), "✓");
                let id = super::outcome::shortened(&id.line());
                self.line(&format!("  {mark} {:<8}{address:<44} {:>8}  {id}", action.word(), duration(*took_ms)));
            }
            Event::Notice { text, .. } => self.line(&text.line()),
            Event::Deferred { address, reason } => {
                self.end(address);
                self.line(&format!("  … later   {address}: {}", reason.line()));
            }
            Event::Failed { address, action, fault } => {
                self.end(address);
                let mark = self.mark(Style::new().red(), "✗");
                self.line(&format!("  {mark} {:<8}{address}: {fault}", action.word()));
            }
            Event::Skipped { .. } => {}
            Event::Stopping => self.line("  stopping: what is under way is finished, nothing new is begun"),
        }
    }
}

/// Shows files as they come: a bar for each on a terminal, a line for each that is here elsewhere.
pub struct Transfers {
    bars: Option<MultiProgress>,
    running: Mutex<BTreeMap<String, ProgressBar>>,
    quiet: bool,
    colour: bool,
}

impl Transfers {
    /// Bars on a terminal, lines elsewhere, nothing when quiet.
    pub fn new(terminal: bool, quiet: bool, colour: bool) -> Self {
        let Terminal { bars, .. } = Terminal::new(terminal, quiet, colour);
        Self { bars, running: Mutex::default(), quiet, colour }
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
        bar.set_prefix(printable(&line(file)).into_owned());
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
        let mark = Style::new().green().force_styling(self.colour).apply_to("✓").to_string();
        self.line(&format!("  {mark} {file:<44} {:>9}", super::size(size)));
    }

    /// Something else to say.
    pub fn line(&self, text: &str) {
        match &self.bars {
            _ if self.quiet => {}
            Some(bars) => drop(bars.println(printable(text))),
            None => say(text),
        }
    }
}
