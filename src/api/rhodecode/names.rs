//! First and last name. An account has one full name, which is cut at its first blank; where that is not
//! what was said, the words themselves are kept for as long as they are true.

use accountd_protocol::agent::{Dialect, Echoes, User};
use serde::{Deserialize, Serialize};

/// What is kept of an account's words.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Names {
    pub first: String,
    pub last: String,
    /// Nobody is looked for there; it is said again.
    pub ldap_dn: Option<String>,
}

impl Names {
    pub fn of(user: &User) -> Self {
        let (first, last) = user.full_name.split_once(' ').unwrap_or((&user.full_name, ""));
        let cut = Self { first: first.to_owned(), last: last.to_owned(), ldap_dn: None };
        let echo = user.echoes.get(&Dialect::Rhodecode).and_then(|echo| serde_json::from_str::<Self>(echo).ok());
        match echo {
            Some(echo) if echo.full_name() == user.full_name => echo,
            Some(echo) => Self { ldap_dn: echo.ldap_dn, ..cut },
            None => cut,
        }
    }

    pub fn full_name(&self) -> String {
        match (self.first.as_str(), self.last.as_str()) {
            (first, "") => first.to_owned(),
            ("", last) => last.to_owned(),
            (first, last) => format!("{first} {last}"),
        }
    }

    pub fn echoes(&self) -> Echoes {
        // Three texts: it can't fail.
        serde_json::to_string(self).map(|echo| Echoes::from([(Dialect::Rhodecode, echo)])).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scripted_agent::user;

    fn names(first: &str, last: &str) -> Names {
        Names { first: first.into(), last: last.into(), ldap_dn: None }
    }

    #[test]
    fn a_full_name_is_cut_at_its_first_blank() {
        for (full, first, last) in
            [("", "", ""), ("Ann", "Ann", ""), ("Ann B. Cee", "Ann", "B. Cee"), (" Ann", "", "Ann")]
        {
            let user = User { full_name: full.into(), ..user("ann", 3001) };
            assert_eq!(Names::of(&user), names(first, last), "{full:?}");
        }
    }

    #[test]
    fn words_are_said_again_until_somebody_changes_the_name() {
        for said in [names("Ann Bea", "Cee"), names("", "Cee"), names("Ann", ""), names("Ann ", " Cee")] {
            let user = User { full_name: said.full_name(), echoes: said.echoes(), ..user("ann", 3001) };
            assert_eq!(Names::of(&user), said);
            let changed = User { full_name: "Dee Eff Gee".into(), ..user };
            assert_eq!(Names::of(&changed), names("Dee", "Eff Gee"));
        }
    }
}
