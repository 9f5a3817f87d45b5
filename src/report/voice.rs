//! The one printer: data goes to standard output, talk to standard error.

use console::Style;
use serde::Serialize;
use serde_json::{Value, json};

use crate::cli::Global;
use crate::session::Session;

/// Version of every JSON document: it changes when a field changes its meaning or goes.
pub const SCHEMA: u32 = 1;

/// Where words and data go.
#[derive(Clone, Debug)]
pub struct Voice {
    /// JSON is wanted.
    pub json: bool,
    quiet: bool,
    /// Colours are wanted.
    pub colour: bool,
    /// How much is said besides.
    pub verbose: u8,
}

/// Whom the tool talks to.
#[derive(Clone, Debug, Serialize)]
pub struct Header {
    /// Name of the stack.
    pub stack: String,
    /// Plan file.
    pub plan: Option<String>,
    /// Account number.
    pub account: String,
    /// ARN of the caller.
    pub caller: String,
    /// Region for calls that name none.
    pub region: String,
    /// Endpoints in use: `AWS`, the URL that stands in for it, and each service with one of its own.
    pub endpoint: String,
    /// Where the journal lies.
    pub state: String,
}

/// Writes a line to standard output. A reader that went away (`| head`) is no fault of ours.
pub fn put(text: &str) {
    use std::io::Write;
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}

/// Says on standard error what a run waits for.
pub fn remark(text: &str) {
    eprintln!("{text}");
}

/// Asks for something that nobody must see; empty when there is no answer.
pub fn ask_secret(question: &str) -> String {
    eprint!("{question}");
    console::Term::stderr().read_secure_line().unwrap_or_default()
}

/// A JSON document, marked with its schema.
pub fn document<T: Serialize>(name: &str, body: &T) -> String {
    let mut document = json!({"schema": format!("akidb-edge/{name}/v{SCHEMA}")});
    if let (Some(all), Ok(Value::Object(fields))) = (document.as_object_mut(), serde_json::to_value(body)) {
        all.extend(fields);
    }
    serde_json::to_string_pretty(&document).unwrap_or_default()
}

impl Voice {
    /// A voice for these surroundings.
    pub fn new(session: &Session, global: &Global) -> Self {
        Self { json: global.json, quiet: global.quiet, colour: session.colour, verbose: global.verbose }
    }

    fn style(&self, style: Style) -> Style {
        style.force_styling(self.colour)
    }

    /// The header line.
    pub fn header(&self, header: &Header) {
        let plan = header.plan.as_ref().map_or(String::new(), |plan| format!("  plan {plan}"));
        let stack = self.style(Style::new().bold()).apply_to(&header.stack).to_string();
        let place = if header.account.is_empty() {
            header.endpoint.clone()
        } else {
            format!("account {}  region {}  endpoint {}", header.account, header.region, header.endpoint)
        };
        let facts = format!("{place}  state {}", header.state);
        self.talk(&format!("{stack}{plan}\n{}", self.style(Style::new().dim()).apply_to(facts)));
    }

    /// Something for a person, on standard error; nothing when quiet.
    pub fn talk(&self, text: &str) {
        if !self.quiet {
            eprintln!("{text}");
        }
    }

    /// A remark that does not stop anything.
    pub fn remark(&self, text: &str) {
        let word = self.style(Style::new().yellow()).apply_to("warning:").to_string();
        self.talk(&format!("{word} {text}"));
    }

    /// A failure.
    pub fn failure(&self, text: &str) {
        let style = Style::new().red().bold().for_stderr();
        let word = self.style(style).apply_to("error:").to_string();
        eprintln!("{word} {text}");
    }

    /// Data, on standard output; with --json only documents go there.
    pub fn data(&self, text: &str) {
        if self.json {
            self.talk(text);
        } else {
            put(text.trim_end());
        }
    }

    /// One JSON document on standard output, marked with its schema.
    pub fn json<T: Serialize>(&self, name: &str, body: &T) {
        put(&document(name, body));
    }

    /// Asks for something that nobody must see; empty when there is no answer.
    pub fn ask_secret(&self, question: &str) -> String {
        ask_secret(question)
    }

    /// Asks a yes-or-no question; anything but yes is no.
    pub fn ask(&self, question: &str) -> bool {
        eprint!("{question} [y/N] ");
        let mut answer = String::new();
        let read = std::io::stdin().read_line(&mut answer);
        read.is_ok() && matches!(answer.trim().to_lowercase().as_str(), "y" | "yes")
    }
}
