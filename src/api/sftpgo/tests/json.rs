//! The reader of JSON, beside serde_json and with Go's words.

use serde_json::Value;
use zeroize::Zeroizing;

use super::super::json::{Json, first_value};

fn refused(text: &[u8]) -> String {
    first_value(text).unwrap_err().to_string()
}

#[test]
fn what_is_wrong_is_said_as_clients_know_it() {
    let rows: [(&[u8], &str); 29] = [
        (b"", "EOF"),
        (b" \n", "EOF"),
        (b"{", "unexpected EOF"),
        (b"{\"username\":\"al", "unexpected EOF"),
        (b"tru", "unexpected EOF"),
        (b"-", "unexpected EOF"),
        (b"invalid", "invalid character 'i' looking for beginning of value"),
        (b"\xef\xbb\xbf{}", "invalid character '\u{ef}' looking for beginning of value"),
        (b"\x00", "invalid character '\\x00' looking for beginning of value"),
        (b"\x80", "invalid character '\\u0080' looking for beginning of value"),
        (b"'a'", "invalid character '\\'' looking for beginning of value"),
        (b"[1,]", "invalid character ']' looking for beginning of value"),
        (b"{a:1}", "invalid character 'a' looking for beginning of object key string"),
        (b"{\"a\":1,}", "invalid character '}' looking for beginning of object key string"),
        (b"{\"a\" \"b\"}", "invalid character '\"' after object key"),
        (b"{\"a\":1 \"b\"", "invalid character '\"' after object key:value pair"),
        (b"{\"a\":01}", "invalid character '1' after object key:value pair"),
        (b"[1 2]", "invalid character '2' after array element"),
        (b"\"a\nb\"", "invalid character '\\n' in string literal"),
        (b"\"\\x\"", "invalid character 'x' in string escape code"),
        (b"\"\\u12g4\"", "invalid character 'g' in \\u hexadecimal character escape"),
        (b"-a", "invalid character 'a' in numeric literal"),
        (b"1.x", "invalid character 'x' after decimal point in numeric literal"),
        (b"1e+x", "invalid character 'x' in exponent of numeric literal"),
        (b"trie", "invalid character 'i' in literal true (expecting 'u')"),
        (b"fAlse", "invalid character 'A' in literal false (expecting 'a')"),
        (b"nul\\", "invalid character '\\\\' in literal null (expecting 'l')"),
        (b"\x7f", "invalid character '\\x7f' looking for beginning of value"),
        (b"]", "invalid character ']' looking for beginning of value"),
    ];
    for (text, expected) in rows {
        assert_eq!(refused(text), expected, "{}", text.escape_ascii());
    }
    assert_eq!(refused("[".repeat(1 << 20).as_bytes()), "exceeded max depth");
}

#[test]
fn only_the_first_value_is_read() {
    for text in ["{} garbage", "{}{", "{}]", " {}\0"] {
        assert_eq!(first_value(text.as_bytes()), Ok(Json::Object(vec![])), "{text}");
    }
    assert_eq!(first_value(b"12abc"), Ok(Json::Number("12".into())));
}

#[test]
fn strings_are_whole_utf8_whatever_they_were() {
    let rows: [(&[u8], &str); 6] = [
        (b"\"\\ud83d\\ude00\"", "\u{1f600}"),
        (b"\"\\ud83d\\ud83d\\ude00\"", "\u{fffd}\u{1f600}"),
        (b"\"\\ud83dx\"", "\u{fffd}x"),
        (b"\"\\ude00\\u0041\"", "\u{fffd}A"),
        (b"\"a\xffb\"", "a\u{fffd}b"),
        (b"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\u{8}\u{c}\n\r\t"),
    ];
    for (text, expected) in rows {
        assert_eq!(first_value(text), Ok(Json::String(Zeroizing::new(expected.into()))), "{}", text.escape_ascii());
    }
}

const BODY: &[u8] = br#" {"id": 0, "a":[true,false,null,-0.5e+1,"\u00e4\n",[],{}], "b":{"c":"d"}}"#;

/// What another reader makes of the same text, as far as it goes.
fn same(ours: &Json, theirs: &Value) -> bool {
    match (ours, theirs) {
        (Json::Null, Value::Null) | (Json::Bool, Value::Bool(_)) => true,
        (Json::Number(text), Value::Number(number)) => {
            let (ours, theirs) = (text.parse::<f64>().unwrap(), number.as_f64().unwrap());
            (ours - theirs).abs() <= ours.abs() * 1e-12
        }
        (Json::String(text), Value::String(other)) => **text == *other,
        (Json::Array(ours), Value::Array(theirs)) => {
            ours.len() == theirs.len() && ours.iter().zip(theirs).all(|(ours, theirs)| same(ours, theirs))
        }
        (Json::Object(members), Value::Object(theirs)) => {
            let last = |key: &str| members.iter().rfind(|(name, _)| name == key).map(|(_, value)| value);
            theirs.iter().all(|(key, value)| last(key).is_some_and(|ours| same(ours, value)))
                && members.iter().all(|(key, _)| theirs.contains_key(key))
        }
        _ => false,
    }
}

#[test]
fn serde_json_reads_the_same_wherever_a_byte_is_changed() {
    for at in 0..BODY.len() {
        assert!(first_value(&BODY[..at]).is_err(), "{at}");
        for byte in 0..=255 {
            let mut text = BODY.to_vec();
            text[at] = byte;
            let theirs = serde_json::Deserializer::from_slice(&text).into_iter::<Value>().next();
            match (first_value(&text), theirs) {
                (Ok(ours), Some(Ok(theirs))) => assert!(same(&ours, &theirs), "{}", text.escape_ascii()),
                // We take what is no UTF-8, halves of pairs, and a value that something follows at once.
                (Ok(_), Some(Err(error))) => {
                    let lenient = byte >= 0x80 || error.to_string().contains("surrogate") || at == 0;
                    assert!(lenient, "{}: {error}", text.escape_ascii());
                }
                (Err(_), Some(Err(_)) | None) => {}
                (ours, theirs) => panic!("{}: {ours:?}, {theirs:?}", text.escape_ascii()),
            }
        }
    }
}
