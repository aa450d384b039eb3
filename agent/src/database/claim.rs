//! Which accounts have a part in a home, by what passwd(5) says.

use accountd_protocol::removal::HomeStays;
use accountd_protocol::text::FieldPath;

use super::entry::{Entry, passwd};
use super::file::{FileKind, LineFile};

/// Whether no account but `but` has this home or one in it.
pub fn unclaimed(file: &LineFile, home: &FieldPath, but: Option<&str>) -> Result<(), HomeStays> {
    for (name, line) in file.entries(FileKind::Passwd).filter(|(name, _)| Some(*name) != but) {
        let Some(other) = home_of(line) else { continue };
        if other == *home {
            return Err(HomeStays::SharedWith(name.to_owned()));
        }
        if other.is_within(home) {
            return Err(HomeStays::Holds(name.to_owned()));
        }
    }
    Ok(())
}

/// Others write paths as they like.
fn home_of(line: &[u8]) -> Option<FieldPath> {
    FieldPath::new(std::str::from_utf8(Entry::parse(line).bytes(passwd::HOME)).ok()?).ok()
}
