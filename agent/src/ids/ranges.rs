//! Numbers that are never chosen automatically, whoever has them (systemd's UIDS-GIDS).

use std::ops::RangeInclusive;
use std::sync::OnceLock;

use crate::database::Numbers;

/// systemd gives these to services with `DynamicUser=` (systemd.exec(5)) by itself.
pub const DYNAMIC_USERS: RangeInclusive<u32> = 61_184..=65_519;

const NEVER_CHOSEN: [RangeInclusive<u32>; 6] = [
    0..=0,
    // Users of systemd-homed, and host users that are mapped into containers.
    60_001..=60_577,
    DYNAMIC_USERS,
    // nobody, and the 16-bit "no change" of chown(2).
    65_534..=65_535,
    // Containers: each has 65,536 of these.
    524_288..=1_879_048_191,
    // Negative where a program keeps ids in an int; the last is the 32-bit "no change".
    0x8000_0000..=u32::MAX,
];

pub fn never_chosen() -> &'static Numbers {
    static NUMBERS: OnceLock<Numbers> = OnceLock::new();
    NUMBERS.get_or_init(|| {
        let mut numbers = Numbers::default();
        NEVER_CHOSEN.into_iter().for_each(|range| numbers.insert_all(range));
        numbers
    })
}

#[cfg(test)]
mod tests {
    use accountd_protocol::id::never_an_id;

    use super::*;

    #[test]
    fn what_is_never_an_id_and_what_systemd_gives_out_is_not_chosen() {
        for number in [0, 60_001, 60_513, 61_184, 65_519, 65_534, 65_535, 524_288, 1_879_048_191] {
            assert!(never_chosen().has(number), "{number}");
        }
        for number in [65_534, 65_535, 1 << 31, u32::MAX - 1, u32::MAX] {
            assert!(never_an_id(number) && never_chosen().has(number), "{number}");
        }
        for number in [1000, 3000, 60_000, 60_578, 61_183, 65_520, 65_533, 65_536, 524_287, 1_879_048_192] {
            assert!(!never_chosen().has(number), "{number}");
        }
    }
}
