//! Bytes that are mostly text, in JSON: a string with a character for each byte, U+0000 to U+00FF.
//! A list of numbers would be four times as long.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    Octets(bytes.to_vec()).serialize(serializer)
}

pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    Octets::deserialize(deserializer).map(|octets| octets.0)
}

struct Octets(Vec<u8>);

impl Serialize for Octets {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0.iter().copied().map(char::from).collect::<String>())
    }
}

impl<'de> Deserialize<'de> for Octets {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes: Result<Vec<u8>, _> = text.chars().map(u8::try_from).collect();
        bytes.map(Self).map_err(|_| serde::de::Error::custom("a character that is no byte"))
    }
}

/// The same for several.
pub mod list {
    use super::{Deserialize, Deserializer, Octets, Serializer};

    pub fn serialize<S: Serializer>(all: &[Vec<u8>], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(all.iter().map(|one| Octets(one.clone())))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Vec<u8>>, D::Error> {
        Ok(Vec::<Octets>::deserialize(deserializer)?.into_iter().map(|octets| octets.0).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
    struct Both {
        #[serde(with = "super")]
        one: Vec<u8>,
        #[serde(with = "super::list")]
        many: Vec<Vec<u8>>,
    }

    #[test]
    fn all_bytes_are_read_as_they_were_written_and_text_is_as_long_as_it_is() {
        let both = Both { one: (0..=255).collect(), many: vec![b"ls -l".to_vec(), Vec::new(), vec![0xff]] };
        let text = serde_json::to_string(&both).unwrap();
        assert_eq!(serde_json::from_str::<Both>(&text).unwrap(), both);
        assert!(text.ends_with(r#""many":["ls -l","","ÿ"]}"#), "{text}");
        assert!(serde_json::from_str::<Both>(r#"{"one":"€","many":[]}"#).is_err());
    }
}
