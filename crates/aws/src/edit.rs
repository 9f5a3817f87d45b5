//! Shared code of the CloudFront kinds for building requests and reading responses.

use aws_smithy_types::error::operation::BuildError;

use crate::provider::ResourceContext;
use crate::resource::Fault;

/// A CloudFront structure that lacks a required field: a program error.
pub fn unbuilt(bad: BuildError) -> Fault {
    Fault::unexpected("cloudfront", "request", bad.to_string())
}

/// A CloudFront answer that lacks a part which its contract promises.
pub fn lacking(operation: &'static str, part: &'static str) -> impl Fn() -> Fault {
    move || Fault::unexpected("cloudfront", operation, format!("the answer has no {part}"))
}

/// The fault for something that exists and is not ours, with the way out.
pub fn taken(subject: &ResourceContext<'_>, fault: Fault) -> Fault {
    fault.next(format!("adopt it with --adopt {}, or choose another name", subject.address))
}

/// The number of items, as CloudFront wants it beside every list.
pub fn quantity<T>(items: &[T]) -> i32 {
    i32::try_from(items.len()).unwrap_or(i32::MAX)
}
