//! The options of `rsync --server` (rsync(1)): what a client sends for its user, without those
//! that would run a program or read a configuration.

use super::CommandError;

/// They start a daemon, whose configuration may name programs.
const REFUSED: [&[u8]; 3] = [b"--daemon", b"--config", b"--dparam"];

/// Checks the words behind `rsync`.
pub fn check(words: &[Vec<u8>]) -> Result<(), CommandError> {
    if words.first().map(Vec::as_slice) != Some(b"--server") {
        return Err(CommandError::NotServed("rsync as its clients start it".to_owned()));
    }
    // Behind a lone `--` there are only names.
    let options = words.iter().take_while(|word| word.as_slice() != b"--");
    for option in options {
        let name = option.split(|byte| *byte == b'=').next().unwrap_or_default();
        let is_refused = REFUSED.contains(&name);
        if is_refused {
            return Err(CommandError::Option(option.escape_ascii().to_string()));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<Vec<u8>> {
        line.split(' ').map(|word| word.as_bytes().to_vec()).collect()
    }

    #[test]
    fn what_a_client_sends_is_served_and_a_daemon_is_not() {
        check(&words("--server -vlogDtpre.iLsfxCIvu . /mnt/tank/anna")).unwrap();
        check(&words("--server --sender -vlogDtpre.iLsfxCIvu --delete . a")).unwrap();
        for line in [
            "--daemon",
            "--server --daemon .",
            "--server --config=/tmp/x .",
            "-av a b",
            "--server -M--dparam=x --dparam=a",
        ] {
            assert!(check(&words(line)).is_err(), "{line}");
        }
        assert!(check(&[]).is_err());
    }
}
