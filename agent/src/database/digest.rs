//! What tells whether a file is the one that a commit has written.

use std::io::{self, Write};

use sha2::{Digest, Sha256};

use crate::hexadecimal::hexadecimal;

/// SHA-256 of a whole file, as 64 hexadecimal digits.
pub type FileDigest = String;

pub fn digest(content: &[u8]) -> FileDigest {
    hexadecimal(Sha256::digest(content).as_slice())
}

/// Writes on to another writer, and knows the digest of what that has taken.
#[derive(Debug)]
pub struct Digesting<W> {
    out: W,
    hash: Sha256,
}

impl<W: Write> Digesting<W> {
    pub fn new(out: W) -> Self {
        Self { out, hash: Sha256::new() }
    }

    pub fn finish(self) -> (W, FileDigest) {
        (self.out, hexadecimal(self.hash.finalize().as_slice()))
    }
}

impl<W: Write> Write for Digesting<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = self.out.write(bytes)?;
        self.hash.update(&bytes[..taken]);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes three bytes at a time.
    struct Slow(Vec<u8>);

    impl Write for Slow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let taken = bytes.len().min(3);
            self.0.extend_from_slice(&bytes[..taken]);
            Ok(taken)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn the_digest_is_of_what_was_taken() {
        let mut out = Digesting::new(Slow(Vec::new()));
        out.write_all(b"a:x:1:\nb:x:2:\n").unwrap();
        let (Slow(taken), of_taken) = out.finish();
        assert_eq!((taken.as_slice(), of_taken), (b"a:x:1:\nb:x:2:\n".as_slice(), digest(&taken)));
        // FIPS 180-2, appendix B.1.
        assert_eq!(digest(b"abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }
}
