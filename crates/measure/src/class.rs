//! The class of a request: the first on a connection, a cache hit, a cold start.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Whether a request opened its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Connection {
    /// DNS, TCP and TLS are in its time.
    New,
    /// The connection was there.
    Reused,
}

/// What `x-cache` says of the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cache {
    /// It came out of the cache, checked with the origin or not.
    Hit,
    /// The origin answered.
    Miss,
    /// The answer says nothing about a cache.
    Unstated,
}

/// Whether the answer says that a process had to start for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Start {
    /// It does.
    Cold,
    /// It does not.
    Warm,
}

/// The class of a request. In JSON a text: `reused/hit/warm`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Class {
    /// Whether it opened its connection.
    pub connection: Connection,
    /// Whether a cache answered.
    pub cache: Cache,
    /// Whether something had to start.
    pub start: Start,
}

/// How many classes there are.
pub(crate) const CLASSES: usize = 12;

impl Class {
    /// Every class, in the order of their places.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        let connections = [Connection::New, Connection::Reused].into_iter();
        connections.flat_map(|connection| {
            [Cache::Hit, Cache::Miss, Cache::Unstated].into_iter().flat_map(move |cache| {
                [Start::Cold, Start::Warm].into_iter().map(move |start| Self { connection, cache, start })
            })
        })
    }

    /// Its place in an array of all classes.
    pub(crate) fn place(self) -> usize {
        (self.connection as usize * 3 + self.cache as usize) * 2 + self.start as usize
    }
}

/// A text that names no class.
#[derive(Debug, thiserror::Error)]
#[error("invalid request class `{0}`; an example is reused/hit/warm")]
pub struct UnknownClass(String);

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let connection = match self.connection {
            Connection::New => "new",
            Connection::Reused => "reused",
        };
        let cache = match self.cache {
            Cache::Hit => "hit",
            Cache::Miss => "miss",
            Cache::Unstated => "unstated",
        };
        let start = match self.start {
            Start::Cold => "cold",
            Start::Warm => "warm",
        };
        write!(f, "{connection}/{cache}/{start}")
    }
}

impl FromStr for Class {
    type Err = UnknownClass;

    fn from_str(text: &str) -> Result<Self, UnknownClass> {
        Self::all().find(|class| class.to_string() == text).ok_or_else(|| UnknownClass(text.to_owned()))
    }
}

impl From<Class> for String {
    fn from(class: Class) -> Self {
        class.to_string()
    }
}

impl TryFrom<String> for Class {
    type Error = UnknownClass;

    fn try_from(text: String) -> Result<Self, UnknownClass> {
        text.parse()
    }
}

/// What a value of `x-cache` means, as CloudFront and others write it.
pub(crate) fn cache_of(value: &[u8]) -> Cache {
    let said = value.to_ascii_lowercase();
    let has = |word: &[u8]| said.windows(word.len()).any(|window| window == word);
    // "RefreshHit from cloudfront" was checked with the origin and is a hit. "Error from cloudfront" came from the origin.
    if has(b"hit") { Cache::Hit } else { Cache::Miss }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_class_has_its_place_and_its_text() {
        let all: Vec<Class> = Class::all().collect();
        assert_eq!(all.len(), CLASSES);
        for (place, class) in all.iter().enumerate() {
            assert_eq!(class.place(), place);
            assert_eq!(class.to_string().parse::<Class>().unwrap(), *class);
        }
        assert!("reused/hit".parse::<Class>().is_err());
    }

    #[test]
    fn x_cache_is_read_as_cloudfront_writes_it() {
        for (value, cache) in [
            ("Hit from cloudfront", Cache::Hit),
            ("RefreshHit from cloudfront", Cache::Hit),
            ("Miss from cloudfront", Cache::Miss),
            ("Error from cloudfront", Cache::Miss),
            ("LambdaGeneratedResponse from cloudfront", Cache::Miss),
            ("HIT", Cache::Hit),
        ] {
            assert_eq!(cache_of(value.as_bytes()), cache, "{value}");
        }
    }
}
