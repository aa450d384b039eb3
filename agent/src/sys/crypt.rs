//! crypt(3) through libcrypt: every format that the machine can hold, with the verdict of PAM.

use std::ffi::{CStr, CString, c_char, c_int, c_void};

use zeroize::Zeroizing;

/// `sizeof(struct crypt_data)` of libxcrypt 4 (crypt.h); part of its ABI.
const CRYPT_DATA_BYTES: usize = 32768;

#[link(name = "crypt")]
unsafe extern "C" {
    fn crypt_rn(phrase: *const c_char, setting: *const c_char, data: *mut c_void, size: c_int) -> *mut c_char;
}

/// The hash of `phrase` by `setting`; `None` when libcrypt refuses the setting or either text
/// holds a NUL. A refusal is never mistaken for a hash: those begin with `*` (crypt(3)).
pub fn crypt(phrase: &str, setting: &str) -> Option<String> {
    let phrase = Zeroizing::new(CString::new(phrase).ok()?.into_bytes_with_nul());
    let setting = CString::new(setting).ok()?;
    let mut data = Zeroizing::new(vec![0u64; CRYPT_DATA_BYTES / 8]);
    let size = c_int::try_from(CRYPT_DATA_BYTES).ok()?;
    // SAFETY: false if `phrase` or `setting` were not NUL-terminated, or if `data` were smaller
    // than `size` bytes or less aligned than struct crypt_data. Both texts come from CString and
    // `data` is 32768 bytes of u64.
    let hash = unsafe { crypt_rn(phrase.as_ptr().cast(), setting.as_ptr(), data.as_mut_ptr().cast(), size) };
    if hash.is_null() {
        return None;
    }
    // SAFETY: false if crypt_rn returned a pointer outside `data` or to an unterminated text.
    // It is copied out before `data` is wiped.
    let hash = unsafe { CStr::from_ptr(hash) }.to_str().ok()?.to_owned();
    (!hash.starts_with('*')).then_some(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_vectors_of_crypt_are_met() {
        let hash =
            "$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1";
        assert_eq!(crypt("Hello world!", "$6$saltstring").as_deref(), Some(hash));
    }

    #[test]
    fn settings_that_are_not_hashes_give_nothing() {
        for setting in ["", "*", "!", "*0", "*1", "x", "$9$abc", "a\0b"] {
            assert_eq!(crypt("aa", setting), None, "{setting:?}");
        }
    }
}
