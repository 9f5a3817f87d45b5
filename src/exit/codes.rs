//! The codes of errors: one stable ID for each sort of error that ends a verb, with what it means and what helps. The rules for plans and
//! of AWS have IDs of the same form. `docs/reference/errors.md` has a row for each of them, and a test compares the two.

use serde::Serialize;

use super::{ERROR, Failure, REFUSED};
use crate::ledger::{BucketRefusal, LedgerError};
use crate::resource::{FaultClass, SafeText};

/// One sort of error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Code(&'static Row);

/// What is said about it.
#[derive(Debug, PartialEq, Eq)]
struct Row {
    id: &'static str,
    what: &'static str,
    helps: &'static str,
}

impl Code {
    /// Its ID, such as `ST001-locked`. It stays.
    pub const fn id(self) -> &'static str {
        self.0.id
    }

    /// What it means.
    pub const fn what(self) -> &'static str {
        self.0.what
    }

    /// What helps, in general.
    pub const fn helps(self) -> &'static str {
        self.0.helps
    }

    /// Something went wrong while it was done.
    pub fn error(self, problem: impl Into<SafeText>, next_step: impl Into<SafeText>) -> Failure {
        let (problem, next_step) = (problem.into(), next_step.into());
        Failure { code: ERROR, id: self, problem, next_step, internal: false, findings: Vec::new() }
    }

    /// It was refused before anything was done.
    pub fn refused(self, problem: impl Into<SafeText>, next_step: impl Into<SafeText>) -> Failure {
        Failure { code: REFUSED, ..self.error(problem, next_step) }
    }
}

impl Serialize for Code {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.id())
    }
}

/// Makes a constant of each row, and one list of all of them.
macro_rules! codes {
    ($($name:ident = $id:literal, $what:literal, $helps:literal;)+) => {
        $(#[doc = $what] pub const $name: Code = Code(&Row { id: $id, what: $what, helps: $helps });)+

        /// Every code.
        pub const ALL: &[Code] = &[$($name),+];
    };
}

codes! {
    COMMAND_LINE = "CL001-command-line", "the command line cannot be parsed", "`akidb-edge VERB --help` lists the flags";
    OPTIONS = "CL002-options", "options that contradict each other, or one that does nothing here", "leave one of them out";
    NO_PLAN = "CL003-no-plan", "no plan was named", "add `--plan NAME` or `--plan FILE`, or set `AKIDB_EDGE_PLAN`";
    NO_STACK = "CL004-no-stack", "no stack was named", "add `--plan NAME` or `--stack NAME`";
    ARGUMENT = "CL005-argument", "the value of an argument cannot be used", "write it in the form that the message names";
    UNKNOWN_NAME = "CL006-unknown-name", "an argument names something that the plan, the state or the devices do not have", "use one of the names that the message lists";
    NOTHING_SELECTED = "CL007-nothing-selected", "the arguments select nothing", "`akidb-edge state list` shows the addresses";
    STATE_PLACE = "CL008-state-place", "the value of `--state` cannot be used", "write `file:DIRECTORY` or `s3://BUCKET/PREFIX`";
    INPUT_FILE = "CL009-input-file", "a file named on the command line cannot be read, or is not what it should be", "name another file, or correct it";
    OUTPUT_FILE = "CL010-output-file", "a file cannot be written, or was not written by this program", "choose another path, or add `--force`";
    NO_TERMINAL = "CL011-no-terminal", "a question cannot be asked without a terminal", "read what would be done, then add `--yes`";
    CANCELLED = "CL012-cancelled", "the answer to the question was not yes; nothing was changed", "nothing: run the command again to decide otherwise";

    PLAN = "PL000-plan", "the plan has mistakes: each is a finding with its own rule", "correct what the findings name";

    INTERRUPTED = "RN001-interrupted", "the run was interrupted before it changed anything", "run the same command again";
    DIFFERENCE = "RN002-refused-change", "the plan cannot be reached from what exists", "do what the message names for each resource";
    NOTHING_TO_UNDO = "RN003-nothing-to-undo", "no run is left that a rollback could undo", "`akidb-edge status` lists the revisions";
    REVISION = "RN004-revision", "the revision does not exist, or is not an earlier one", "`akidb-edge status` lists the revisions";
    NEEDED = "RN005-needed", "something that is kept needs what would be deleted", "select both, or neither";
    MISSING_NEED = "RN006-missing-need", "something that the run needs does not exist yet", "make it first; the message names the command";
    MISSING_FILE = "RN007-missing-file", "a file that the plan refers to cannot be read", "create the file, or set its path with `--var`";
    HOLDS_DATA = "RN008-holds-data", "data would be deleted", "add `--empty-buckets` if the data may go";
    OF_OTHERS = "RN009-of-others", "what others attached would be lost", "find out who owns it, and remove it first";
    OUT_OF_SCOPE = "RN010-out-of-scope", "an argument is about something that the run does not work on", "widen `--target`, or drop the argument";
    PART_UNREACHABLE = "RN011-part-unreachable", "a saved plan is applied as a whole, and a part cannot be reached", "run it again when everything can be reached";
    CHANGED_MEANWHILE = "RN012-changed-meanwhile", "another run changed the stack since this one began", "look at the revisions, then name one";
    UNKNOWN_STACK = "RN013-unknown-stack", "no state of this stack was found", "check `--stack` and `--state`";
    OTHER_ACCOUNT = "RN014-other-account", "the credentials are of another account than the state or the resource", "use the credentials of that account (`AWS_PROFILE`)";
    OTHER_VERB = "RN015-other-verb", "another verb does this", "run the command that the message names";
    IMPORT = "RN016-import", "the resource cannot be imported as named", "correct the address or the ID";
    ACCEPT = "RN017-accept", "the drift cannot be accepted: the plan sets this field, or something needs the resource", "change the plan, or deploy";
    SAVED_PLAN = "RN018-saved-plan", "the saved plan cannot be applied: it is stale, for another place, or not one of this version", "make it again: `akidb-edge deploy --out FILE`";
    NOTHING_TO_EXPORT = "RN019-nothing-to-export", "the state has no resources", "deploy first, or name the right `--stack` and `--state`";
    LIVE_LEASE = "RN020-live-lease", "the lease belongs to a process that runs", "wait for it, or add `--yes` if it will not come back";

    LOCKED = "ST001-locked", "another run holds the lease on the stack", "wait until it ends; for a dead process: `akidb-edge state unlock`";
    LEASE_LOST = "ST002-lease-lost", "the lease was lost during the run; nothing more was begun", "`akidb-edge status` shows what was done, then run it again";
    DAMAGED = "ST003-damaged", "the journal cannot be read, or contradicts itself", "restore an undamaged copy with `akidb-edge state push`";
    INCOMPLETE = "ST004-incomplete", "an object that the journal needs is missing", "restore it, or push a copy of the journal";
    NEWER = "ST005-newer", "a newer version wrote the journal", "update akidb-edge";
    GUARDED = "ST006-guarded", "a stopped process of this machine holds the journal", "resume that process, or end it";
    NO_SPACE = "ST007-no-space", "the file system of the journal is full", "free space, then run the same command again";
    JOURNAL_FILE = "ST008-journal-file", "the journal's file or directory cannot be used", "make it readable and writable for this user";
    BUCKET_CREDENTIALS = "ST009-bucket-credentials", "the bucket of the journal does not accept the credentials or the clock", "log in again, or set the clock";
    BUCKET_ABSENT = "ST010-bucket-absent", "the bucket of the journal does not exist", "correct `--state`, or create the bucket";
    BUCKET_DENIED = "ST011-bucket-denied", "the bucket of the journal refuses access", "grant the permissions that the message names";
    BUCKET_UNAVAILABLE = "ST012-bucket-unavailable", "the bucket of the journal cannot be reached, or is busy", "check the network, then run the same command again";
    BUCKET = "ST013-bucket", "the bucket of the journal answered with another error", "fix what the service reports";
    UNCONDITIONAL = "ST014-unconditional", "the store ignores conditional writes, so two runs could overwrite each other", "keep the journal in Amazon S3 or a store with `If-Match`";

    UNAVAILABLE = "SV001-unavailable", "a service failed or throttled for longer than the run waits", "run the same command again later";
    CHANGED = "SV002-changed", "a resource changed while the run worked on it", "run the same command again";
    EXISTS = "SV003-exists", "a resource of this name exists and is not this stack's", "choose another name, or `--adopt` it";
    ABSENT = "SV004-absent", "a resource does not exist", "check the account, the region and the name";
    LATER = "SV005-later", "a resource cannot be changed yet", "run the same command again later";
    CREDENTIALS = "SV006-credentials", "credentials are missing, wrong or expired", "log in again, or set `AWS_PROFILE`";
    UNREACHABLE = "SV007-unreachable", "an endpoint cannot be reached", "check the network, the proxy and `AWS_ENDPOINT_URL`";
    DEVICE_AWAY = "SV008-device-away", "a device cannot be reached, or the connection was lost", "check power, network and sshd";
    DENIED = "SV009-denied", "a permission is missing", "`akidb-edge deploy --print-iam-policy` prints what is needed";
    REFUSED_BY_SERVICE = "SV010-refused", "a service rejects the request", "change the setting that the message names";
    UNEXPECTED_ANSWER = "SV011-unexpected-answer", "an answer is not one that this service gives", "check what answers at the endpoint; else report it";
    CONFIGURATION = "SV012-configuration", "the AWS or network configuration of this machine is wrong or incomplete", "correct what the message names";

    NO_DEVICES = "DV001-no-devices", "the plan has no devices, or no cluster", "add a step of kind `jetson`, or `--inventory FILE`";
    POWER_MODE = "DV002-power-mode", "a device does not have this power mode", "choose one of the modes that the message names";
    SAME_MACHINE = "DV003-same-machine", "two names are one machine", "keep one name, or correct the address";
    UNNAMED_DEVICE = "DV004-unnamed-device", "a device is in the journal, and neither the plan nor the inventory names it", "name it again, or uninstall it";
    OTHER_SERVER = "DV005-other-server", "the run would create a second cluster instead of using the existing one", "keep the server, or uninstall the cluster first";
    NOT_DRAINED = "DV006-not-drained", "devices were not switched off, as pods could not leave them", "make room for the pods on another node, or add `--force`";
    KUBECONFIG = "DV007-kubeconfig", "the credentials of the cluster could not be fetched or written", "do what the message names";
    NO_ACCOUNT = "DV008-no-account", "the plan names no ordinary account for the rule", "write `user: NAME` in the plan or the inventory";
    CLUSTER_NAME = "KU001-cluster-name", "two clusters have one name, or one cluster has two", "give each cluster one name";
    OTHER_CLUSTER = "KU002-other-cluster", "the connection leads to a different cluster than the one in the journal", "correct the context, or forget the objects of the lost cluster";

    MEASUREMENT = "MS001-measurement", "nothing could be measured", "check the address, the network and the load that was asked for";
    PARITY = "ED001-parity", "a tier has no certificate of parity, or the package or the run at the edge failed", "`akidb-edge models certify` writes the certificate";
    REPLICA = "RD001-replica", "a database could not be published, followed or restored", "`akidb-edge replicate status` shows what is published";
    FENCED = "RD002-fenced", "another primary holds the lease of the bucket", "stop one of the two; use `--take-over` only if the other will not run again";

    MODEL_NAME = "MD001-model-name", "the name of a model, repository or revision cannot be used", "use the form that the message names";
    MODEL = "MD002-model", "the model does not exist, is damaged, or was not created by this tool", "`akidb-edge models list` lists the models";
    MODEL_FETCH = "MD003-model-fetch", "a model could not be fetched, read or written", "do what the message names";
    PUBLISH = "MD004-publish", "a model could not be published", "do what the message names";

    SETTINGS = "SE001-settings", "settings of the server cannot be used", "`akidb-edge serve --check` shows every setting";
    SERVER = "SE002-server", "the server cannot start, or had to stop", "do what the message names";
    UNFINISHED = "SE003-unfinished", "the server stopped with requests in progress", "raise `--shutdown-time`";

    STREAM = "IO001-input-output", "reading or writing failed", "do what the message names";
    INTERNAL = "IN001-internal", "a fault of akidb-edge itself", "run the same command again, then report it";
}

impl From<FaultClass> for Code {
    fn from(class: FaultClass) -> Self {
        match class {
            FaultClass::Retry => UNAVAILABLE,
            FaultClass::Stale => CHANGED,
            FaultClass::Exists => EXISTS,
            FaultClass::Missing => ABSENT,
            FaultClass::Deferred => LATER,
            FaultClass::Credentials => CREDENTIALS,
            FaultClass::Unreachable => UNREACHABLE,
            FaultClass::Away => DEVICE_AWAY,
            FaultClass::Denied => DENIED,
            FaultClass::Refused => REFUSED_BY_SERVICE,
            FaultClass::Internal => UNEXPECTED_ANSWER,
        }
    }
}

impl From<&LedgerError> for Code {
    fn from(bad: &LedgerError) -> Self {
        match bad {
            LedgerError::Locked(_) => LOCKED,
            LedgerError::LeaseLost(_) => LEASE_LOST,
            LedgerError::Corrupt { .. } | LedgerError::Contradicts { .. } => DAMAGED,
            LedgerError::Missing { .. } => INCOMPLETE,
            LedgerError::Newer { .. } => NEWER,
            LedgerError::Guarded(_) => GUARDED,
            LedgerError::Full { .. } | LedgerError::Broken(_) => NO_SPACE,
            LedgerError::File { source, .. } if super::is_full(source) => NO_SPACE,
            LedgerError::File { .. } => JOURNAL_FILE,
            LedgerError::Bucket { cause, .. } => (*cause).into(),
            LedgerError::Unconditional { .. } => UNCONDITIONAL,
        }
    }
}

impl From<BucketRefusal> for Code {
    fn from(cause: BucketRefusal) -> Self {
        match cause {
            BucketRefusal::Expired | BucketRefusal::Credentials | BucketRefusal::Clock => BUCKET_CREDENTIALS,
            BucketRefusal::NoBucket | BucketRefusal::Name => BUCKET_ABSENT,
            BucketRefusal::Denied | BucketRefusal::Key | BucketRefusal::Archived => BUCKET_DENIED,
            BucketRefusal::Unreachable | BucketRefusal::Busy => BUCKET_UNAVAILABLE,
            BucketRefusal::Other => BUCKET,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_id_stands_once_and_has_the_form_of_rules() {
        let ids: BTreeSet<&str> = ALL.iter().map(|code| code.id()).collect();
        assert_eq!(ids.len(), ALL.len());
        for Code(Row { id, what, helps }) in ALL {
            let (number, words) = id.split_once('-').unwrap_or_default();
            let (area, digits) = number.split_at(2);
            assert!(area.bytes().all(|letter| letter.is_ascii_uppercase()), "{id}");
            assert!(digits.len() == 3 && digits.bytes().all(|digit| digit.is_ascii_digit()), "{id}");
            assert!(words.bytes().all(|letter| letter.is_ascii_lowercase() || letter == b'-'), "{id}");
            for text in [what, helps] {
                assert!(!text.is_empty() && !text.ends_with('.') && !text.contains('|'), "{id}: {text}");
            }
        }
        let rules = crate::plan::rules::ALL.iter().map(|(id, _)| *id);
        assert!(rules.chain(crate::check::catalog().iter().map(|(id, _)| *id)).all(|id| !ids.contains(id)));
    }
}
