//! How many pages a list may have: a service, or what stands in its place, that names another page after each one is given up.

use crate::resource::{Fault, FaultClass};

/// Pages of a list. Each holds 50 (functions) to 1,000 (keys) things; no account has so many of them.
const MOST: usize = 1_000;
/// Pages of the record sets of a zone (300 each), and of what is in a bucket (1,000 keys each).
const MOST_OF_CONTENT: usize = 20_000;

/// The pages of one list that may still be asked for.
#[derive(Debug)]
pub struct Pages {
    service: &'static str,
    operation: &'static str,
    most: usize,
    asked: usize,
}

impl Pages {
    /// Of a list of things of an account.
    pub const fn of(service: &'static str, operation: &'static str) -> Self {
        Self { service, operation, most: MOST, asked: 0 }
    }

    /// Of a list of what is in one thing.
    pub const fn of_content(service: &'static str, operation: &'static str) -> Self {
        Self { service, operation, most: MOST_OF_CONTENT, asked: 0 }
    }

    /// One more is about to be asked for.
    ///
    /// # Errors
    /// When there were too many.
    pub fn next(&mut self) -> Result<(), Fault> {
        if self.asked < self.most {
            self.asked += 1;
            return Ok(());
        }
        let words = format!("the list has more than {} pages", self.most);
        Err(Fault::new(FaultClass::Refused, self.service, self.operation, "ListTooLong", words).next(
            "no account has so many: check the endpoint (AWS_ENDPOINT_URL), and any proxy between it and this machine",
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_without_end_is_given_up_with_its_name() {
        for (mut pages, most) in
            [(Pages::of("iam", "ListRoles"), MOST), (Pages::of_content("s3", "ListObjectVersions"), MOST_OF_CONTENT)]
        {
            let asked = std::iter::from_fn(|| pages.next().ok()).take(most + 10).count();
            assert_eq!(asked, most);
            let fault = pages.next().expect_err("too many");
            assert!(fault.class == FaultClass::Refused && fault.code == "ListTooLong", "{fault}");
            assert!(fault.to_string().contains(&most.to_string()), "{fault}");
        }
    }
}
