//! Laws of the Samba line.

use accountd_protocol::id::Uid;

use crate::samba::{Flags, rewritten};

/// Another name or uid keeps hash, time and whatever stands behind them; the flags are in
/// Samba's form where something of them was asked for, and are kept otherwise.
pub fn smbpasswd_line(line: &str, name: &str, uid: u32, disabled: Option<bool>) {
    if name.contains(':') {
        return;
    }
    let flags = disabled.map(|disabled| if disabled { Flags::Disabled } else { Flags::Enabled });
    let before: Vec<&str> = line.split(':').collect();
    let Some(new) = rewritten(line, name, Uid(uid), flags) else {
        assert!(before.len() < 7);
        return;
    };
    let after: Vec<&str> = new.split(':').collect();
    assert_eq!((after[0], after[1]), (name, uid.to_string().as_str()));
    assert_eq!((&after[2..4], &after[5..]), (&before[2..4], &before[5..]));
    match flags {
        None => assert_eq!(after[4], before[4]),
        Some(flags) => {
            assert_eq!(after[4].chars().count(), 13, "{}", after[4]);
            assert!(after[4].starts_with('[') && after[4].ends_with(']'));
            assert_eq!(after[4].contains('D'), flags == Flags::Disabled);
        }
    }
    assert_eq!(rewritten(&new, name, Uid(uid), flags).as_ref(), Some(&new));
}
