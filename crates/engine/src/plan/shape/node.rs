//! A value of a plan, read as a type. It knows its place, and gives a placeholder of the right type where something is wrong
//! already.

use std::iter::Enumerate;
use std::slice;
use std::vec;

use serde::de::value::{BorrowedStrDeserializer, StrDeserializer};
use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error, IntoDeserializer, MapAccess, SeqAccess, Unexpected,
    VariantAccess, Visitor,
};
use serde_json::{Number, Value, map};

use super::mismatch::Misfit;
use crate::plan::placeholders::Placeholders;
use crate::plan::source::join;

/// What stands in for a text: a name, and nothing in particular.
const TEXT: &str = "unknown";

/// A value and its place. Without a value, it is a placeholder.
pub struct Node<'v> {
    value: Option<&'v Value>,
    path: String,
    places: &'v Placeholders,
}

impl<'v> Node<'v> {
    /// The value at a dotted path.
    pub fn new(value: &'v Value, path: &str, places: &'v Placeholders) -> Self {
        Self::member(Some(value), path.to_owned(), places)
    }

    fn member(value: Option<&'v Value>, path: String, places: &'v Placeholders) -> Self {
        let value = value.filter(|_| !places.is_at(&path));
        Self { value, path, places }
    }

    fn mapping<V: Visitor<'v>>(
        self,
        fields: Option<&'v map::Map<String, Value>>,
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        let there = |field: &&'static str| fields.is_none_or(|fields| !fields.contains_key(*field));
        let missing: Vec<&'static str> = self.places.missing_of(&self.path).into_iter().filter(there).collect();
        let fields = fields.map(map::Map::iter);
        let Self { path, places, .. } = self;
        visitor.visit_map(Members { fields, missing: missing.into_iter(), path, places, next: None })
    }

    /// What one of several forms holds.
    fn form(&self, name: &str, value: Option<&'v Value>) -> Self {
        Self::member(value, join(&self.path, name), self.places)
    }

    fn list<V: Visitor<'v>>(self, items: &'v [Value], visitor: V) -> Result<V::Value, Misfit> {
        let Self { path, places, .. } = self;
        visitor.visit_seq(Items { items: items.iter().enumerate(), path, places })
    }
}

fn number<'v, V: Visitor<'v>>(number: &Number, visitor: V) -> Result<V::Value, Misfit> {
    if let Some(whole) = number.as_u64() {
        visitor.visit_u64(whole)
    } else if let Some(whole) = number.as_i64() {
        visitor.visit_i64(whole)
    } else {
        visitor.visit_f64(number.as_f64().unwrap_or_default())
    }
}

/// How types that have no parts are read: a placeholder has a value of its own.
macro_rules! plain {
    ($($method:ident: $visit:ident($($value:expr)?);)+) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
            match self.value {
                None => visitor.$visit($($value)?),
                Some(_) => self.deserialize_any(visitor),
            }
        }
    )+};
}

impl<'de> Deserializer<'de> for Node<'de> {
    type Error = Misfit;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        match self.value {
            None | Some(Value::Null) => visitor.visit_unit(),
            Some(Value::Bool(yes)) => visitor.visit_bool(*yes),
            Some(Value::Number(number)) => self::number(number, visitor),
            Some(Value::String(text)) => visitor.visit_borrowed_str(text),
            Some(Value::Array(items)) => self.list(items, visitor),
            Some(Value::Object(fields)) => self.mapping(Some(fields), visitor),
        }
    }

    plain! {
        deserialize_bool: visit_bool(false);
        deserialize_i8: visit_i64(1);
        deserialize_i16: visit_i64(1);
        deserialize_i32: visit_i64(1);
        deserialize_i64: visit_i64(1);
        deserialize_u8: visit_u64(1);
        deserialize_u16: visit_u64(1);
        deserialize_u32: visit_u64(1);
        deserialize_u64: visit_u64(1);
        deserialize_f32: visit_f64(1.0);
        deserialize_f64: visit_f64(1.0);
        deserialize_char: visit_char('x');
        deserialize_str: visit_borrowed_str(TEXT);
        deserialize_string: visit_borrowed_str(TEXT);
        deserialize_identifier: visit_borrowed_str(TEXT);
        deserialize_bytes: visit_borrowed_bytes(&[]);
        deserialize_byte_buf: visit_borrowed_bytes(&[]);
        deserialize_unit: visit_unit();
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        match self.value {
            None | Some(Value::Null) => visitor.visit_none(),
            Some(_) => visitor.visit_some(self),
        }
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Misfit> {
        self.deserialize_any(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Misfit> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        match self.value {
            None => self.list(&[], visitor),
            Some(_) => self.deserialize_any(visitor),
        }
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Misfit> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        match self.value {
            None => self.mapping(None, visitor),
            Some(_) => self.deserialize_any(visitor),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        self.deserialize_map(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        let (name, content) = match self.value {
            None => {
                let name = variants.first().copied().unwrap_or(TEXT);
                (name, Content(Some(self.form(name, None))))
            }
            Some(Value::String(name)) => (name.as_str(), Content(None)),
            Some(Value::Object(fields)) => {
                let mut all = fields.iter();
                match (all.next(), all.next()) {
                    (Some((name, value)), None) => (name.as_str(), Content(Some(self.form(name, Some(value))))),
                    _ => return Err(Misfit::invalid_value(Unexpected::Map, &"map with a single key")),
                }
            }
            Some(other) => return Err(Misfit::invalid_type(unexpected(other), &"string or map")),
        };
        visitor.visit_enum(Choice { name, content })
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        visitor.visit_unit()
    }
}

fn unexpected(value: &Value) -> Unexpected<'_> {
    match value {
        Value::Null => Unexpected::Unit,
        Value::Bool(yes) => Unexpected::Bool(*yes),
        Value::Number(number) => match (number.as_u64(), number.as_i64()) {
            (Some(whole), _) => Unexpected::Unsigned(whole),
            (None, Some(whole)) => Unexpected::Signed(whole),
            (None, None) => Unexpected::Float(number.as_f64().unwrap_or_default()),
        },
        Value::String(text) => Unexpected::Str(text),
        Value::Array(_) => Unexpected::Seq,
        Value::Object(_) => Unexpected::Map,
    }
}

/// The members of a mapping, and placeholders for those that are missing.
struct Members<'v> {
    fields: Option<map::Iter<'v>>,
    missing: vec::IntoIter<&'static str>,
    path: String,
    places: &'v Placeholders,
    next: Option<Node<'v>>,
}

impl<'v> Members<'v> {
    fn member(&mut self) -> Option<(&'v str, Node<'v>)> {
        while let Some((key, value)) = self.fields.as_mut().and_then(Iterator::next) {
            let path = join(&self.path, key);
            if !self.places.is_left_out(&path) {
                return Some((key.as_str(), Node::member(Some(value), path, self.places)));
            }
        }
        let key = self.missing.next()?;
        Some((key, Node::member(None, join(&self.path, key), self.places)))
    }
}

impl<'de> MapAccess<'de> for Members<'de> {
    type Error = Misfit;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Misfit> {
        let Some((key, node)) = self.member() else { return Ok(None) };
        let path = node.path.clone();
        self.next = Some(node);
        seed.deserialize(BorrowedStrDeserializer::<Misfit>::new(key)).map(Some).map_err(|mismatch| mismatch.at(&path))
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Misfit> {
        let Some(node) = self.next.take() else { return Err(Misfit::custom("a value comes after its key")) };
        let path = node.path.clone();
        seed.deserialize(node).map_err(|mismatch| mismatch.at(&path))
    }
}

/// The members of a list.
struct Items<'v> {
    items: Enumerate<slice::Iter<'v, Value>>,
    path: String,
    places: &'v Placeholders,
}

impl<'de> SeqAccess<'de> for Items<'de> {
    type Error = Misfit;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Misfit> {
        for (at, item) in self.items.by_ref() {
            let path = join(&self.path, &at.to_string());
            if self.places.is_left_out(&path) {
                continue;
            }
            let node = Node::member(Some(item), path.clone(), self.places);
            return seed.deserialize(node).map(Some).map_err(|mismatch| mismatch.at(&path));
        }
        Ok(None)
    }
}

/// One of several forms: its name, and what it holds.
struct Choice<'v> {
    name: &'v str,
    content: Content<'v>,
}

/// What a form holds, if it holds something.
struct Content<'v>(Option<Node<'v>>);

impl<'de> EnumAccess<'de> for Choice<'de> {
    type Error = Misfit;
    type Variant = Content<'de>;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Content<'de>), Misfit> {
        let name: StrDeserializer<'_, Misfit> = self.name.into_deserializer();
        Ok((seed.deserialize(name)?, self.content))
    }
}

impl<'de> Content<'de> {
    fn node(self, what: &'static str) -> Result<Node<'de>, Misfit> {
        self.0.ok_or_else(|| Misfit::invalid_type(Unexpected::UnitVariant, &what))
    }
}

impl<'de> VariantAccess<'de> for Content<'de> {
    type Error = Misfit;

    fn unit_variant(self) -> Result<(), Misfit> {
        match self.0 {
            None => Ok(()),
            Some(node) => {
                let path = node.path.clone();
                <() as serde::Deserialize>::deserialize(node).map_err(|mismatch| mismatch.at(&path))
            }
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Misfit> {
        let node = self.node("newtype variant")?;
        let path = node.path.clone();
        seed.deserialize(node).map_err(|mismatch| mismatch.at(&path))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Misfit> {
        let node = self.node("tuple variant")?;
        let path = node.path.clone();
        node.deserialize_seq(visitor).map_err(|mismatch| mismatch.at(&path))
    }

    fn struct_variant<V: Visitor<'de>>(self, _: &'static [&'static str], visitor: V) -> Result<V::Value, Misfit> {
        let node = self.node("struct variant")?;
        let path = node.path.clone();
        node.deserialize_map(visitor).map_err(|mismatch| mismatch.at(&path))
    }
}
