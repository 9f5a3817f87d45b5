//! How resources are named without a reference: by an id, an ARN, a domain name or a plain name that stands as text.

use super::Kind;

/// How others name a thing of a kind, and how a thing of this kind names others.
#[derive(Debug)]
pub struct Naming {
    /// Its id stands for it, in whatever setting it is.
    pub id: bool,
    /// Attributes that stand for it, in whatever setting they are.
    pub attributes: &'static [&'static str],
    /// The text of its setting `name` stands for it in the kinds that say so by `others`.
    pub plain: bool,
    /// What follows its plain name in its host names; none when it has none.
    pub host_after: Option<&'static str>,
    /// The kind whose things are named by their plain names in settings of this kind.
    pub others: Option<Kind>,
    /// The only setting in which this kind names others, where another setting may read like a name.
    pub only_in: Option<&'static str>,
}

impl Naming {
    /// Nothing but a reference names it, and it names nothing by a plain name.
    pub(super) const NONE: Self =
        Self { id: false, attributes: &[], plain: false, host_after: None, others: None, only_in: None };
    /// Its id alone stands for it.
    pub(super) const BY_ID: Self = Self { id: true, ..Self::NONE };
    /// Its id and its ARN stand for it.
    pub(super) const BY_ID_AND_ARN: Self = Self { id: true, attributes: &["arn"], ..Self::NONE };
    /// It names a bucket by its plain name.
    pub(super) const OF_A_BUCKET: Self = Self { others: Some(Kind::Bucket), ..Self::NONE };
}
