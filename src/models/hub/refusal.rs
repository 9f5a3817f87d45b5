//! What an answer without the thing asked for means, and what a person can do.

use reqwest::{Response, StatusCode};

use super::Hub;
use super::again::{Trouble, asked};
use crate::models::fault::ModelsFault;
use crate::models::name::Repo;

impl Hub {
    /// Why an answer is no good.
    pub(super) fn refusal(&self, answer: &Response, repo: &Repo, what: &str) -> Trouble {
        let status = answer.status();
        let again = status.is_server_error()
            || matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY);
        if again {
            return Trouble::Again { why: format!("the hub answers {}", status.as_u16()), after: asked(answer) };
        }
        let code = answer.headers().get("x-error-code").and_then(|value| value.to_str().ok()).unwrap_or_default();
        let (problem, next_step) = match (status, code) {
            (_, "RevisionNotFound") => self.no_revision(repo, what),
            (StatusCode::UNAUTHORIZED, _) => self.unauthorised(repo, code == "GatedRepo"),
            (StatusCode::FORBIDDEN, _) => self.forbidden(repo),
            (StatusCode::NOT_FOUND, _) => (
                format!("{repo} is not at {}, or it is private ({what}: 404)", self.host()),
                format!("look for its name at {}", self.page("models")),
            ),
            _ => (
                format!("{} refuses {what} of {repo} ({})", self.host(), status.as_u16()),
                "run the same command again later".to_owned(),
            ),
        };
        Trouble::Final(ModelsFault::Refused { problem, next_step })
    }

    fn no_revision(&self, repo: &Repo, what: &str) -> (String, String) {
        let problem = format!("{repo} has no such revision ({what})");
        (problem, format!("its branches and tags are at {}/tree/main", self.page(&repo.to_string())))
    }

    fn unauthorised(&self, repo: &Repo, gated: bool) -> (String, String) {
        if self.token.is_some() {
            let problem = format!("{} does not accept the token for {repo} (401)", self.host());
            return (problem, format!("make a new one at {} and set HF_TOKEN", self.page("settings/tokens")));
        }
        let why = if gated { "it is gated" } else { "it is gated or private, or there is no such repository" };
        let problem = format!("{repo} is not given to everybody: {why} (401, no token was sent)");
        let check = if gated { "" } else { "check its name; " };
        (problem, format!("{check}{}", self.licence(repo)))
    }

    fn forbidden(&self, repo: &Repo) -> (String, String) {
        if self.token.is_none() {
            return (format!("{repo} is gated (403, no token was sent)"), self.licence(repo));
        }
        let problem = format!("the token's owner may not read {repo}: its licence is not accepted yet (403)");
        (problem, format!("accept it at {}, then run the same command again", self.page(&repo.to_string())))
    }

    fn licence(&self, repo: &Repo) -> String {
        format!(
            "accept its licence at {}, then set HF_TOKEN to a token from {}",
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
