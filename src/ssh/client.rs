//! What is known of clients by the identification that they send (RFC 4253 §4.2).

use accountd_protocol::login::LinkOrder;

/// Clients that send the link first to every server that does not call itself OpenSSH.
const LINK_FIRST: [&[u8]; 5] = [b"WinSCP", b"libssh_", b"libssh-", b"AsyncSSH", b"ssh2js"];

/// In which order a client sends the fields of SSH_FXP_SYMLINK.
pub fn link_order(identification: &[u8]) -> LinkOrder {
    let software = identification.strip_prefix(b"SSH-2.0-").unwrap_or_default();
    match LINK_FIRST.iter().any(|name| software.starts_with(name)) {
        true => LinkOrder::LinkFirst,
        false => LinkOrder::TargetFirst,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_that_follow_the_draft_are_known_by_their_name() {
        for name in
            ["SSH-2.0-WinSCP_release_6.3.5", "SSH-2.0-libssh_0.10.6", "SSH-2.0-AsyncSSH_2.14.0", "SSH-2.0-ssh2js1.17.0"]
        {
            assert_eq!(link_order(name.as_bytes()), LinkOrder::LinkFirst, "{name}");
        }
        for name in
            ["SSH-2.0-OpenSSH_9.2p1 WinSCP", "SSH-2.0-libssh2_1.11.0", "SSH-2.0-paramiko_3.4.0", "SSH-1.5-WinSCP", ""]
        {
            assert_eq!(link_order(name.as_bytes()), LinkOrder::TargetFirst, "{name}");
        }
    }
}
