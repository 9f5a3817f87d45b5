//! What an ID tells about the location of a resource.

/// The account and region that an ARN names; empty where it names none.
pub fn place(id: &str) -> Option<(&str, &str)> {
    let mut parts = id.strip_prefix("arn:")?.split(':');
    let region = parts.nth(2)?;
    Some((parts.next()?, region))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arn_names_account_and_region() {
        let arn = "arn:aws:lambda:us-east-1:123456789012:function:gate";
        assert_eq!(place(arn), Some(("123456789012", "us-east-1")));
        assert_eq!(place("gate"), None);
    }
}
