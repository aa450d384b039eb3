//! Programs that run a command over `ssh`: scp's own protocol, rsync, git, borg; and restic, which
//! speaks SFTP over it.

use std::fs;
use std::process::Command;

use super::{Matrix, ODD, Stage, equal, holds, succeeds};

pub fn run(stage: &Stage, matrix: &mut Matrix) {
    scp(stage, matrix);
    ssh(stage, matrix);
    rsync(stage, matrix);
    git(stage, matrix);
    backups(stage, matrix);
}

fn scp(stage: &Stage, matrix: &mut Matrix) {
    for (client, mode) in [("scp", "-s"), ("scp -O", "-O")] {
        let scp = |arguments: &[&str]| {
            let mut command = stage.program("scp");
            command.arg(mode).args(stage.ssh_options()).args(arguments);
            succeeds(&mut command).map(|_| ())
        };
        let name = |part: &str| format!("scp{mode}-{part}");
        matrix.try_out(client, "there and back", || {
            let there = name("large");
            scp(&["large", &format!("127.0.0.1:{there}")])?;
            scp(&[&format!("127.0.0.1:{there}"), "scp-back"])?;
            stage.same(&there, "large")?;
            equal(&stage.local("scp-back"), &stage.local("large"))
        });
        matrix.try_out(client, "-r -p, several at once", || {
            let there = name("tree");
            fs::create_dir(stage.remote(&there)).unwrap();
            std::os::unix::fs::chown(stage.remote(&there), Some(3001), Some(3001)).unwrap();
            scp(&["-r", "-p", "tree", "large", &format!("127.0.0.1:{there}")])?;
            stage.same(&format!("{there}/tree/a/b/leaf"), "tree/a/b/leaf")?;
            let modified = |path: std::path::PathBuf| fs::metadata(path).unwrap().modified().unwrap();
            let (theirs, ours) = (modified(stage.remote(&format!("{there}/large"))), modified(stage.local("large")));
            let apart = theirs.duration_since(ours).unwrap_or_else(|error| error.duration());
            holds("the time is kept", apart.as_secs() == 0)
        });
        matrix.try_out(client, "a pattern, an odd name", || {
            let there = name("odd");
            scp(&[ODD, &format!("127.0.0.1:{there}")])?;
            scp(&[&format!("127.0.0.1:{}*", name("od")), "scp-odd"])?;
            equal(&stage.local("scp-odd"), &stage.local(ODD))
        });
        matrix.try_out(client, "from the server to itself", || {
            let (from, to) = (format!("127.0.0.1:{}", name("large")), format!("127.0.0.1:{}", name("again")));
            scp(&["-3", &from, &to])?;
            stage.same(&name("again"), "large")
        });
        matrix.try_out(client, "what is missing is an error", || {
            let missing = scp(&["127.0.0.1:missing", "scp-missing"]);
            holds("it fails", missing.is_err_and(|why| why.contains("No such file")))
        });
    }
}

fn ssh(stage: &Stage, matrix: &mut Matrix) {
    matrix.try_out("ssh", "a command, its status, its errors", || {
        let mut command = stage.program("ssh");
        command.args(stage.ssh_options()).args(["127.0.0.1", "cat; echo err >&2; exit 6"]);
        let output = crate::openssh::run(command, b"in\n");
        holds(
            "it is as it was said",
            output.status.code() == Some(6) && output.stdout == b"in\n" && output.stderr == b"err\n",
        )
    });
    matrix.try_out("ssh", "a session of many commands", || {
        let mut command = stage.program("ssh");
        command.args(stage.ssh_options()).args([
            "-o",
            "ControlMaster=auto",
            "-o",
            "ControlPath=cm",
            "-o",
            "ControlPersist=5",
        ]);
        command.args(["127.0.0.1", "true"]);
        (0..20).try_for_each(|_| {
            command.status().map_err(|error| error.to_string()).and_then(|status| holds("it runs", status.success()))
        })
    });
}

fn rsync(stage: &Stage, matrix: &mut Matrix) {
    let rsync = |arguments: &[&str]| {
        succeeds(stage.program("rsync").args(["-e", &stage.ssh_line()]).args(arguments)).map(|_| ())
    };
    matrix.try_out("rsync", "-a, there and back", || {
        rsync(&["-a", "tree/", "127.0.0.1:rs-tree/"])?;
        rsync(&["-a", "127.0.0.1:rs-tree/", "rs-back/"])?;
        stage.same("rs-tree/a/b/leaf", "rs-back/a/b/leaf")
    });
    matrix.try_out("rsync", "-z --partial --inplace, a change", || {
        rsync(&["-az", "large", "127.0.0.1:rs-large"])?;
        let mut changed = fs::read(stage.local("large")).unwrap();
        changed[12_345] ^= 1;
        fs::write(stage.local("changed"), changed).unwrap();
        rsync(&["-az", "--inplace", "--partial", "changed", "127.0.0.1:rs-large"])?;
        stage.same("rs-large", "changed")
    });
    matrix.try_out("rsync", "--delete, an odd name", || {
        fs::write(stage.local("tree").join(ODD), "odd").unwrap();
        rsync(&["-a", "--delete", "tree/", "127.0.0.1:rs-tree/"])?;
        holds("it is there", stage.remote("rs-tree").join(ODD).exists())?;
        fs::remove_file(stage.local("tree").join(ODD)).unwrap();
        rsync(&["-a", "--delete", "tree/", "127.0.0.1:rs-tree/"])?;
        holds("it is gone", !stage.remote("rs-tree").join(ODD).exists())
    });
}

fn git(stage: &Stage, matrix: &mut Matrix) {
    let git = |arguments: &[&str]| {
        let mut command = stage.program("git");
        command.args(["-c", "user.name=A", "-c", "user.email=a@b"]).args(arguments);
        succeeds(command.env("GIT_SSH_COMMAND", stage.ssh_line())).map(|_| ())
    };
    matrix.try_out("git", "push, clone", || {
        let mut init = stage.program("ssh");
        init.args(stage.ssh_options()).args(["127.0.0.1", "git init -q --bare -b main p.git"]);
        succeeds(&mut init)?;
        git(&["init", "-q", "-b", "main", "work"])?;
        fs::copy(stage.local("large"), stage.local("work/large")).unwrap();
        git(&["-C", "work", "add", "large"])?;
        git(&["-C", "work", "commit", "-q", "-m", "one"])?;
        git(&["-C", "work", "push", "-q", "ssh://127.0.0.1/~/p.git", "main"])?;
        git(&["clone", "-q", "ssh://127.0.0.1/~/p.git", "cloned"])?;
        equal(&stage.local("cloned/large"), &stage.local("large"))
    });
}

fn backups(stage: &Stage, matrix: &mut Matrix) {
    matrix.try_out("borg", "init, create, extract", || {
        let borg = |arguments: &[&str]| {
            let mut command: Command = stage.program("borg");
            command.args(arguments).env("BORG_RSH", stage.ssh_line()).env("BORG_PASSPHRASE", "secret");
            succeeds(command.env("BORG_RELOCATED_REPO_ACCESS_IS_OK", "yes")).map(|_| ())
        };
        borg(&["init", "-e", "repokey", "ssh://127.0.0.1/./borg"])?;
        borg(&["create", "ssh://127.0.0.1/./borg::one", "tree", "large"])?;
        fs::create_dir(stage.local("extracted")).unwrap();
        let mut extract = stage.program("borg");
        extract.args(["extract", "ssh://127.0.0.1/./borg::one"]).current_dir(stage.local("extracted"));
        succeeds(extract.env("BORG_RSH", stage.ssh_line()).env("BORG_PASSPHRASE", "secret"))?;
        equal(&stage.local("extracted/large"), &stage.local("large"))
    });
    matrix.try_out("restic (sftp)", "init, backup, check, restore", || {
        let ssh = format!("{} 127.0.0.1 -s sftp", stage.ssh_line());
        let restic = |arguments: &[&str]| {
            let mut command = stage.program("restic");
            command.args(["-q", "-r", "sftp:127.0.0.1:restic", "-o", &format!("sftp.command={ssh}")]).args(arguments);
            succeeds(command.env("RESTIC_PASSWORD", "secret")).map(|_| ())
        };
        restic(&["init"])?;
        restic(&["backup", "large"])?;
        restic(&["check"])?;
        restic(&["restore", "latest", "--target", "restored"])?;
        let found = succeeds(Command::new("find").arg(stage.local("restored")).args(["-name", "large"]))?;
        let path = String::from_utf8_lossy(&found.stdout).trim().to_owned();
        equal(std::path::Path::new(&path), &stage.local("large"))
    });
}
