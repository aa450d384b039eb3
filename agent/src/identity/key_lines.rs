//! `authorized_keys` line by line, as people look at it (sshd(8), AUTHORIZED_KEYS FILE FORMAT).

use accountd_protocol::agent::{KeyLine, PublicKeyLine};
use ssh_key::{HashAlg, PublicKey};

use super::authorized_keys::parse_line;
use super::key_options::split_options;

/// Every line that is neither blank nor a comment.
pub fn lines(text: &str) -> Vec<KeyLine> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(|line| KeyLine { line: line.to_owned(), key: public_key(line) }).collect()
}

/// `None` where the line is not one that could let somebody in.
fn public_key(line: &str) -> Option<PublicKeyLine> {
    parse_line(line).ok().flatten()?;
    key_of("", line).or_else(|| {
        let (_, rest) = split_options(line).ok()?;
        let options = line.get(..line.len() - rest.len())?;
        key_of(options.trim(), rest.trim())
    })
}

/// `type base64 [comment]`
fn key_of(options: &str, text: &str) -> Option<PublicKeyLine> {
    let (kind, rest) = text.split_once([' ', '\t'])?;
    let rest = rest.trim_start();
    let (base64, comment) = rest.split_once([' ', '\t']).unwrap_or((rest, ""));
    let key = PublicKey::from_openssh(&format!("{kind} {base64}")).ok()?;
    Some(PublicKeyLine {
        kind: kind.to_owned(),
        fingerprint: key.fingerprint(HashAlg::Sha256).to_string(),
        options: options.to_owned(),
        comment: comment.trim().to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILM+rvN+ot98qgEN796jTiQfZfG1KaT0PtFDJ/XFSqti";
    /// What `ssh-keygen -lf` says of it.
    const FINGERPRINT: &str = "SHA256:UCUiLr7Pjs9wFFJMDByLgc3NrtdU344OgUM45wZPcIQ";

    #[test]
    fn a_line_is_its_options_its_key_and_its_comment() {
        let text =
            format!("# none\n\n{KEY}\tanna@laptop  two\nfrom=\"10.0.0.*,a b\",no-pty {KEY}\nnonsense {KEY}\nrubbish\n");
        let found = lines(&text);
        let keys: Vec<_> = found.iter().map(|line| line.key.as_ref()).collect();
        let [Some(first), Some(second), None, None] = keys.as_slice() else { panic!("{found:?}") };
        assert_eq!((&*first.kind, &*first.fingerprint), ("ssh-ed25519", FINGERPRINT));
        assert_eq!((&*first.options, &*first.comment), ("", "anna@laptop  two"));
        assert_eq!((&*second.options, &*second.comment), ("from=\"10.0.0.*,a b\",no-pty", ""));
        assert_eq!((&*second.fingerprint, &*found[3].line), (FINGERPRINT, "rubbish"));
    }
}
