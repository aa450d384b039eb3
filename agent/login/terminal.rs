//! Pseudoterminals (pty(7)), with the modes of the client's own (RFC 4254 §8).

use std::os::fd::{AsFd, OwnedFd};

use accountd_protocol::id::Uid;
use accountd_protocol::login::Terminal;
use nix::fcntl::{self, OFlag};
use nix::pty::{grantpt, posix_openpt, ptsname_r, unlockpt};
use nix::sys::stat::{Mode, fchmod, fstat};
use nix::sys::termios::{
    BaudRate, ControlFlags, InputFlags, LocalFlags, OutputFlags, SetArg, SpecialCharacterIndices, Termios, cfsetispeed,
    cfsetospeed, tcgetattr, tcsetattr,
};
use nix::unistd::{Uid as NixUid, fchown};

use crate::sys;

/// `_POSIX_VDISABLE` on the wire.
const DISABLED: u32 = 255;
const VDISABLE: u8 = 0;

/// The side that the user sits at, and the session's, which belongs to the user.
pub fn open(terminal: &Terminal, user: Uid) -> nix::Result<(OwnedFd, OwnedFd)> {
    let flags = OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
    let master = posix_openpt(flags)?;
    grantpt(&master)?;
    unlockpt(&master)?;
    let session = open_session(&ptsname_r(&master)?, flags)?;
    fchown(&session, Some(NixUid::from_raw(user.0)), None)?;
    // Writing for the group `tty` alone, as write(1) and wall(1) have it.
    let is_ttys = fstat(&session)?.st_gid != 0;
    fchmod(&session, Mode::from_bits_truncate(if is_ttys { 0o620 } else { 0o600 }))?;
    sys::set_window_size(session.as_fd(), terminal.size)?;
    set_modes(&session, &terminal.modes)?;
    Ok((master.into(), session))
}

fn open_session(path: &str, flags: OFlag) -> nix::Result<OwnedFd> {
    fcntl::open(path, flags, Mode::empty())
}

fn set_modes(terminal: &OwnedFd, modes: &[(u8, u32)]) -> nix::Result<()> {
    let mut attributes = tcgetattr(terminal)?;
    modes.iter().for_each(|(opcode, value)| set_mode(&mut attributes, *opcode, *value));
    tcsetattr(terminal, SetArg::TCSANOW, &attributes)
}

/// What this system has no name for is passed over.
fn set_mode(attributes: &mut Termios, opcode: u8, value: u32) {
    let on = value != 0;
    if let Some(index) = character(opcode) {
        let value = if value == DISABLED { VDISABLE } else { u8::try_from(value).unwrap_or(VDISABLE) };
        if let Some(place) = attributes.control_chars.get_mut(index as usize) {
            *place = value;
        }
    } else if let Some(flag) = input_flag(opcode) {
        attributes.input_flags.set(flag, on);
    } else if let Some(flag) = local_flag(opcode) {
        attributes.local_flags.set(flag, on);
    } else if let Some(flag) = output_flag(opcode) {
        attributes.output_flags.set(flag, on);
    } else if let Some(flag) = control_flag(opcode) {
        // The two sizes exclude each other.
        attributes.control_flags.remove(if on && opcode <= 91 { ControlFlags::CSIZE } else { ControlFlags::empty() });
        attributes.control_flags.set(flag, on);
    } else if let (128 | 129, Some(speed)) = (opcode, baud_rate(value)) {
        // A speed that can't be set changes nothing that anybody notices.
        let _ = if opcode == 128 { cfsetispeed(attributes, speed) } else { cfsetospeed(attributes, speed) };
    }
}

fn character(opcode: u8) -> Option<SpecialCharacterIndices> {
    use SpecialCharacterIndices as Index;
    Some(match opcode {
        1 => Index::VINTR,
        2 => Index::VQUIT,
        3 => Index::VERASE,
        4 => Index::VKILL,
        5 => Index::VEOF,
        6 => Index::VEOL,
        7 => Index::VEOL2,
        8 => Index::VSTART,
        9 => Index::VSTOP,
        10 => Index::VSUSP,
        12 => Index::VREPRINT,
        13 => Index::VWERASE,
        14 => Index::VLNEXT,
        18 => Index::VDISCARD,
        _ => return None,
    })
}

fn input_flag(opcode: u8) -> Option<InputFlags> {
    Some(match opcode {
        30 => InputFlags::IGNPAR,
        31 => InputFlags::PARMRK,
        32 => InputFlags::INPCK,
        33 => InputFlags::ISTRIP,
        34 => InputFlags::INLCR,
        35 => InputFlags::IGNCR,
        36 => InputFlags::ICRNL,
        38 => InputFlags::IXON,
        39 => InputFlags::IXANY,
        40 => InputFlags::IXOFF,
        41 => InputFlags::IMAXBEL,
        42 => InputFlags::IUTF8,
        _ => return None,
    })
}

fn local_flag(opcode: u8) -> Option<LocalFlags> {
    Some(match opcode {
        50 => LocalFlags::ISIG,
        51 => LocalFlags::ICANON,
        53 => LocalFlags::ECHO,
        54 => LocalFlags::ECHOE,
        55 => LocalFlags::ECHOK,
        56 => LocalFlags::ECHONL,
        57 => LocalFlags::NOFLSH,
        58 => LocalFlags::TOSTOP,
        59 => LocalFlags::IEXTEN,
        60 => LocalFlags::ECHOCTL,
        61 => LocalFlags::ECHOKE,
        62 => LocalFlags::PENDIN,
        _ => return None,
    })
}

fn output_flag(opcode: u8) -> Option<OutputFlags> {
    Some(match opcode {
        70 => OutputFlags::OPOST,
        71 => OutputFlags::OLCUC,
        72 => OutputFlags::ONLCR,
        73 => OutputFlags::OCRNL,
        74 => OutputFlags::ONOCR,
        75 => OutputFlags::ONLRET,
        _ => return None,
    })
}

fn control_flag(opcode: u8) -> Option<ControlFlags> {
    Some(match opcode {
        90 => ControlFlags::CS7,
        91 => ControlFlags::CS8,
        92 => ControlFlags::PARENB,
        93 => ControlFlags::PARODD,
        _ => return None,
    })
}

fn baud_rate(bits_a_second: u32) -> Option<BaudRate> {
    Some(match bits_a_second {
        9600 => BaudRate::B9600,
        19_200 => BaudRate::B19200,
        38_400 => BaudRate::B38400,
        57_600 => BaudRate::B57600,
        115_200 => BaudRate::B115200,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use accountd_protocol::login::WindowSize;
    use nix::sys::termios;

    use super::*;

    fn terminal(modes: &[(u8, u32)]) -> Termios {
        let size = WindowSize { columns: 100, rows: 30, width: 0, height: 0 };
        let wanted = Terminal { kind: "xterm".into(), size, modes: modes.to_vec() };
        let (_ours, theirs) = open(&wanted, Uid(nix::unistd::getuid().as_raw())).unwrap();
        tcgetattr(&theirs).unwrap()
    }

    #[test]
    fn modes_are_set_as_the_client_has_them_and_unknown_ones_are_passed_over() {
        let modes = terminal(&[(1, 7), (3, 255), (53, 0), (36, 0), (72, 1), (91, 1), (99, 5), (128, 38_400)]);
        let at = |index: SpecialCharacterIndices| modes.control_chars[index as usize];
        assert_eq!((at(SpecialCharacterIndices::VINTR), at(SpecialCharacterIndices::VERASE)), (7, VDISABLE));
        assert!(!modes.local_flags.contains(LocalFlags::ECHO) && !modes.input_flags.contains(InputFlags::ICRNL));
        assert!(modes.output_flags.contains(OutputFlags::ONLCR));
        assert_eq!(modes.control_flags & ControlFlags::CSIZE, ControlFlags::CS8);
    }

    #[test]
    fn the_speed_is_that_of_the_client_where_a_terminal_has_it() {
        let speed = |bits: u32| termios::cfgetospeed(&terminal(&[(129, bits)]));
        let known = [
            (9600, BaudRate::B9600),
            (19_200, BaudRate::B19200),
            (38_400, BaudRate::B38400),
            (57_600, BaudRate::B57600),
            (115_200, BaudRate::B115200),
        ];
        for (bits, rate) in known {
            assert_eq!(speed(bits), rate);
        }
        assert_eq!(speed(12_345), termios::cfgetospeed(&terminal(&[])), "what is not known is passed over");
    }
}
