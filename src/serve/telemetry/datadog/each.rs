//! Reads the items of a JSON array one at a time, so that a large body is
//! never a tree in memory. Must not know what the items are.

use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// Calls `sink` with every item. The items are those of the array at the top,
/// or of the one under `key` in the object at the top. Without a `key` an
/// object at the top is the only item, and `null` is no item.
///
/// # Errors
///
/// The body is not JSON or an item has another shape. Items before it were
/// passed on already; whoever must not have them reads twice.
pub(crate) fn each<'de, T: Deserialize<'de>>(
    bytes: &'de [u8],
    key: Option<&'static str>,
    sink: &mut dyn FnMut(T),
) -> Result<(), serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let top = Items { key, sink, item: PhantomData };
    top.deserialize(&mut deserializer)?;
    deserializer.end()
}

struct Items<'s, T> {
    key: Option<&'static str>,
    sink: &'s mut dyn FnMut(T),
    item: PhantomData<T>,
}

impl<'de, T: Deserialize<'de>> DeserializeSeed<'de> for Items<'_, T> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, T: Deserialize<'de>> Visitor<'de> for Items<'_, T> {
    type Value = ();

    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.key {
            Some(key) => write!(formatter, "an object with the array `{key}`"),
            None => formatter.write_str("an array"),
        }
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        if self.key.is_some() {
            return Err(A::Error::custom("an array where an object should be"));
        }
        while let Some(item) = seq.next_element()? {
            (self.sink)(item);
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Some(wanted) = self.key else {
            (self.sink)(T::deserialize(MapAccessDeserializer::new(map))?);
            return Ok(());
        };
        let mut found = false;
        while let Some(key) = map.next_key::<String>()? {
            if key == wanted {
                found = true;
                map.next_value_seed(Items { key: None, sink: &mut *self.sink, item: PhantomData })?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        if found { Ok(()) } else { Err(A::Error::custom(format!("no array `{wanted}`"))) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, key: Option<&'static str>) -> Result<Vec<u8>, String> {
        let mut items = Vec::new();
        let read = each(text.as_bytes(), key, &mut |item: u8| items.push(item));
        read.map(|()| items).map_err(|error| error.to_string())
    }

    #[test]
    fn items_are_at_the_top_or_under_a_key() {
        assert_eq!(read("[1, 2]", None), Ok(vec![1, 2]));
        assert_eq!(read("null", None), Ok(vec![]));
        assert_eq!(read(r#"{"a": [9], "series": [1], "b": {}}"#, Some("series")), Ok(vec![1]));
        assert_eq!(read(r#"{"series": null}"#, Some("series")), Ok(vec![]));
    }

    #[test]
    fn an_object_at_the_top_is_the_only_item() {
        let mut items = Vec::new();
        each(br#"{"a": 1}"#, None, &mut |item: serde_json::Value| items.push(item)).unwrap();
        assert_eq!(items, [serde_json::json!({"a": 1})]);
    }

    #[test]
    fn another_shape_is_an_error() {
        assert!(read("[1, 300]", None).is_err());
        assert!(read("[1] x", None).is_err());
        assert!(read("[1", None).is_err());
        assert!(read("{}", Some("series")).unwrap_err().contains("no array `series`"));
        assert!(read("[1]", Some("series")).is_err());
    }
}
