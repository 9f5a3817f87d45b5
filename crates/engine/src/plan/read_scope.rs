//! Which files of this machine a plan may read: those below its own folder, and those below what the user named. A plan that
//! somebody else wrote could send any other file of the user to a device or into a bucket.

use std::fs;
use std::path::{Component, Path, PathBuf};

/// Where a plan may read.
#[derive(Clone, Debug, Default)]
pub struct ReadScope {
    /// The plan's folder, with all links resolved; none: anywhere.
    root: Option<PathBuf>,
    /// Values of variables that the user set: what begins with one of them is a place that the user named.
    named: Vec<PathBuf>,
}

impl ReadScope {
    /// Everything on this machine; `named` are the values of variables that the user set.
    pub fn anywhere(named: impl Iterator<Item = String>) -> Self {
        Self { root: None, named: named.filter(|value| !value.is_empty()).map(PathBuf::from).collect() }
    }

    /// What is below the folder of `plan`, and below the places that the user named.
    pub fn of(plan: &Path, named: impl Iterator<Item = String>) -> Self {
        let folder = plan.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        Self { root: Some(resolved(folder)), ..Self::anywhere(named) }
    }

    /// Whether the user named this place, or one above it.
    pub fn is_named(&self, path: &Path) -> bool {
        self.named.iter().any(|named| is_below(path, named))
    }

    /// Refuses a path that the user did not name, unless the plan may read anywhere.
    ///
    /// # Errors
    /// Why the plan cannot name it.
    pub fn check_named(&self, path: &str) -> Result<(), String> {
        if self.root.is_none() || self.is_named(Path::new(path)) {
            return Ok(());
        }
        Err(format!("{path} is named by the plan alone, and a kubeconfig can start programs"))
    }

    /// Refuses a path that leads elsewhere, by itself or through a link.
    ///
    /// # Errors
    /// Where it leads, and where it should.
    pub fn check(&self, path: &str) -> Result<(), String> {
        // What is not there cannot be read, and is told as that.
        let Some(root) = self.root.as_ref().filter(|_| Path::new(path).exists()) else { return Ok(()) };
        let place = resolved(Path::new(path));
        if place.starts_with(root) || self.is_named(Path::new(path)) {
            return Ok(());
        }
        Err(format!("{path} is {}, outside of the plan's folder {}", place.display(), root.display()))
    }
}

/// Whether a path continues one that the user named, without a way up.
fn is_below(path: &Path, named: &Path) -> bool {
    path.strip_prefix(named).is_ok_and(|rest| !rest.components().any(|part| part == Component::ParentDir))
}

/// The path with its links resolved, as far as it is there; what is not there cannot be a link.
fn resolved(path: &Path) -> PathBuf {
    let whole = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let mut place = PathBuf::new();
    for part in whole.components() {
        match part {
            Component::ParentDir => drop(place.pop()),
            Component::CurDir => {}
            other => place.push(other),
        }
        if let Ok(there) = fs::canonicalize(&place) {
            place = there;
        }
    }
    place
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn links_and_ways_up_do_not_lead_out() {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name).display().to_string();
        for made in ["plans", "plans/www", "secret", "plans-b"] {
            fs::create_dir(at(made)).expect("a folder");
        }
        for file in ["secret/credentials", "plans/www/index.html", "plans-b/x"] {
            fs::write(at(file), "x").expect("a file");
        }
        symlink(at("secret"), at("plans/www/more")).expect("a link");
        symlink(at("secret/credentials"), at("plans/www/one")).expect("a link");
        symlink("index.html", at("plans/www/within")).expect("a link");
        let reach = ReadScope::of(Path::new(&at("plans/a.yaml")), [at("secret/named")].into_iter());
        for within in ["plans/www/index.html", "plans/www/within", "plans/www/../b.txt", "plans/not/there"] {
            assert_eq!(reach.check(&at(within)), Ok(()), "{within}");
        }
        for outside in [
            "secret/credentials",
            "plans/../secret/credentials",
            "plans/www/one",
            "plans/www/more/credentials",
            "plans/www/more/../secret/credentials",
            "plans-b/x",
        ] {
            assert!(reach.check(&at(outside)).is_err(), "{outside}");
        }
        assert_eq!(reach.check(&at("secret/nothing")), Ok(()), "it is not there");
        assert!(reach.check("/etc/passwd").is_err());
        fs::create_dir(at("secret/named")).expect("a folder");
        symlink(at("secret/credentials"), at("secret/named/model.onnx")).expect("a link");
        assert_eq!(reach.check(&at("secret/named/model.onnx")), Ok(()), "the user named its folder");
        assert!(reach.check(&at("secret/named/../credentials")).is_err());
        assert_eq!(ReadScope::anywhere(std::iter::empty()).check("/etc/passwd"), Ok(()));
        assert!(
            reach.check_named(&at("plans/kubeconfig")).is_err(),
            "below the plan's folder, but not named by the user"
        );
        assert_eq!(reach.check_named(&at("secret/named")), Ok(()));
        assert_eq!(ReadScope::anywhere(std::iter::empty()).check_named("kubeconfig"), Ok(()));
    }
}
