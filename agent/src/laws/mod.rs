//! What holds for every text that comes from a client, from a home or from a file that others
//! write. The property tests and the fuzz targets (`tests/fuzz`) call the same functions; each of
//! them panics where its law does not hold.

mod frames;
mod keys;
mod smbpasswd;
mod sudoers;

#[cfg(test)]
mod tests;

pub use crate::checks::laws::{files as checked_files, ranges as checked_ranges};
pub use crate::database::laws::{Change, entry, kind, line_file, recovery};

pub use self::frames::{frame, message};
pub use self::keys::{authorized_keys, key_options, restriction};
pub use self::smbpasswd::smbpasswd_line;
pub use self::sudoers::{any_drop_in, drop_in};
