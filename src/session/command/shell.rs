//! The user's login shell, with the message of the day where somebody reads it (motd(5)).

use std::io::{IsTerminal, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode};

use super::{execute, login_name};

/// What pam_motd(8) shows: made at boot, and by hand.
const MESSAGES: [&str; 2] = ["/run/motd.dynamic", "/etc/motd"];
/// Nobody reads a longer one.
const LONGEST: u64 = 64 * 1024;

pub fn run(shell: &Path) -> ExitCode {
    if std::io::stdin().is_terminal() && !std::fs::exists(".hushlogin").unwrap_or(false) {
        show_messages();
    }
    let mut command = Command::new(shell);
    command.arg0(login_name(shell));
    match execute(command) {
        Ok(never) => match never {},
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(127)
        }
    }
}

/// One that is not there, or can't be read, is not shown.
fn show_messages() {
    let mut output = std::io::stdout();
    for path in MESSAGES {
        let mut text = Vec::new();
        let read = std::fs::File::open(path).and_then(|file| file.take(LONGEST).read_to_end(&mut text));
        if read.is_ok() {
            // A terminal that has gone is the shell's to notice.
            let _ = output.write_all(&text).and_then(|()| output.flush());
        }
    }
}
