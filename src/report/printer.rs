//! The only printer: data goes to standard output, messages to standard error.

use std::sync::{Arc, Mutex, PoisonError};

use console::Style;
use serde::Serialize;
use serde_json::{Value, json};

use super::counted;
use super::fit::Screen;
use super::former_fields::add_new_names;
use super::machines::names;
use super::output::{painted, put, put_json, say, say_open, styled};
use super::terminal_echo::TerminalEcho;
use crate::cli::Global;
use crate::interrupts::Interrupts;
use crate::resource::sensitive::hide;
use crate::resource::{PlatformIdentity, SafeText, ToSafeText, shown};
use crate::session::Session;

/// Version of every JSON document: it changes when a field changes its meaning or goes.
pub const SCHEMA: u32 = 1;

/// Where words and data go.
#[derive(Clone, Debug)]
pub struct Printer {
    /// JSON is wanted.
    pub json: bool,
    quiet: bool,
    /// Colors are wanted.
    pub color: bool,
    /// How much is said besides.
    pub verbose: u8,
    interrupts: Interrupts,
    /// What goes to standard output at the end, with --json.
    held: Arc<Mutex<PendingDocument>>,
}

/// The one document of a run, and the words that stand in for it when the verb has none of its own.
#[derive(Debug, Default)]
struct PendingDocument {
    document: Option<Value>,
    said: Vec<SafeText>,
}

/// The stack, account and endpoint that a run works with.
#[derive(Clone, Debug, Serialize)]
pub struct RunHeader {
    /// Name of the stack.
    pub stack: String,
    /// Name of the stack of the devices, when the run spans both.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub devices: Option<String>,
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
    /// The identity in each platform of the run.
    #[serde(rename = "worlds")]
    pub platforms: Vec<PlatformIdentity>,
}

impl RunHeader {
    /// The stacks that the run works on: `s`, `s and s-devices`.
    pub fn stacks(&self) -> String {
        self.devices.as_ref().map_or_else(|| self.stack.clone(), |devices| format!("{} and {devices}", self.stack))
    }
}

/// The line of a platform in the header.
fn place(platform: &PlatformIdentity, header: &RunHeader) -> Option<SafeText> {
    match platform {
        PlatformIdentity::Aws { account, .. } => {
            Some(shown!("account {}  region {}  endpoint {}", account, header.region, header.endpoint))
        }
        PlatformIdentity::Devices { hosts } => {
            let all: Vec<String> = hosts.iter().cloned().collect();
            Some(shown!("{} over SSH: {}", counted(all.len(), "device"), names(&all)))
        }
        PlatformIdentity::Cluster { name } => Some(shown!("Kubernetes cluster {}", name)),
        PlatformIdentity::Other => None,
    }
}

/// Asks for something that the terminal does not show; empty when there is no answer, or when a signal came instead.
pub fn ask_secret(interrupts: &Interrupts, question: impl Into<SafeText>) -> String {
    say_open(question);
    let echo = TerminalEcho::now();
    let read = || console::Term::stderr().read_secure_line().unwrap_or_default();
    interrupts.unless_asked(read).unwrap_or_else(|| {
        echo.restore();
        String::new()
    })
}

/// A JSON document, marked with its schema, without sensitive values and the contents of files.
pub fn document<T: Serialize>(name: &str, body: &T) -> Value {
    let mut document = json!({"schema": format!("akidb-edge/{name}/v{SCHEMA}")});
    if let (Some(all), Ok(Value::Object(fields))) = (document.as_object_mut(), serde_json::to_value(body)) {
        all.extend(fields);
    }
    add_new_names(&mut document);
    hide(&mut document);
    document
}

impl Printer {
    /// A printer for this environment.
    pub fn new(session: &Session, global: &Global) -> Self {
        styled(session.color);
        Self {
            json: global.json,
            quiet: global.quiet,
            color: session.color,
            verbose: global.verbose,
            interrupts: session.interrupts.clone(),
            held: Arc::default(),
        }
    }

    /// The header line.
    pub fn header(&self, header: &RunHeader) {
        let plan = header.plan.as_ref().map_or_else(SafeText::default, |plan| shown!("  plan {}", plan));
        let stack = painted(self.color, Style::new().bold(), header.stacks());
        let mut places: Vec<SafeText> =
            header.platforms.iter().filter_map(|platform| place(platform, header)).collect();
        if places.is_empty() {
            places.push(header.endpoint.to_shown());
        }
        let facts = shown!("{}  state {}", SafeText::join(&places, "\n"), header.state);
        self.talk(shown!("{}{}\n{}", stack, plan, painted(self.color, Style::new().dim(), &facts)));
    }

    /// A message on standard error, in rows that fit the terminal; nothing when quiet.
    pub fn talk(&self, text: impl Into<SafeText>) {
        if !self.quiet {
            say(self.fitted(&text.into()));
        }
    }

    /// A warning: the run goes on.
    pub fn remark(&self, text: impl Into<SafeText>) {
        let text: SafeText = text.into();
        self.talk(shown!("{} {}", painted(self.color, Style::new().yellow(), "warning:"), text));
    }

    /// A failure.
    pub fn failure(&self, text: impl Into<SafeText>) {
        let text: SafeText = text.into();
        say(self.fitted(&shown!("{} {}", painted(self.color, Style::new().red().bold(), "error:"), text)));
    }

    /// Data, on standard output; with --json only documents go there.
    pub fn data(&self, text: impl Into<SafeText>) {
        let text: SafeText = text.into();
        if self.json {
            self.held(|held| held.said.push(text.clone().trimmed()));
            self.talk(text);
        } else {
            put(text.trimmed());
        }
    }

    /// A JSON document, marked with its schema. With --json it is that of this run and is printed when the run has ended:
    /// there is only one.
    pub fn json<T: Serialize>(&self, name: &str, body: &T) {
        if self.json {
            self.held(|held| held.document = Some(document(name, body)));
        } else {
            put_json(&document(name, body));
        }
    }

    /// Prints the one JSON document of a run with its exit code; what went wrong after it was made is in it, too.
    pub fn finish(&self, verb: &str, code: u8, error: Option<Value>) {
        if self.json {
            put_json(&self.last(verb, code, error));
        }
    }

    fn last(&self, verb: &str, code: u8, error: Option<Value>) -> Value {
        let (document, said) = self.held(|held| (held.document.take(), std::mem::take(&mut held.said)));
        let mut document = match (document, error) {
            (Some(mut document), Some(error)) => {
                document["error"] = error;
                document
            }
            (Some(document), None) => document,
            (None, Some(error)) => self::document("error", &error),
            (None, None) => self::document(verb, &json!({"said": said})),
        };
        document["exit"] = code.into();
        document
    }

    /// In rows that fit the terminal at standard error.
    fn fitted(&self, text: &SafeText) -> SafeText {
        Screen::of_errors(self.color).rows(text)
    }

    fn held<T>(&self, work: impl FnOnce(&mut PendingDocument) -> T) -> T {
        work(&mut self.held.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Asks for something that the terminal does not show; empty when there is no answer.
    pub fn ask_secret(&self, question: impl Into<SafeText>) -> String {
        ask_secret(&self.interrupts, question)
    }

    /// Asks a yes-or-no question; anything but yes is no.
    pub fn ask(&self, question: impl Into<SafeText>) -> bool {
        let question: SafeText = question.into();
        say_open(shown!("{} ", self.fitted(&shown!("{} [y/N]", question))));
        let read = || {
            let mut answer = String::new();
            std::io::stdin().read_line(&mut answer).is_ok().then_some(answer)
        };
        let answer = self.interrupts.unless_asked(read).flatten().unwrap_or_default();
        let answer = answer.trim().to_lowercase();
        if !matches!(answer.as_str(), "" | "n" | "no" | "y" | "yes") {
            self.talk(shown!("{:?} is taken as no", answer));
        }
        matches!(answer.as_str(), "y" | "yes")
    }

    /// Asks for a word; empty when there is no answer, or when a signal came instead.
    pub fn ask_text(&self, question: impl Into<SafeText>) -> String {
        say_open(self.fitted(&question.into()));
        let read = || {
            let mut answer = String::new();
            std::io::stdin().read_line(&mut answer).is_ok().then_some(answer)
        };
        let answer = self.interrupts.unless_asked(read).flatten().unwrap_or_default();
        answer.trim().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_world_has_its_line() {
        let header = RunHeader {
            stack: "s".to_owned(),
            devices: None,
            plan: None,
            account: "123456789012".to_owned(),
            caller: "arn:aws:iam::123456789012:user/me".to_owned(),
            region: "us-east-1".to_owned(),
            endpoint: "AWS".to_owned(),
            state: "file:.akidb-edge".to_owned(),
            platforms: Vec::new(),
        };
        assert_eq!(header.stacks(), "s");
        let both = RunHeader { devices: Some("s-devices".to_owned()), ..header.clone() };
        assert_eq!(both.stacks(), "s and s-devices");
        let said = |platform: PlatformIdentity| place(&platform, &header).unwrap_or_default();
        let (account, caller) = (header.account.clone(), header.caller.clone());
        assert_eq!(
            said(PlatformIdentity::Aws { account, caller }),
            "account 123456789012  region us-east-1  endpoint AWS"
        );
        let hosts = (1..=3).map(|number| format!("jetson-0{number}")).collect();
        assert_eq!(said(PlatformIdentity::Devices { hosts }), "3 devices over SSH: jetson-01 … jetson-03");
        let name = "jetson-01\u{1b}[2J".to_owned();
        assert_eq!(said(PlatformIdentity::Cluster { name }), "Kubernetes cluster jetson-01\\u{1b}[2J");
    }

    #[test]
    fn what_goes_wrong_after_the_outcome_is_in_its_document() {
        let printer = Printer {
            json: true,
            quiet: true,
            color: false,
            verbose: 0,
            interrupts: Interrupts::default(),
            held: Arc::default(),
        };
        printer.json("deploy", &json!({"outcome": "all of it"}));
        let error = json!({"problem": "the lease cannot be given back", "next_step": ""});
        let document = printer.last("deploy", 1, Some(error.clone()));
        let schema = "akidb-edge/deploy/v1";
        assert_eq!(document, json!({"schema": schema, "outcome": "all of it", "exit": 1, "error": error}));
        printer.data("words");
        let document = printer.last("state-unlock", 0, None);
        assert_eq!(
            document,
            json!({"schema": "akidb-edge/state-unlock/v1", "said": ["words"], "messages": ["words"], "exit": 0})
        );
    }
}
