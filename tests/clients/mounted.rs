//! A home that is mounted with sshfs, with programs that know nothing of SSH on it.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use super::{Matrix, Stage, equal, holds, succeeds};

/// Unmounted when dropped.
struct Mounted(PathBuf);

impl Mounted {
    fn mount(stage: &Stage) -> Result<Self, String> {
        let at = stage.local("mounted");
        fs::create_dir(&at).map_err(|error| error.to_string())?;
        let mut command = stage.program("sshfs");
        command.args(["-o", &format!("ssh_command={}", stage.ssh_line()), "-o", "reconnect,cache=no"]);
        succeeds(command.arg("127.0.0.1:").arg(&at))?;
        Ok(Self(at))
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("fusermount3").args(["-u", "-z"]).arg(&self.0).status();
    }
}

pub fn run(stage: &Stage, matrix: &mut Matrix) {
    let mounted = match Mounted::mount(stage) {
        Ok(mounted) => mounted,
        Err(why) => return matrix.try_out("sshfs", "mount", || Err(why)),
    };
    let at = |name: &str| mounted.0.join(name);
    matrix.try_out("sshfs", "cp, mv, ln, rm", || {
        succeeds(Command::new("cp").arg(stage.local("large")).arg(at("m-large")))?;
        succeeds(Command::new("mv").arg(at("m-large")).arg(at("m-moved")))?;
        succeeds(Command::new("ln").args(["-s", "m-moved"]).arg(at("m-link")))?;
        equal(&at("m-link"), &stage.local("large"))?;
        succeeds(Command::new("cp").args(["-r"]).arg(stage.local("tree")).arg(at("m-tree")))?;
        succeeds(Command::new("rm").arg("-r").arg(at("m-tree")).arg(at("m-link")))?;
        holds("it is gone", !stage.remote("m-tree").exists())
    });
    matrix.try_out("sshfs", "fio: random writes, verified", || {
        let mut fio = Command::new("fio");
        fio.args(["--name=verify", "--rw=randwrite", "--bs=4k-64k", "--size=8m", "--verify=crc32c", "--do_verify=1"]);
        fio.args(["--verify_fatal=1", "--fallocate=none", "--thread", "--filename"]).arg(at("m-fio"));
        // It leaves notes where it runs.
        fio.current_dir(stage.local(""));
        succeeds(&mut fio).map(|_| ())
    });
    matrix.try_out("sshfs", "a tree of git's", || {
        succeeds(Command::new("git").args(["clone", "-q"]).arg(stage.local("work")).arg(at("m-work")))?;
        let status = succeeds(
            Command::new("git")
                .args(["-c", "safe.directory=*", "-C"])
                .arg(at("m-work"))
                .args(["status", "--porcelain"]),
        )?;
        holds("nothing has changed", status.stdout.is_empty())
    });
}
