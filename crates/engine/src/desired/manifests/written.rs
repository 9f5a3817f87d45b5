//! Where an object of a cluster is written, when it stands in a file of its own.

use super::super::DesiredStack;
use crate::plan::{Plan, SourcePlace};
use crate::resource::Address;

/// A document of a file, or a member of a list in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The file as the plan names it.
    pub file: String,
    /// Number of the document in it.
    pub document: usize,
    /// Dotted path of the object in the document; empty for the whole of it.
    pub within: String,
}

impl DesiredStack {
    /// The file and the place in it where a setting of an object is written; none for what is written in the plan.
    pub fn place_in_file<'p>(&self, plan: &'p Plan, address: &Address, path: &str) -> Option<(&'p str, SourcePlace)> {
        let Written { file, document, within } = self.written.get(address)?;
        let document = plan.objects.get(file)?.as_ref().ok()?.get(*document)?;
        let path = match path {
            "api_version" => "apiVersion",
            "name" => "metadata.name",
            "namespace" => "metadata.namespace",
            path => path.strip_prefix("object.").unwrap_or(path),
        };
        let parts = [within.as_str(), path].into_iter().filter(|part| !part.is_empty());
        Some((document.file.as_str(), document.place(&parts.collect::<Vec<_>>().join("."))))
    }
}
