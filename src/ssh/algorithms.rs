//! What is offered to clients: strong algorithms, fastest first (measured with AES-NI), nothing
//! with SHA-1, no compression.

use std::borrow::Cow;
use std::time::Duration;

use crate::settings::Settings;
use russh::keys::{Algorithm, EcdsaCurve, HashAlg, PrivateKey};
use russh::server::Config;
use russh::{MethodKind, MethodSet, Preferred, SshId, cipher, compression, kex, mac};

/// Large enough for an upload over 20 ms of round trip at 200 MiB/s (the default is 2 MiB).
const WINDOW: u32 = 8 * 1024 * 1024;
const PACKET: u32 = 32 * 1024;
/// As many as sshd takes (`MaxAuthTries`), and the client's first question, which counts here as one: whoever has
/// six keys gets in with the last.
const MOST_ATTEMPTS: usize = 7;
/// A refusal takes this long, whatever it was that was refused.
const REFUSAL_TIME: Duration = Duration::from_millis(500);

const KEX: &[kex::Name] = &[
    kex::MLKEM768X25519_SHA256,
    kex::CURVE25519,
    kex::CURVE25519_PRE_RFC_8731,
    kex::EXTENSION_SUPPORT_AS_SERVER,
    kex::EXTENSION_OPENSSH_STRICT_KEX_AS_SERVER,
];
const CIPHERS: &[cipher::Name] = &[
    cipher::AES_128_GCM,
    cipher::AES_256_GCM,
    cipher::CHACHA20_POLY1305,
    cipher::AES_256_CTR,
    cipher::AES_192_CTR,
    cipher::AES_128_CTR,
];
/// The last one for libssh2 before 1.11, which curl has on Debian 12: it knows none of the others.
const MACS: &[mac::Name] = &[mac::HMAC_SHA256_ETM, mac::HMAC_SHA512_ETM, mac::HMAC_SHA256];
/// Host keys and users' keys; also what `server-sig-algs` says (RFC 8308).
const KEYS: &[Algorithm] = &[
    Algorithm::Ed25519,
    Algorithm::Ecdsa { curve: EcdsaCurve::NistP256 },
    Algorithm::Ecdsa { curve: EcdsaCurve::NistP384 },
    Algorithm::Ecdsa { curve: EcdsaCurve::NistP521 },
    Algorithm::Rsa { hash: Some(HashAlg::Sha512) },
    Algorithm::Rsa { hash: Some(HashAlg::Sha256) },
];

/// How a client may authenticate.
pub fn methods() -> MethodSet {
    MethodSet::from(&[MethodKind::PublicKey, MethodKind::Password, MethodKind::KeyboardInteractive][..])
}

/// The one that asks for what is missing.
pub fn questions() -> MethodSet {
    MethodSet::from(&[MethodKind::KeyboardInteractive][..])
}

pub fn config(keys: Vec<PrivateKey>, settings: &Settings) -> Config {
    Config {
        server_id: SshId::Standard(Cow::Borrowed("SSH-2.0-accountd")),
        methods: methods(),
        auth_rejection_time: REFUSAL_TIME,
        // The client's first question, which methods there are, tells nothing.
        auth_rejection_time_initial: Some(Duration::ZERO),
        keys,
        window_size: WINDOW,
        maximum_packet_size: PACKET,
        max_auth_attempts: MOST_ATTEMPTS,
        // Answers to keepalives would count as activity: the stream knows better.
        inactivity_timeout: None,
        keepalive_interval: Some(settings.keepalive),
        preferred: Preferred {
            kex: Cow::Borrowed(KEX),
            key: Cow::Borrowed(KEYS),
            cipher: Cow::Borrowed(CIPHERS),
            mac: Cow::Borrowed(MACS),
            compression: Cow::Borrowed(&[compression::NONE]),
            ..Preferred::default()
        },
        ..Config::default()
    }
}
