//! The rules for plan files: one stable ID for each sort of mistake. `docs/reference/errors.md` has a row for each of them, and a test
//! compares the two.

/// Makes a constant of each row, and one list of all of them.
macro_rules! rules {
    ($($name:ident = $id:literal, $what:literal;)+) => {
        $(#[doc = $what] pub const $name: &str = $id;)+

        /// Every rule for plan files: its ID and what it means.
        pub const ALL: &[(&str, &str)] = &[$(($id, $what)),+];
    };
}

rules! {
    NOT_FOUND = "PL001-not-found", "the plan does not exist or cannot be read";
    NOT_YAML = "PL002-not-yaml", "the file is not one valid YAML document";
    HIDDEN = "PL003-hidden-characters", "a text holds control characters or invisible characters";
    OCTAL = "PL004-octal-number", "a number with a leading zero in a Kubernetes object: octal in YAML 1.1, decimal in YAML 1.2";
    TOO_LONG = "PL005-too-long", "the plan is too long with its variables filled in";
    VERSION = "PL006-version", "the plan has a format version that this program does not know";
    EXTENDS = "PL007-extends", "the plan named by `extends` cannot be used";
    OVERRIDE = "PL008-override", "a plan that extends another one cannot override or remove this part of it";
    UNKNOWN_FIELD = "PL101-unknown-field", "a setting that does not exist";
    MISSING_FIELD = "PL102-missing-field", "a required setting is missing";
    UNKNOWN_VALUE = "PL103-unknown-value", "a setting has a value that is not one of the allowed words";
    WRONG_VALUE = "PL104-wrong-value", "a value has the wrong type or form";
    UNKNOWN_KIND = "PL105-unknown-kind", "a step has a kind that does not exist";
    FORMER_KEY = "PL106-former-key", "a setting by its former name: a warning";
    UNKNOWN_VARIABLE = "PL201-unknown-variable", "a variable that the plan does not declare";
    VARIABLE_TYPE = "PL202-variable-type", "the value of a variable does not have its declared type";
    NO_VALUE = "PL203-variable-without-value", "a variable has neither a default nor a value from outside";
    SENSITIVE = "PL204-sensitive-variable", "a sensitive variable whose value could not be kept out of the output";
    NAME = "PL301-name", "a name with characters that are not allowed, or a reserved name";
    DUPLICATE_STEP = "PL302-duplicate-step", "two steps have the same ID";
    UNKNOWN_STEP = "PL303-unknown-step", "`needs` or `request` names a step that the plan does not have";
    CIRCULAR_STEPS = "PL304-circular-steps", "steps need each other in a circle";
    FALLBACK = "PL305-fallback", "a fallback sets or selects something that the plan does not have";
    MOVED = "PL306-moved", "`moved` names an address that cannot have moved";
    FILE_OUTSIDE = "PL401-file-outside", "a file outside of the plan's folder";
    FILE = "PL402-unusable-file", "a file that cannot be used for what the plan names it for";
    MISSING_FILE = "FI001-missing-file", "a file that the plan names cannot be read: a warning until the run needs it";
    HASH = "PL403-wrong-hash", "a file does not have the hash that SHA256SUMS states";
    INVENTORY = "PL404-inventory", "an inventory that cannot be used";
    UNKNOWN_NAME = "PL501-unknown-name", "a name that refers to nothing in the plan";
    SAME_ADDRESS = "PL502-same-address", "two parts of the plan become the same resource";
    SETTING = "PL503-unusable-setting", "a setting with a value that cannot be used";
    OBJECT = "PL504-kubernetes-object", "a Kubernetes object that cannot be applied";
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::ALL;

    #[test]
    fn each_id_stands_once_and_has_its_form() {
        let ids: BTreeSet<&str> = ALL.iter().map(|(id, _)| *id).collect();
        assert_eq!(ids.len(), ALL.len());
        for (id, what) in ALL {
            let (number, words) = id.split_once('-').unwrap_or_default();
            let digits = number.strip_prefix("PL").or_else(|| number.strip_prefix("FI")).unwrap_or_default();
            assert!(digits.len() == 3 && digits.bytes().all(|digit| digit.is_ascii_digit()), "{id}");
            assert!(words.bytes().all(|letter| letter.is_ascii_lowercase() || letter == b'-'), "{id}");
            assert!(!what.is_empty() && !what.ends_with('.'), "{id}: {what}");
        }
    }
}
