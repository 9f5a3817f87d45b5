//! What an update may touch: the fields that the plan stated, and those that it stated before and does not any more.

use aws_smithy_types::error::operation::BuildError;

use crate::provider::Subject;
use crate::resource::{Fault, FieldChange};

/// The fields of an update, or the making of something new.
#[derive(Clone, Copy, Debug)]
pub struct Edit<'a>(Option<&'a [FieldChange]>);

impl<'a> Edit<'a> {
    /// Something new: what the plan leaves out gets the service's default.
    pub const fn making() -> Self {
        Self(None)
    }

    /// A change of what is there: what the plan leaves out stays as it was read.
    pub const fn of(fields: &'a [FieldChange]) -> Self {
        Self(Some(fields))
    }

    /// Whether the field, or one below it, is named; everything is when something new is made.
    pub fn named(self, path: &str) -> bool {
        self.0.is_none_or(|fields| fields.iter().any(|field| is_at_or_below(&field.path, path)))
    }

    /// Whether the field goes back to its default because the plan does not state it any more.
    pub fn dropped(self, path: &str) -> bool {
        self.0.into_iter().flatten().any(|field| field.new.is_none() && field.path == path)
    }

    /// Writes an optional field: what is wanted, else the default when it was dropped, else what is held stays.
    pub fn put<T>(self, held: &mut Option<T>, wanted: Option<T>, path: &str, default: Option<T>) {
        if wanted.is_some() {
            *held = wanted;
        } else if self.dropped(path) {
            *held = default;
        }
    }
}

fn is_at_or_below(path: &str, known: &str) -> bool {
    path.strip_prefix(known).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// A CloudFront structure that lacks a required field: a program error.
pub fn unbuilt(bad: BuildError) -> Fault {
    Fault::unexpected("cloudfront", "request", bad.to_string())
}

/// A CloudFront answer that lacks a part which its contract promises.
pub fn lacking(operation: &'static str, part: &'static str) -> impl Fn() -> Fault {
    move || Fault::unexpected("cloudfront", operation, format!("the answer has no {part}"))
}

/// The fault for something that exists and is not ours, with the way out.
pub fn taken(subject: &Subject<'_>, fault: Fault) -> Fault {
    fault.next(format!("take it up with --adopt {}, or choose another name", subject.address))
}

/// The number of items, as CloudFront wants it beside every list.
pub fn quantity<T>(items: &[T]) -> i32 {
    i32::try_from(items.len()).unwrap_or(i32::MAX)
}
