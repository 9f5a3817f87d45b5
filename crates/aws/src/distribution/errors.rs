//! Custom error responses, matched by the status of the origin.

use super::read::text;
use super::*;
use crate::resource::distribution::CustomErrorResponse;

/// Seconds until CloudFront asks again when nothing is said.
pub const MIN_TTL: i64 = 10;

/// The responses that the plan wants, none where an earlier run stated some, else what is held.
pub fn wanted(
    spec: &DistributionSpec,
    held: Option<cf::CustomErrorResponses>,
    before: Option<&DistributionSpec>,
) -> Result<Option<cf::CustomErrorResponses>, Fault> {
    let former = before.and_then(|before| before.custom_error_responses.as_deref());
    let specs = match (&spec.custom_error_responses, former) {
        (Some(specs), _) => specs.as_slice(),
        (None, Some(_)) => &[],
        (None, None) => return Ok(held),
    };
    let mut held = held.and_then(|list| list.items).unwrap_or_default();
    let items = specs.iter().map(|spec| {
        let known = held.iter().position(|held| held.error_code == spec.code).map(|at| held.swap_remove(at));
        let fresh = || cf::CustomErrorResponse::builder().error_code(spec.code).build().map_err(unbuilt);
        let before = former.into_iter().flatten().find(|before| before.code == spec.code);
        Ok(response(spec, known.map_or_else(fresh, Ok)?, before))
    });
    let items = items.collect::<Result<Vec<_>, Fault>>()?;
    let list = cf::CustomErrorResponses::builder().quantity(quantity(&items));
    list.set_items((!items.is_empty()).then_some(items)).build().map(Some).map_err(unbuilt)
}

fn response(
    spec: &CustomErrorResponse,
    mut held: cf::CustomErrorResponse,
    before: Option<&CustomErrorResponse>,
) -> cf::CustomErrorResponse {
    let was = |stated: fn(&CustomErrorResponse) -> bool| before.is_some_and(stated);
    let (code, nothing) = (spec.response_code.map(|code| code.to_string()), Some(String::new()));
    put(&mut held.response_page_path, spec.page.clone(), was(|b| b.page.is_some()), nothing.clone());
    put(&mut held.response_code, code, was(|b| b.response_code.is_some()), nothing);
    let seconds = spec.min_ttl_seconds;
    put(&mut held.error_caching_min_ttl, seconds, was(|b| b.min_ttl_seconds.is_some()), Some(MIN_TTL));
    held
}

/// The responses as a spec, sorted by code.
pub fn spec(held: Option<cf::CustomErrorResponses>) -> Vec<CustomErrorResponse> {
    let held = held.and_then(|list| list.items).unwrap_or_default();
    let mut responses: Vec<_> = held.into_iter().map(response_spec).collect();
    responses.sort_by_key(|response| response.code);
    responses
}

fn response_spec(held: cf::CustomErrorResponse) -> CustomErrorResponse {
    CustomErrorResponse {
        code: held.error_code,
        page: text(held.response_page_path),
        response_code: text(held.response_code).and_then(|code| code.parse().ok()),
        min_ttl_seconds: Some(held.error_caching_min_ttl.unwrap_or(MIN_TTL)),
    }
}
