//! Control records.
//!
//! `T MTIME 0 ATIME 0` before what it is about, `C MODE SIZE NAME` before the bytes of a file,
//! `D MODE 0 NAME` before what is in a directory and `E` behind it; modes are four octal digits,
//! times seconds since 1970 and microseconds. A message to the user begins with a byte of its own.

use std::ffi::CString;

use nix::sys::stat::FileStat;
use nix::sys::time::TimeSpec;

pub const OK: u8 = 0;
pub const WARNING: u8 = 1;
pub const FATAL: u8 = 2;
/// What is sent of a mode: everything but the sticky bit.
const SENT_MODE: u32 = 0o6777;

/// Access and modification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    pub access: TimeSpec,
    pub modification: TimeSpec,
}

#[derive(Debug, PartialEq, Eq)]
pub enum Control {
    Times(Times),
    File {
        mode: u32,
        size: u64,
        name: CString,
    },
    Directory {
        mode: u32,
        name: CString,
    },
    /// The directory is complete.
    End,
    /// The other side has told its user already.
    Warning,
    Fatal,
}

/// Why a line is no record.
#[derive(Debug, PartialEq, Eq)]
pub enum Refusal {
    /// In the words of scp(1), behind `protocol error: `.
    Protocol(&'static str),
    /// The name is none of a file in the directory that it is sent to.
    Name(Vec<u8>),
}

impl Control {
    pub fn parse(line: &[u8]) -> Result<Self, Refusal> {
        let (kind, rest) = line.split_first().ok_or(Refusal::Protocol("unexpected <newline>"))?;
        match *kind {
            WARNING => Ok(Control::Warning),
            FATAL => Ok(Control::Fatal),
            b'E' => Ok(Control::End),
            b'T' => times(rest).map(Control::Times).ok_or(Refusal::Protocol("times are not well-formed")),
            b'C' => object(rest).map(|(mode, size, name)| Control::File { mode, size, name }),
            b'D' => object(rest).map(|(mode, _, name)| Control::Directory { mode, name }),
            _ => Err(Refusal::Protocol("expected control record")),
        }
    }
}

fn times(text: &[u8]) -> Option<Times> {
    let text = std::str::from_utf8(text).ok()?;
    let numbers: Vec<i64> = text.split(' ').map(number).collect::<Option<_>>()?;
    let [modified, modified_micros @ 0..1_000_000, accessed, accessed_micros @ 0..1_000_000] = numbers[..] else {
        return None;
    };
    Some(Times {
        access: TimeSpec::new(accessed, accessed_micros * 1000),
        modification: TimeSpec::new(modified, modified_micros * 1000),
    })
}

/// Digits and nothing else.
fn number(text: &str) -> Option<i64> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().ok() } else { None }
}

/// Mode, size and name.
fn object(text: &[u8]) -> Result<(u32, u64, CString), Refusal> {
    let (mode, rest) = text.split_at_checked(4).ok_or(Refusal::Protocol("bad mode"))?;
    let mode = mode.iter().try_fold(0, |mode, digit| match digit {
        b'0'..=b'7' => Ok(mode << 3 | u32::from(digit - b'0')),
        _ => Err(Refusal::Protocol("bad mode")),
    })?;
    let rest = rest.strip_prefix(b" ").ok_or(Refusal::Protocol("mode not delimited"))?;
    let end = rest.iter().position(|byte| *byte == b' ').ok_or(Refusal::Protocol("size not delimited"))?;
    let (size, name) = rest.split_at(end);
    let size = std::str::from_utf8(size).ok().and_then(number).ok_or(Refusal::Protocol("size not present"))?;
    let name = name.get(1..).unwrap_or_default();
    if matches!(name, b"" | b"." | b"..") || name.contains(&b'/') {
        return Err(Refusal::Name(name.to_vec()));
    }
    let name = CString::new(name).map_err(|_| Refusal::Name(name.to_vec()))?;
    Ok((mode, size.unsigned_abs(), name))
}

pub fn times_record(status: &FileStat) -> Vec<u8> {
    format!("T{} 0 {} 0\n", status.st_mtime.max(0), status.st_atime.max(0)).into_bytes()
}

pub fn file_record(status: &FileStat, name: &[u8]) -> Vec<u8> {
    let mut record = format!("C{:04o} {} ", status.st_mode & SENT_MODE, status.st_size.max(0)).into_bytes();
    record.extend(encoded(name));
    record.push(b'\n');
    record
}

pub fn directory_record(status: &FileStat, name: &[u8]) -> Vec<u8> {
    let mut record = format!("D{:04o} 0 ", status.st_mode & SENT_MODE).into_bytes();
    record.extend(encoded(name));
    record.push(b'\n');
    record
}

/// A record can't hold a line break. A name with one is sent in the notation of vis(3), as OpenSSH
/// sends it; the receiver takes that for the name itself.
fn encoded(name: &[u8]) -> Vec<u8> {
    if !name.contains(&b'\n') {
        return name.to_vec();
    }
    let mut encoded = Vec::with_capacity(name.len() * 4);
    for byte in name {
        match byte {
            b'\\' => encoded.extend(b"\\\\"),
            b' ' | b'\t' | b'!'..=b'~' => encoded.push(*byte),
            0xa0 => encoded.extend(b"\\240"),
            byte => {
                let (meta, low) = (byte & 0x80 != 0, byte & 0x7f);
                encoded.extend(if meta { &b"\\M"[..] } else { b"\\" });
                match low {
                    0x7f => encoded.extend(b"^?"),
                    0..0x20 => encoded.extend([b'^', low + b'@']),
                    low => encoded.extend([b'-', low]),
                }
            }
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &[u8]) -> Result<Control, String> {
        Control::parse(line).map_err(|refusal| match refusal {
            Refusal::Protocol(why) => why.to_owned(),
            Refusal::Name(name) => format!("name {}", String::from_utf8_lossy(&name)),
        })
    }

    #[test]
    fn records_are_read_field_by_field() {
        let name = |text: &str| CString::new(text).unwrap();
        assert_eq!(
            parse(b"C0644 5000000000 a b"),
            Ok(Control::File { mode: 0o644, size: 5_000_000_000, name: name("a b") })
        );
        assert_eq!(parse(b"D7755 0  "), Ok(Control::Directory { mode: 0o7755, name: name(" ") }));
        let times = Times { access: TimeSpec::new(3, 4000), modification: TimeSpec::new(1, 2000) };
        assert_eq!(parse(b"T1 2 3 4"), Ok(Control::Times(times)));
        assert_eq!(
            (parse(b"E"), parse(b"\x01oh"), parse(b"\x02")),
            (Ok(Control::End), Ok(Control::Warning), Ok(Control::Fatal))
        );
    }

    #[test]
    fn names_that_lead_elsewhere_and_broken_records_are_refused() {
        for (line, why) in [
            (&b""[..], "unexpected <newline>"),
            (b"x", "expected control record"),
            (b"C0644", "mode not delimited"),
            (b"C06", "bad mode"),
            (b"C0688 1 a", "bad mode"),
            (b"C06441 1 a", "mode not delimited"),
            (b"C0644 1", "size not delimited"),
            (b"C0644 -1 a", "size not present"),
            (b"C0644  a", "size not present"),
            (b"C0644 9223372036854775808 a", "size not present"),
            (b"C0644 1 ", "name "),
            (b"C0644 1 .", "name ."),
            (b"C0644 1 ..", "name .."),
            (b"D0755 0 a/b", "name a/b"),
            (b"D0755 0 /", "name /"),
            (b"C0644 1 a\0b", "name a\0b"),
            (b"T1 0 1", "times are not well-formed"),
            (b"T1 0 -1 0", "times are not well-formed"),
            (b"T1 1000000 1 0", "times are not well-formed"),
            (b"T1 0 99999999999999999999 0", "times are not well-formed"),
        ] {
            assert_eq!(parse(line).unwrap_err(), why, "{line:?}");
        }
    }

    /// As OpenSSH 9.2 sends them.
    #[test]
    fn a_line_break_in_a_name_is_sent_as_vis_has_it() {
        assert_eq!(encoded(b"a\\\xc3\xa4 \x01"), b"a\\\xc3\xa4 \x01");
        assert_eq!(encoded(b"a\nb\\c\xc3\xa4 \x01 x\x7f\xff\xa0"), b"a\\^Jb\\\\c\\M-C\\M-$ \\^A x\\^?\\M^?\\240");
    }
}
