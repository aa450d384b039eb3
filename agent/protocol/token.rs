//! Login tokens: what a client shows for a while instead of password and code.

/// The longest that a token is good, in seconds.
pub const LONGEST_LIFETIME: u32 = 30 * 86_400;
/// The most that an account has at a time; the oldest gives way.
pub const MOST_TOKENS: usize = 50;
/// A longer text is no token.
pub const MAX_TOKEN_BYTES: usize = 2048;
