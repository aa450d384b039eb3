//! Which accounts have a part in a home, by what passwd(5) says.

use accountd_protocol::removal::HomeStays;
use accountd_protocol::text::FieldPath;

use super::entry::passwd;
use super::file::{FileKind, LineFile};

/// Whether no account but `but` has this home or one in it.
pub fn unclaimed(file: &LineFile, home: &FieldPath, but: Option<&str>) -> Result<(), HomeStays> {
    let Some(last) = home.components().last() else { return Ok(()) };
    // Nearly every line ends here: it is looked at as it is before it is taken apart.
    let may_be_within = |line: &[u8]| home_field(line).is_some_and(|field| contains(field, last.as_bytes()));
    for line in file.lines().filter(|line| may_be_within(line)) {
        let Some(name) = FileKind::Passwd.key(line).filter(|name| Some(*name) != but) else { continue };
        let Some(other) = home_of(line).filter(|_| file.find(name) == Some(line)) else { continue };
        if other == *home {
            return Err(HomeStays::SharedWith(name.to_owned()));
        }
        if other.is_within(home) {
            return Err(HomeStays::Holds(name.to_owned()));
        }
    }
    Ok(())
}

fn home_field(line: &[u8]) -> Option<&[u8]> {
    line.split(|byte| *byte == b':').nth(passwd::HOME)
}

fn contains(field: &[u8], part: &[u8]) -> bool {
    field.len() >= part.len() && field.windows(part.len()).any(|window| window == part)
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
