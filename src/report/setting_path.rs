//! Paths of settings as plans write them: the journal has kept the former names of some attributes.

use std::borrow::Cow;

/// A dotted path of the recorded attributes, with the names that a plan uses.
pub(super) fn setting_path(path: &str) -> Cow<'_, str> {
    let renamed = |part: &'_ str| match part {
        "behaviours" => "behaviors".to_owned(),
        "default_behaviour" => "default_behavior".to_owned(),
        other => other.to_owned(),
    };
    if !path.contains("behaviour") {
        return Cow::Borrowed(path);
    }
    Cow::Owned(path.split('.').map(renamed).collect::<Vec<_>>().join("."))
}

#[cfg(test)]
mod tests {
    use super::setting_path;

    #[test]
    fn former_names_are_shown_as_plans_write_them() {
        assert_eq!(setting_path("default_behaviour.min_ttl"), "default_behavior.min_ttl");
        assert_eq!(setting_path("behaviours.0.path"), "behaviors.0.path");
        assert_eq!(setting_path("tags.my behaviour"), "tags.my behaviour");
        assert_eq!(setting_path("price_class"), "price_class");
    }
}
