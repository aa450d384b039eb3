//! Where accountd is: `http://HOST:PORT`, and whether that is this machine.

use std::net::IpAddr;

use ureq::http::Uri;

use crate::error::Error;

/// Where the REST front listens unless it is told otherwise.
pub const DEFAULT: &str = "http://127.0.0.1:8080";

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url {
    /// Without a slash at the end.
    text: String,
    host: String,
}

impl Url {
    pub fn parse(text: &str) -> Result<Self, Error> {
        let wrong = |reason| Error::Url { url: without_secret(text), reason };
        let uri: Uri = text.parse().map_err(|_| wrong("it can not be read"))?;
        match uri.scheme_str() {
            Some("http") => {}
            Some("https") => return Err(wrong("TLS is not spoken here yet; take a tunnel, as ssh -L makes one")),
            Some(_) | None => return Err(wrong("it does not begin with http://")),
        }
        let authority = uri.authority().ok_or_else(|| wrong("it has no host"))?;
        if authority.as_str().contains('@') {
            return Err(wrong("a name or a password does not belong there: the list of processes shows it"));
        }
        if uri.query().is_some() || text.contains('#') {
            return Err(wrong("it has more than a path"));
        }
        let host = authority.host().trim_matches(['[', ']']).to_owned();
        Ok(Self { text: text.trim_end_matches('/').to_owned(), host })
    }

    /// Without a slash at the end.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    pub fn is_this_machine(&self) -> bool {
        let address = self.host.parse::<IpAddr>().map(|address| address.to_canonical());
        self.host == "localhost" || address.is_ok_and(|address| address.is_loopback())
    }
}

/// For messages: what stands before an @ may be a password.
fn without_secret(text: &str) -> String {
    match (text.split_once("://"), text.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, rest))) => format!("{scheme}://…@{rest}"),
        (None, Some((_, rest))) => format!("…@{rest}"),
        (_, None) => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_is_known_by_its_loopback_addresses() {
        for text in ["http://127.0.0.1:8080", "http://localhost", "http://[::1]:80/", "http://[::ffff:127.0.0.2]/x"] {
            assert!(Url::parse(text).unwrap().is_this_machine(), "{text}");
        }
        for text in ["http://10.0.0.1:8080", "http://nas.example", "http://localhost.evil", "http://[2001:db8::1]"] {
            assert!(!Url::parse(text).unwrap().is_this_machine(), "{text}");
        }
        assert_eq!(Url::parse("http://nas/accounts/").unwrap().as_str(), "http://nas/accounts");
    }

    #[test]
    fn what_is_no_address_is_refused_and_a_password_in_it_not_repeated() {
        for text in ["", "nas", "nas:8080", "https://nas", "ftp://nas", "http://nas?x", "http://nas#x", "http://"] {
            assert!(Url::parse(text).is_err(), "{text}");
        }
        let error = Url::parse("http://root:hunter2@nas").unwrap_err().to_string();
        assert!(!error.contains("hunter2"), "{error}");
    }
}
