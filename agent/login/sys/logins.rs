//! Records of logins: utmp(5) for `who`, wtmp(5) for `last`.

use std::ffi::{CStr, c_char};
use std::net::IpAddr;

/// `_PATH_WTMP`
const WTMP: &CStr = c"/var/log/wtmp";

unsafe extern "C" {
    /// glibc; appends to a file, which it locks meanwhile (updwtmp(3)).
    fn updwtmpx(file: *const c_char, record: *const libc::utmpx);
}

/// One login at one terminal.
#[derive(Debug)]
pub struct Login<'a> {
    pub user: &'a str,
    pub pid: i32,
    /// `pts/3`
    pub line: &'a str,
    pub source: IpAddr,
}

/// What has happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    Begun,
    Ended,
}

/// Records it where there are such files; where there are none, nobody wants it recorded.
pub fn record(login: &Login<'_>, event: Event, now: std::time::Duration) {
    let record = entry(login, event, now);
    // SAFETY: false if another thread of this process used the database meanwhile (utmp functions
    // are MT-Unsafe, getutent(3)); the caller is a keeper, which has one. `record` outlives all calls.
    unsafe {
        libc::setutxent();
        libc::pututxline(&raw const record);
        libc::endutxent();
        updwtmpx(WTMP.as_ptr(), &raw const record);
    }
}

fn entry(login: &Login<'_>, event: Event, now: std::time::Duration) -> libc::utmpx {
    // SAFETY: false if a utmpx had a field for which zero is no value; all are numbers.
    let mut record: libc::utmpx = unsafe { std::mem::zeroed() };
    record.ut_pid = login.pid;
    record.ut_session = login.pid as _;
    record.ut_tv.tv_sec = i32::try_from(now.as_secs()).unwrap_or(i32::MAX) as _;
    record.ut_tv.tv_usec = i32::try_from(now.subsec_micros()).unwrap_or_default() as _;
    fill(&mut record.ut_line, login.line.as_bytes());
    // The last letters of the line, as agetty(8) and sshd have it.
    let tail = login.line.as_bytes();
    fill(&mut record.ut_id, tail.get(tail.len().saturating_sub(4)..).unwrap_or_default());
    match event {
        Event::Begun => {
            record.ut_type = libc::USER_PROCESS;
            fill(&mut record.ut_user, login.user.as_bytes());
            fill(&mut record.ut_host, login.source.to_string().as_bytes());
            record.ut_addr_v6 = address(login.source);
        }
        Event::Ended => record.ut_type = libc::DEAD_PROCESS,
    }
    record
}

/// As much as fits; a field that is full has no NUL.
fn fill(field: &mut [c_char], text: &[u8]) {
    for (place, byte) in field.iter_mut().zip(text) {
        *place = byte.cast_signed();
    }
}

/// In network order; an IPv4 address is in the first of the four.
fn address(source: IpAddr) -> [i32; 4] {
    match source {
        IpAddr::V4(address) => [i32::from_ne_bytes(address.octets()), 0, 0, 0],
        IpAddr::V6(address) => {
            let octets = address.octets();
            std::array::from_fn(|word| {
                i32::from_ne_bytes(std::array::from_fn(|byte| octets.get(word * 4 + byte).copied().unwrap_or_default()))
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_has_its_line_its_user_and_its_source_and_the_end_has_no_user() {
        let login = Login { user: "anna", pid: 7, line: "pts/12", source: "192.0.2.1".parse().unwrap() };
        let now = std::time::Duration::from_secs(1_700_000_000);
        let begun = entry(&login, Event::Begun, now);
        assert_eq!(
            (begun.ut_type, begun.ut_pid, begun.ut_addr_v6[0].to_ne_bytes()),
            (libc::USER_PROCESS, 7, [192, 0, 2, 1])
        );
        let text =
            |field: &[c_char]| field.iter().take_while(|c| **c != 0).map(|c| c.cast_unsigned()).collect::<Vec<_>>();
        assert_eq!((text(&begun.ut_line), text(&begun.ut_id)), (b"pts/12".to_vec(), b"s/12".to_vec()));
        assert_eq!((text(&begun.ut_user), text(&begun.ut_host)), (b"anna".to_vec(), b"192.0.2.1".to_vec()));
        let ended = entry(&login, Event::Ended, now);
        assert_eq!(
            (ended.ut_type, text(&ended.ut_user), text(&ended.ut_line)),
            (libc::DEAD_PROCESS, vec![], b"pts/12".to_vec())
        );
    }

    #[test]
    fn an_ipv6_address_fills_all_four_words_in_network_order() {
        let words = address("2001:db8::ff".parse().unwrap()).map(i32::to_ne_bytes);
        assert_eq!(words, [[0x20, 0x01, 0x0d, 0xb8], [0; 4], [0; 4], [0, 0, 0, 0xff]]);
    }
}
