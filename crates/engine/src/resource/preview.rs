//! A service's preview of an update.

use super::{Fault, FieldChange, Untrusted};

/// The answer of a service to an update that was only tried.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Preview {
    /// How it would end.
    pub expected: Expected,
    /// What it changes besides the fields that are known to differ.
    pub also: Vec<FieldChange>,
    /// What else the user should know before saying yes.
    pub note: Option<Untrusted>,
}

/// How an update would end.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Expected {
    /// It is changed in place.
    #[default]
    InPlace,
    /// Some of it can never change: only by deleting it and making it again under its name. Why.
    Recreate(Untrusted),
    /// The service refuses it.
    Refused(Fault),
}

impl Preview {
    /// The service refuses it.
    pub fn refused(fault: Fault) -> Self {
        Self { expected: Expected::Refused(fault), ..Self::default() }
    }

    /// It is deleted and made again.
    pub fn recreate(why: impl Into<Untrusted>) -> Self {
        Self { expected: Expected::Recreate(why.into()), ..Self::default() }
    }
}
