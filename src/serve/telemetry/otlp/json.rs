//! OTLP as JSON.
//!
//! Owns the mapping of JSON to the protocol's messages: ids in hex, enums as numbers or names,
//! 64-bit numbers as numbers or text, names in either case, unknown fields ignored, null as not
//! sent. Source: <https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding>.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList, any_value::Value as Any,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use serde_json::{Map, Value as Json};

/// Why a body is not understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum JsonError {
    /// It is not JSON.
    #[error("the body is not JSON: {0}")]
    Syntax(String),
    /// A field has a wrong type.
    #[error("`{field}` must be {expected}")]
    Field {
        /// The field.
        field: String,
        /// What it must be.
        expected: &'static str,
    },
}

/// A JSON object of which fields are read.
#[derive(Clone, Copy)]
pub(super) struct Object<'j>(&'j Map<String, Json>);

type Result<T> = std::result::Result<T, JsonError>;

/// Reads a message.
pub(super) fn parse<T>(body: &[u8], read: impl Fn(Object<'_>) -> Result<T>) -> Result<T> {
    let json: Json =
        serde_json::from_slice(body).map_err(|error| JsonError::Syntax(error.to_string()))?;
    match &json {
        Json::Object(fields) => read(Object(fields)),
        _ => Err(wrong("body", "an object")),
    }
}

fn wrong(field: &str, expected: &'static str) -> JsonError {
    JsonError::Field { field: field.to_owned(), expected }
}

impl<'j> Object<'j> {
    /// A field by its name in lower camel case; the protocol's own name is as good.
    fn get(self, name: &str) -> Option<&'j Json> {
        let found = self.0.get(name).or_else(|| {
            let mut own = String::with_capacity(name.len() + 4);
            for char in name.chars() {
                if char.is_ascii_uppercase() {
                    own.push('_');
                }
                own.push(char.to_ascii_lowercase());
            }
            self.0.get(&own)
        });
        found.filter(|value| !value.is_null())
    }

    pub(super) fn text(self, name: &str) -> Result<String> {
        match self.get(name) {
            None => Ok(String::new()),
            Some(Json::String(text)) => Ok(text.clone()),
            Some(_) => Err(wrong(name, "text")),
        }
    }

    /// Bytes in hex, of any length: whether it is the right one is asked later.
    pub(super) fn id(self, name: &str) -> Result<Vec<u8>> {
        hex::decode(self.text(name)?).map_err(|_| wrong(name, "hex digits"))
    }

    pub(super) fn truth(self, name: &str) -> Result<bool> {
        match self.get(name) {
            None => Ok(false),
            Some(Json::Bool(value)) => Ok(*value),
            Some(_) => Err(wrong(name, "true or false")),
        }
    }

    pub(super) fn unsigned(self, name: &str) -> Result<u64> {
        self.get(name).map_or(Ok(0), |value| unsigned(name, value))
    }

    pub(super) fn unsigned_32(self, name: &str) -> Result<u32> {
        u32::try_from(self.unsigned(name)?).map_err(|_| wrong(name, "a number of 32 bits"))
    }

    pub(super) fn signed(self, name: &str) -> Result<Option<i64>> {
        self.get(name).map(|value| signed(name, value)).transpose()
    }

    pub(super) fn signed_32(self, name: &str) -> Result<i32> {
        let number = self.signed(name)?.unwrap_or(0);
        i32::try_from(number).map_err(|_| wrong(name, "a number of 32 bits"))
    }

    /// A number, or one of the names of an enum.
    pub(super) fn choice(self, name: &str, by_name: fn(&str) -> Option<i32>) -> Result<i32> {
        match self.get(name) {
            Some(Json::String(text)) if text.parse::<i32>().is_err() => {
                by_name(text).ok_or_else(|| wrong(name, "a known number"))
            }
            _ => self.signed_32(name),
        }
    }

    pub(super) fn double(self, name: &str) -> Result<Option<f64>> {
        self.get(name).map(|value| double(name, value)).transpose()
    }

    pub(super) fn object(self, name: &str) -> Result<Option<Object<'j>>> {
        match self.get(name) {
            None => Ok(None),
            Some(Json::Object(fields)) => Ok(Some(Object(fields))),
            Some(_) => Err(wrong(name, "an object")),
        }
    }

    /// An object that is read as a message.
    pub(super) fn message<T>(
        self,
        name: &str,
        read: impl Fn(Object<'j>) -> Result<T>,
    ) -> Result<Option<T>> {
        self.object(name)?.map(read).transpose()
    }

    fn list(self, name: &str) -> Result<&'j [Json]> {
        match self.get(name) {
            None => Ok(&[]),
            Some(Json::Array(values)) => Ok(values),
            Some(_) => Err(wrong(name, "a list")),
        }
    }

    /// A list of messages.
    pub(super) fn messages<T>(
        self,
        name: &str,
        read: impl Fn(Object<'j>) -> Result<T>,
    ) -> Result<Vec<T>> {
        self.list(name)?
            .iter()
            .map(|value| match value {
                Json::Object(fields) => read(Object(fields)),
                _ => Err(wrong(name, "a list of objects")),
            })
            .collect()
    }

    pub(super) fn unsigned_list(self, name: &str) -> Result<Vec<u64>> {
        self.list(name)?.iter().map(|value| unsigned(name, value)).collect()
    }

    pub(super) fn double_list(self, name: &str) -> Result<Vec<f64>> {
        self.list(name)?.iter().map(|value| double(name, value)).collect()
    }

    pub(super) fn attributes(self) -> Result<Vec<KeyValue>> {
        self.messages("attributes", key_value)
    }

    pub(super) fn resource(self) -> Result<Option<Resource>> {
        self.message("resource", |fields| {
            Ok(Resource { attributes: fields.attributes()?, ..Resource::default() })
        })
    }

    pub(super) fn scope(self) -> Result<Option<InstrumentationScope>> {
        self.message("scope", |fields| {
            Ok(InstrumentationScope {
                name: fields.text("name")?,
                version: fields.text("version")?,
                ..InstrumentationScope::default()
            })
        })
    }
}

fn unsigned(name: &str, value: &Json) -> Result<u64> {
    let number = match value {
        Json::Number(number) => number.as_u64().or_else(|| whole(number.as_f64()?)),
        Json::String(text) => text.parse().ok(),
        _ => None,
    };
    number.ok_or_else(|| wrong(name, "a whole number that is not negative"))
}

fn signed(name: &str, value: &Json) -> Result<i64> {
    let number = match value {
        Json::Number(number) => number.as_i64().or_else(|| {
            let float = number.as_f64()?;
            let size = i64::try_from(whole(float.abs())?).ok()?;
            Some(if float < 0.0 { -size } else { size })
        }),
        Json::String(text) => text.parse().ok(),
        _ => None,
    };
    number.ok_or_else(|| wrong(name, "a whole number"))
}

/// `1e3` and `5.0` are whole numbers too.
fn whole(number: f64) -> Option<u64> {
    (number.fract() == 0.0 && (0.0..1.8e19).contains(&number))
        .then(|| super::super::query::time::truncate(number))
}

fn double(name: &str, value: &Json) -> Result<f64> {
    let number = match value {
        Json::Number(number) => number.as_f64(),
        Json::String(text) => match text.as_str() {
            "NaN" => Some(f64::NAN),
            "Infinity" => Some(f64::INFINITY),
            "-Infinity" => Some(f64::NEG_INFINITY),
            text => text.parse().ok(),
        },
        _ => None,
    };
    number.ok_or_else(|| wrong(name, "a number"))
}

fn key_value(fields: Object<'_>) -> Result<KeyValue> {
    Ok(KeyValue { key: fields.text("key")?, value: fields.message("value", any_value)? })
}

/// A value; how deep it nests is bounded by the JSON parser.
pub(super) fn any_value(fields: Object<'_>) -> Result<AnyValue> {
    let value = if fields.get("stringValue").is_some() {
        Some(Any::StringValue(fields.text("stringValue")?))
    } else if fields.get("boolValue").is_some() {
        Some(Any::BoolValue(fields.truth("boolValue")?))
    } else if let Some(number) = fields.signed("intValue")? {
        Some(Any::IntValue(number))
    } else if let Some(number) = fields.double("doubleValue")? {
        Some(Any::DoubleValue(number))
    } else if let Some(list) = fields.object("arrayValue")? {
        Some(Any::ArrayValue(ArrayValue { values: list.messages("values", any_value)? }))
    } else if let Some(list) = fields.object("kvlistValue")? {
        Some(Any::KvlistValue(KeyValueList { values: list.messages("values", key_value)? }))
    } else if fields.get("bytesValue").is_some() {
        let text = fields.text("bytesValue")?;
        let bytes = STANDARD.decode(&text).or_else(|_| URL_SAFE.decode(&text));
        Some(Any::BytesValue(bytes.map_err(|_| wrong("bytesValue", "base64"))?))
    } else {
        None
    };
    Ok(AnyValue { value })
}
