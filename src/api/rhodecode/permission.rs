//! What may be done with a repository, in the words of this API.

use accountd_protocol::repository::Access;

const PREFIX: &str = "repository.";

pub fn name(access: Access) -> &'static str {
    match access {
        Access::None => "repository.none",
        Access::Read => "repository.read",
        Access::Write => "repository.write",
        Access::Admin => "repository.admin",
    }
}

pub fn parse(name: &str) -> Option<Access> {
    name.strip_prefix(PREFIX).and_then(Access::parse)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_one_name() {
        for access in Access::ALL {
            assert_eq!(parse(name(access)), Some(access));
        }
        for nothing in ["", "read", "repository.", "repository.READ", "group.read", "repository.read "] {
            assert_eq!(parse(nothing), None, "{nothing}");
        }
    }
}
