//! The first JSON value of a body (RFC 8259), read as Go's encoding/json reads it: what comes behind
//! the value is passed over, what is no UTF-8 becomes U+FFFD, and what is wrong has the words that
//! clients of this API know.

use std::fmt;

use zeroize::Zeroizing;

/// How deep arrays and objects may lie in each other.
const DEEPEST: usize = 100;

/// A value. Numbers stay as they are written; members stand in their order, and a name may come
/// twice.
#[derive(Debug, PartialEq)]
pub enum Json {
    Null,
    Bool,
    Number(String),
    /// May be a password.
    String(Zeroizing<String>),
    Array(Vec<Json>),
    Object(Vec<(String, Json)>),
}

/// Why there is no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// Nothing but blanks.
    Empty,
    /// It ends too early.
    Cut,
    /// A byte that can't stand where it does.
    Byte(u8, Place),
    TooDeep,
}

/// Where something was looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    Value,
    Key,
    AfterKey,
    AfterMember,
    AfterElement,
    InString,
    InEscape,
    InHexadecimal,
    InNumber,
    AfterPoint,
    InExponent,
    /// The word, and the letter of it that is missing.
    InWord(&'static str, u8),
}

impl fmt::Display for Malformed {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Malformed::Empty => out.write_str("EOF"),
            Malformed::Cut => out.write_str("unexpected EOF"),
            Malformed::Byte(byte, place) => write!(out, "invalid character {} {place}", quoted(*byte)),
            Malformed::TooDeep => out.write_str("exceeded max depth"),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Place::Value => "looking for beginning of value",
            Place::Key => "looking for beginning of object key string",
            Place::AfterKey => "after object key",
            Place::AfterMember => "after object key:value pair",
            Place::AfterElement => "after array element",
            Place::InString => "in string literal",
            Place::InEscape => "in string escape code",
            Place::InHexadecimal => "in \\u hexadecimal character escape",
            Place::InNumber => "in numeric literal",
            Place::AfterPoint => "after decimal point in numeric literal",
            Place::InExponent => "in exponent of numeric literal",
            Place::InWord(word, letter) => {
                return write!(out, "in literal {word} (expecting {})", quoted(*letter));
            }
        })
    }
}

/// A byte as a character of Go.
fn quoted(byte: u8) -> String {
    match byte {
        b'\'' => "'\\''".into(),
        b'"' => "'\"'".into(),
        b'\\' => "'\\\\'".into(),
        0x07 => "'\\a'".into(),
        0x08 => "'\\b'".into(),
        0x0b => "'\\v'".into(),
        0x0c => "'\\f'".into(),
        b'\n' => "'\\n'".into(),
        b'\r' => "'\\r'".into(),
        b'\t' => "'\\t'".into(),
        0x00..=0x1f | 0x7f => format!("'\\x{byte:02x}'"),
        0x80..=0xa0 | 0xad => format!("'\\u{byte:04x}'"),
        _ => format!("'{}'", char::from(byte)),
    }
}

/// The first value of these bytes.
pub fn first_value(bytes: &[u8]) -> Result<Json, Malformed> {
    let mut reader = Reader { rest: bytes, depth: 0 };
    reader.skip_blanks();
    if reader.rest.is_empty() { Err(Malformed::Empty) } else { reader.value() }
}

struct Reader<'a> {
    rest: &'a [u8],
    depth: usize,
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    fn next(&mut self) -> Result<u8, Malformed> {
        let (first, rest) = self.rest.split_first().ok_or(Malformed::Cut)?;
        self.rest = rest;
        Ok(*first)
    }

    fn skip_blanks(&mut self) {
        let blanks = self.rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n')).count();
        self.rest = self.rest.get(blanks..).unwrap_or_default();
    }

    /// The next byte that is no blank.
    fn next_token(&mut self) -> Result<u8, Malformed> {
        self.skip_blanks();
        self.next()
    }

    fn value(&mut self) -> Result<Json, Malformed> {
        match self.next_token()? {
            b'{' => self.nested(Self::object),
            b'[' => self.nested(Self::array),
            b'"' => self.string().map(Json::String),
            b't' => self.word("true").map(|()| Json::Bool),
            b'f' => self.word("false").map(|()| Json::Bool),
            b'n' => self.word("null").map(|()| Json::Null),
            first @ (b'-' | b'0'..=b'9') => self.number(first),
            other => Err(Malformed::Byte(other, Place::Value)),
        }
    }

    fn nested(&mut self, read: fn(&mut Self) -> Result<Json, Malformed>) -> Result<Json, Malformed> {
        if self.depth == DEEPEST {
            return Err(Malformed::TooDeep);
        }
        self.depth += 1;
        let value = read(self)?;
        self.depth -= 1;
        Ok(value)
    }

    fn object(&mut self) -> Result<Json, Malformed> {
        let mut members = Vec::new();
        self.skip_blanks();
        if self.peek() == Some(b'}') {
            self.next()?;
            return Ok(Json::Object(members));
        }
        loop {
            match self.next_token()? {
                b'"' => {}
                other => return Err(Malformed::Byte(other, Place::Key)),
            }
            let key = self.string()?.to_string();
            match self.next_token()? {
                b':' => {}
                other => return Err(Malformed::Byte(other, Place::AfterKey)),
            }
            members.push((key, self.value()?));
            match self.next_token()? {
                b',' => {}
                b'}' => return Ok(Json::Object(members)),
                other => return Err(Malformed::Byte(other, Place::AfterMember)),
            }
        }
    }

    fn array(&mut self) -> Result<Json, Malformed> {
        let mut elements = Vec::new();
        self.skip_blanks();
        if self.peek() == Some(b']') {
            self.next()?;
            return Ok(Json::Array(elements));
        }
        loop {
            elements.push(self.value()?);
            match self.next_token()? {
                b',' => {}
                b']' => return Ok(Json::Array(elements)),
                other => return Err(Malformed::Byte(other, Place::AfterElement)),
            }
        }
    }

    /// The rest of a word whose first letter has been read.
    fn word(&mut self, word: &'static str) -> Result<(), Malformed> {
        for expected in word.bytes().skip(1) {
            match self.next()? {
                found if found == expected => {}
                other => return Err(Malformed::Byte(other, Place::InWord(word, expected))),
            }
        }
        Ok(())
    }

    /// The number that begins with `first`, which has been read.
    fn number(&mut self, first: u8) -> Result<Json, Malformed> {
        let mut text = String::from(char::from(first));
        if first == b'-' {
            text.push(self.digit(Place::InNumber)?);
        }
        if !text.ends_with('0') {
            self.digits(&mut text);
        }
        if self.peek() == Some(b'.') {
            text.push(char::from(self.next()?));
            text.push(self.digit(Place::AfterPoint)?);
            self.digits(&mut text);
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            text.push(char::from(self.next()?));
            if matches!(self.peek(), Some(b'+' | b'-')) {
                text.push(char::from(self.next()?));
            }
            text.push(self.digit(Place::InExponent)?);
            self.digits(&mut text);
        }
        Ok(Json::Number(text))
    }

    fn digit(&mut self, place: Place) -> Result<char, Malformed> {
        match self.next()? {
            digit @ b'0'..=b'9' => Ok(char::from(digit)),
            other => Err(Malformed::Byte(other, place)),
        }
    }

    fn digits(&mut self, text: &mut String) {
        while let Some(digit @ b'0'..=b'9') = self.peek() {
            text.push(char::from(digit));
            self.rest = self.rest.get(1..).unwrap_or_default();
        }
    }

    /// The rest of a string whose first quotation mark has been read.
    fn string(&mut self) -> Result<Zeroizing<String>, Malformed> {
        let mut bytes = Zeroizing::new(Vec::new());
        loop {
            match self.next()? {
                b'"' => return Ok(Zeroizing::new(String::from_utf8_lossy(&bytes).into_owned())),
                b'\\' => {
                    let c = self.escape()?;
                    bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                }
                control @ 0x00..=0x1f => return Err(Malformed::Byte(control, Place::InString)),
                byte => bytes.push(byte),
            }
        }
    }

    fn escape(&mut self) -> Result<char, Malformed> {
        Ok(match self.next()? {
            plain @ (b'"' | b'\\' | b'/') => char::from(plain),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => self.utf16()?,
            other => return Err(Malformed::Byte(other, Place::InEscape)),
        })
    }

    /// A character by one unit of UTF-16, or by two (RFC 8259 §7); half of a pair is U+FFFD.
    fn utf16(&mut self) -> Result<char, Malformed> {
        let first = self.unit()?;
        if let Some(c) = char::from_u32(first) {
            return Ok(c);
        }
        if !self.rest.starts_with(b"\\u") {
            return Ok(char::REPLACEMENT_CHARACTER);
        }
        let mut ahead = Reader { rest: self.rest.get(2..).unwrap_or_default(), depth: self.depth };
        let units = [first, ahead.unit()?].map(|unit| u16::try_from(unit).unwrap_or_default());
        match char::decode_utf16(units).next() {
            Some(Ok(c)) => {
                self.rest = ahead.rest;
                Ok(c)
            }
            // What follows is a character of its own.
            Some(Err(_)) | None => Ok(char::REPLACEMENT_CHARACTER),
        }
    }

    fn unit(&mut self) -> Result<u32, Malformed> {
        let mut unit = 0;
        for _ in 0..4 {
            let byte = self.next()?;
            let digit = char::from(byte).to_digit(16).ok_or(Malformed::Byte(byte, Place::InHexadecimal))?;
            unit = unit * 16 + digit;
        }
        Ok(unit)
    }
}
