//! What the kernel is to hold, seen from inside.

mod privilege;
