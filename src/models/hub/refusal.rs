//! What an answer without the thing asked for means, and what a person can do.

use std::fmt;

use reqwest::{Response, StatusCode, Url};

use super::Hub;
use super::retry::{TryFailure, asked};
use crate::models::fault::ModelsFault;
use crate::models::name::Repo;

/// The longest message of a hub that is shown, in characters.
const SHOWN: usize = 200;

/// What a hub says of a refusal.
struct HubRefusal {
    code: String,
    message: String,
}

impl HubRefusal {
    /// `X-Error-Code` and `X-Error-Message`.
    fn of(answer: &Response) -> Self {
        let header = |name: &str| answer.headers().get(name).map(|value| String::from_utf8_lossy(value.as_bytes()));
        let text = |name: &str| header(name).unwrap_or_default().chars().take(SHOWN).collect();
        Self { code: text("x-error-code"), message: text("x-error-message") }
    }

    /// The same behind a sentence.
    fn behind(&self) -> String {
        let said = self.to_string();
        if said.is_empty() { said } else { format!(": {said}") }
    }
}

impl fmt::Display for HubRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.code.as_str(), self.message.as_str()) {
            (only, "") | ("", only) => write!(f, "{only}"),
            (code, message) => write!(f, "{message} ({code})"),
        }
    }
}

/// A refusal of the host that the hub had redirected to.
fn elsewhere(url: &Url, repo: &Repo, what: &str, said: &HubRefusal) -> ModelsFault {
    let host = url.host_str().unwrap_or_default();
    ModelsFault::Refused {
        problem: format!("{host}, where the hub stores {what} of {repo}, refuses it (403){}", said.behind()),
        next_step: "run the same command again: the hub returns a new address; if this persists, check whether a \
                    proxy of your network blocks that host"
            .to_owned(),
    }
}

impl Hub {
    /// Whether an address is of the hub itself.
    fn is_own(&self, url: &Url) -> bool {
        let of = |url: &Url| (url.host_str().map(str::to_owned), url.port_or_known_default());
        of(url) == of(&self.endpoint)
    }

    /// Why an answer cannot be used.
    pub(super) fn refusal(&self, answer: &Response, repo: &Repo, what: &str) -> TryFailure {
        let status = answer.status();
        if status == StatusCode::TOO_MANY_REQUESTS {
            return TryFailure::Limited { after: asked(answer), token: self.token.is_some() };
        }
        if status.is_server_error() || matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY) {
            return TryFailure::Again { why: format!("the hub answers {}", status.as_u16()), after: asked(answer) };
        }
        let said = HubRefusal::of(answer);
        if status == StatusCode::FORBIDDEN && !self.is_own(answer.url()) {
            return TryFailure::Expired(elsewhere(answer.url(), repo, what, &said));
        }
        let (problem, next_step) = match (status, said.code.as_str()) {
            (_, "RevisionNotFound") => self.no_revision(repo, what),
            (StatusCode::UNAUTHORIZED, code) => self.unauthorized(repo, code == "GatedRepo"),
            (StatusCode::FORBIDDEN, code) if code != "GatedRepo" && !said.message.is_empty() => (
                format!("{} refuses {what} of {repo} (403): {said}", self.host()),
                format!("check at {} what the token may read", self.page("settings/tokens")),
            ),
            (StatusCode::FORBIDDEN, _) => self.forbidden(repo),
            (StatusCode::NOT_FOUND, _) => (
                format!("{repo} does not exist at {}, or it is private ({what}: 404)", self.host()),
                format!("search for its name at {}", self.page("models")),
            ),
            _ => (
                format!("{} refuses {what} of {repo} ({}){}", self.host(), status.as_u16(), said.behind()),
                "run the same command again later".to_owned(),
            ),
        };
        TryFailure::Final(ModelsFault::Refused { problem, next_step })
    }

    fn no_revision(&self, repo: &Repo, what: &str) -> (String, String) {
        let problem = format!("{repo} has no such revision ({what})");
        (problem, format!("its branches and tags are at {}/tree/main", self.page(&repo.to_string())))
    }

    fn unauthorized(&self, repo: &Repo, gated: bool) -> (String, String) {
        if self.token.is_some() {
            let problem = format!("{} does not accept the token for {repo} (401)", self.host());
            return (problem, format!("make a new one at {} and set HF_TOKEN", self.page("settings/tokens")));
        }
        let why = if gated { "it is gated" } else { "it is gated or private, or does not exist" };
        let problem = format!("{repo} is not public: {why} (401, no token was sent)");
        let check = if gated { "" } else { "check its name; " };
        (problem, format!("{check}{}", self.license(repo)))
    }

    fn forbidden(&self, repo: &Repo) -> (String, String) {
        if self.token.is_none() {
            return (format!("{repo} is gated (403, no token was sent)"), self.license(repo));
        }
        let problem = format!("the token's owner may not read {repo}: its license is not accepted yet (403)");
        (problem, format!("accept it at {}, then run the same command again", self.page(&repo.to_string())))
    }

    fn license(&self, repo: &Repo) -> String {
        format!(
            "accept its license at {}, then set HF_TOKEN to a token from {}",
            self.page(&repo.to_string()),
            self.page("settings/tokens")
        )
    }

    fn page(&self, path: &str) -> String {
        let mut base = self.endpoint.clone();
        // Neither belongs into a message.
        let _ = base.set_username("").and_then(|()| base.set_password(None));
        format!("{}/{path}", base.as_str().trim_end_matches('/'))
    }
}
