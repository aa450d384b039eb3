//! Who is it, and may they: passwords, keys, handles, permissions.

mod address_pattern;
pub mod api_keys;
pub mod authorized_keys;
pub mod bans;
pub mod candidate;
pub mod decide;
mod expiry_time;
pub mod guarded;
pub mod guest;
pub mod handles;
pub mod hash;
pub mod jwt;
pub mod key_lines;
pub mod key_notices;
pub mod key_options;
pub mod key_readers;
pub mod key_uses;
pub mod local;
pub mod login_tokens;
pub mod own_hash;
mod pam;
pub mod permission;
pub mod random_password;
pub mod roles;
mod scope;
pub mod second_factor;
pub mod seen_keys;
mod session_policy;
pub mod shown_password;
pub mod static_hash;
#[cfg(test)]
mod tests;
