//! One request to an API server: its method, path, query and body.

use std::fmt::Write;

use http::{Method, Request};
use serde_json::Value;

use super::status::SERVICE;
use crate::resource::{Fault, FaultClass};

/// Who we are among those that set fields of an object. Objects made by kubectl in older versions have the same manager.
pub(crate) const MANAGER: &str = "akidb-edge";

/// Bytes of an answer. It holds 16 of the largest objects (`objects::SMALL_PAGE`): etcd takes requests of 1.5 MiB, and base64 and the
/// fields that the API server adds make that some 2 MiB of JSON.
pub(crate) const LONGEST: usize = 32 << 20;

/// A request.
#[derive(Clone, Debug)]
pub(crate) struct ApiCall {
    /// For faults.
    pub operation: &'static str,
    method: Method,
    path: String,
    query: Vec<(&'static str, String)>,
    body: Option<(&'static str, Vec<u8>)>,
    accept: Option<&'static str>,
    dry: bool,
    /// Bytes that its answer may have.
    pub most: usize,
}

impl ApiCall {
    fn new(operation: &'static str, method: Method, path: &str) -> Self {
        Self {
            operation,
            method,
            path: path.to_owned(),
            query: Vec::new(),
            body: None,
            accept: None,
            dry: false,
            most: LONGEST,
        }
    }

    /// What is asked for, without the query.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// Reads something.
    pub(crate) fn get(operation: &'static str, path: &str) -> Self {
        Self::new(operation, Method::GET, path)
    }

    /// The same, answered in one of these media types.
    pub(crate) fn accepting(self, accept: &'static str) -> Self {
        Self { accept: Some(accept), ..self }
    }

    /// Applies an object for a field manager; unknown and duplicate fields are refused.
    pub(crate) fn apply(path: &str, object: &Value, manager: &'static str, force: bool) -> Self {
        let call = Self::new("apply", Method::PATCH, path).query("fieldManager", manager);
        let call = call.query("force", force.to_string()).query("fieldValidation", "Strict");
        // JSON is YAML.
        call.body("application/apply-patch+yaml", object)
    }

    /// The same, without changing anything.
    pub(crate) fn dry(mut self) -> Self {
        self.dry = true;
        self.query("dryRun", "All")
    }

    /// Merges fields into an object (RFC 7386).
    pub(crate) fn merge(operation: &'static str, path: &str, patch: &Value) -> Self {
        let call = Self::new(operation, Method::PATCH, path).query("fieldManager", MANAGER);
        call.body("application/merge-patch+json", patch)
    }

    /// Changes an object by steps (RFC 6902).
    pub(crate) fn steps(operation: &'static str, path: &str, patch: &Value) -> Self {
        let call = Self::new(operation, Method::PATCH, path).query("fieldManager", MANAGER);
        call.body("application/json-patch+json", patch)
    }

    /// Deletes an object, as these options of `metav1.DeleteOptions` say.
    pub(crate) fn delete(path: &str, options: &Value) -> Self {
        Self::new("delete", Method::DELETE, path).body("application/json", options)
    }

    /// Creates something below an object.
    pub(crate) fn post(operation: &'static str, path: &str, object: &Value) -> Self {
        Self::new(operation, Method::POST, path).body("application/json", object)
    }

    /// With so many bytes of an answer at most.
    pub(crate) fn at_most(self, bytes: usize) -> Self {
        Self { most: bytes, ..self }
    }

    /// Adds a parameter.
    pub(crate) fn query(mut self, key: &'static str, value: impl Into<String>) -> Self {
        self.query.push((key, value.into()));
        self
    }

    fn body(self, content_type: &'static str, body: &Value) -> Self {
        Self { body: Some((content_type, body.to_string().into_bytes())), ..self }
    }

    /// Whether it changes something.
    pub(crate) fn mutates(&self) -> bool {
        self.method != Method::GET && !self.dry
    }

    /// As HTTP.
    ///
    /// # Errors
    /// When its path is not a path: a program error.
    pub(crate) fn request(&self) -> Result<Request<kube::client::Body>, Fault> {
        let mut uri = self.path.clone();
        for (at, (key, value)) in self.query.iter().enumerate() {
            uri.push(if at == 0 { '?' } else { '&' });
            uri.push_str(key);
            uri.push('=');
            encode(value, &mut uri);
        }
        let mut request = Request::builder().method(self.method.clone()).uri(uri);
        request = request.header(http::header::USER_AGENT, concat!("akidb-edge/", env!("CARGO_PKG_VERSION")));
        if let Some(accept) = self.accept {
            request = request.header(http::header::ACCEPT, accept);
        }
        let body = match &self.body {
            None => kube::client::Body::empty(),
            Some((content_type, body)) => {
                request = request.header(http::header::CONTENT_TYPE, *content_type);
                kube::client::Body::from(body.clone())
            }
        };
        request.body(body).map_err(|bad| Fault::unexpected(SERVICE, self.operation, bad.to_string()))
    }
}

/// A name as a segment of a path. None for what would not be one segment.
pub(crate) fn segment(name: &str) -> Option<String> {
    if matches!(name, "" | "." | "..") {
        return None;
    }
    let mut encoded = String::new();
    encode(name, &mut encoded);
    Some(encoded)
}

/// The fault of a name that cannot be part of a path.
pub(crate) fn bad_name(operation: &str, name: &str) -> Fault {
    Fault::new(FaultClass::Refused, SERVICE, operation, "BadName", format!("{name:?} is not a valid object name"))
        .next("correct it in the plan")
}

/// Percent-encodes all but unreserved characters (RFC 3986, section 2.3).
fn encode(text: &str, into: &mut String) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            into.push(char::from(byte));
        } else {
            // Writing to a string does not fail.
            let _ = write!(into, "%{byte:02X}");
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_name_stays_one_segment() {
        assert_eq!(segment("system:node").as_deref(), Some("system%3Anode"));
        assert_eq!(segment("a/../b?x#y").as_deref(), Some("a%2F..%2Fb%3Fx%23y"));
        assert!([".", "..", ""].iter().all(|name| segment(name).is_none()));
    }

    #[test]
    fn a_dry_run_changes_nothing() {
        let apply = ApiCall::apply("/api/v1/namespaces/a", &json!({"a": 1}), MANAGER, true);
        assert!(apply.mutates() && !apply.clone().dry().mutates());
        assert!(!ApiCall::get("get", "/version").mutates());
        let request = apply.dry().request().expect("a request");
        let wanted = "/api/v1/namespaces/a?fieldManager=akidb-edge&force=true&fieldValidation=Strict&dryRun=All";
        assert_eq!(request.uri().to_string(), wanted);
        assert_eq!(request.headers()["content-type"], "application/apply-patch+yaml");
    }
}
