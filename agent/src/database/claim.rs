//! Which accounts have a part in a home, by what passwd(5) says.

use accountd_protocol::removal::HomeStays;
use accountd_protocol::text::FieldPath;
use memchr::memchr_iter;
use memchr::memmem::Finder;

use super::entry::passwd;
use super::file::{FileKind, LineFile};

/// Whether no account but `but` has this home or one in it.
pub fn unclaimed(file: &LineFile, home: &FieldPath, but: Option<&str>) -> Result<(), HomeStays> {
    match claimants(file, home, but).next() {
        None => Ok(()),
        Some((name, other)) if other == *home => Err(HomeStays::SharedWith(name.to_owned())),
        Some((name, _)) => Err(HomeStays::Holds(name.to_owned())),
    }
}

/// The accounts but `but` that have this home or one in it, with theirs.
pub fn claimants<'a>(
    file: &'a LineFile,
    home: &'a FieldPath,
    but: Option<&'a str>,
) -> impl Iterator<Item = (&'a str, FieldPath)> {
    let last = home.components().last().unwrap_or_default().as_bytes();
    // Nearly every line ends here: it is looked at as it is before it is taken apart.
    let last = Finder::new(last).into_owned();
    let may_be_within = move |line: &&[u8]| home_field(line).is_some_and(|field| last.find(field).is_some());
    file.lines().filter(may_be_within).filter_map(move |line| {
        let name = FileKind::Passwd.key(line).filter(|name| Some(*name) != but)?;
        let other = home_of(line).filter(|other| other.is_within(home))?;
        // As glibc finds it: the first line of the name.
        (file.find(name) == Some(line)).then_some((name, other))
    })
}

/// The home field of a line of passwd(5) as it stands there.
pub fn home_field(line: &[u8]) -> Option<&[u8]> {
    let mut colons = memchr_iter(b':', line);
    let begin = colons.nth(passwd::HOME - 1)? + 1;
    line.get(begin..colons.next().unwrap_or(line.len()))
}

/// Others write paths as they like.
fn home_of(line: &[u8]) -> Option<FieldPath> {
    FieldPath::new(std::str::from_utf8(home_field(line)?).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_has_the_home_or_one_in_it_has_a_part_in_it() {
        let text = "anna:x:1:1::/mnt/tank/anna:/bin/sh\nb:x:2:2::/mnt//tank/anna/:/bin/sh\n\
                    c:x:3:3::/mnt/tank/carla/in/it:/bin/sh\nd:x:4:4::/mnt/tank/dora:/bin/sh\nd:x:5:5::/mnt/tank/e:/\n\
                    f:x:6:6::/mnt/tank/anna2:/bin/sh\n";
        let file = LineFile::parse(FileKind::Passwd, text.as_bytes());
        let claim = |path: &str, but| unclaimed(&file, &FieldPath::new(path).unwrap(), but);
        assert_eq!(claim("/mnt/tank/anna", Some("anna")), Err(HomeStays::SharedWith("b".into())));
        assert_eq!(claim("/mnt/tank/carla", None), Err(HomeStays::Holds("c".into())));
        assert_eq!(claim("/mnt/tank/dora", Some("d")), Ok(()));
        assert_eq!(claim("/mnt/tank/e", None), Ok(()), "only the first line of a name counts");
        assert_eq!(claim("/mnt/tank/ann", None), Ok(()));
    }
}
