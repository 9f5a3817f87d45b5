//! The published versions of a function, and `$LATEST`.

use aws_sdk_lambda::Client;
use aws_sdk_lambda::types::FunctionConfiguration;

use super::super::fault::optional;
use super::super::fault_of;
use crate::pages::Pages;
use crate::resource::Fault;

/// All of them; none of a function that is not there.
///
/// # Errors
/// What Lambda says, or that the list does not end.
pub async fn versions(client: &Client, function: &str) -> Result<Vec<FunctionConfiguration>, Fault> {
    const CALL: &str = "ListVersionsByFunction";
    let mut listed = client.list_versions_by_function().function_name(function).into_paginator().send();
    let (mut all, mut pages) = (Vec::new(), Pages::of_content("lambda", CALL));
    while let Some(page) = listed.next().await {
        pages.next()?;
        let Some(page) = optional(page.map_err(|bad| fault_of("lambda", CALL, bad)))? else { break };
        all.extend(page.versions.unwrap_or_default());
    }
    Ok(all)
}
