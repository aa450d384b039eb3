//! Programs that speak SFTP: OpenSSH's, PuTTY's, lftp, curl (libssh2), rclone.

use std::fs;
use std::process::Command;

use super::{Matrix, ODD, Stage, equal, holds, succeeds};

pub fn run(stage: &Stage, matrix: &mut Matrix) {
    openssh(stage, matrix);
    putty(stage, matrix);
    lftp(stage, matrix);
    curl(stage, matrix);
    rclone(stage, matrix);
}

fn sftp(stage: &Stage, script: &str) -> Result<String, String> {
    let path = stage.local("script");
    fs::write(&path, script).map_err(|error| error.to_string())?;
    let mut command = stage.program("sftp");
    command.args(stage.ssh_options()).arg("-b").arg(path).arg("127.0.0.1");
    succeeds(&mut command).map(|output| String::from_utf8_lossy(&output.stdout).into_owned())
}

fn openssh(stage: &Stage, matrix: &mut Matrix) {
    matrix.try_out("sftp", "put, get", || {
        sftp(stage, "put large sftp-large\nget sftp-large back\n")?;
        stage.same("sftp-large", "large")?;
        stage.same("sftp-large", "back")
    });
    matrix.try_out("sftp", "put -r, get -r", || {
        sftp(stage, "put -r tree sftp-tree\nget -r sftp-tree tree-back\n")?;
        stage.same("sftp-tree/a/b/leaf", "tree-back/a/b/leaf")
    });
    matrix.try_out("sftp", "reput, reget", || {
        let whole = fs::read(stage.local("large")).unwrap();
        fs::write(stage.local("half"), &whole[..whole.len() / 2]).unwrap();
        sftp(stage, "put half resumed\nreput large resumed\n!rm -f half\nget resumed got\n")?;
        fs::write(stage.local("got"), &whole[..1000]).unwrap();
        sftp(stage, "reget resumed got\n")?;
        stage.same("resumed", "large")?;
        equal(&stage.local("got"), &stage.local("large"))
    });
    matrix.try_out("sftp", "odd name", || {
        sftp(stage, &format!("put \"{ODD}\"\nls -l \"{ODD}\"\nrename \"{ODD}\" plain\n"))?;
        stage.same("plain", ODD)
    });
    matrix.try_out("sftp", "ln, ln -s, chmod, df, rm", || {
        let said = sftp(
            stage,
            "ln plain hard\nln -s plain soft\nchmod 600 plain\ndf -h\nrm hard\nrm soft\nrm plain\nmkdir d\nrmdir d\n",
        )?;
        holds("df has a line", said.contains('%'))
    });
    matrix.try_out("sftp", "cp on the server", || {
        sftp(stage, "put large original\ncp original copy\n").map(|_| ())?;
        stage.same("copy", "large")
    });
}

fn putty(stage: &Stage, matrix: &mut Matrix) {
    let host_key = fingerprint(stage);
    let putty = |program: &str| {
        let mut command = stage.program(program);
        command.args(["-batch", "-P", &stage.port(), "-l", "anna", "-pw", "pw", "-hostkey", &host_key]);
        command
    };
    matrix.try_out("psftp", "put, get, mv, ls", || {
        fs::write(stage.local("psftp-script"), "put large p-large\nmv p-large p-moved\nls\nget p-moved p-back\n")
            .unwrap();
        succeeds(putty("psftp").args(["-b", "psftp-script", "127.0.0.1"]))?;
        stage.same("p-moved", "p-back")
    });
    matrix.try_out("pscp", "sftp, there and back", || {
        succeeds(putty("pscp").args(["-sftp", "large", "127.0.0.1:pscp-large"]))?;
        succeeds(putty("pscp").args(["-sftp", "127.0.0.1:pscp-large", "pscp-back"]))?;
        stage.same("pscp-large", "pscp-back")
    });
    matrix.try_out("pscp", "scp -r, there and back", || {
        succeeds(putty("pscp").args(["-scp", "-r", "tree", "127.0.0.1:pscp-tree"]))?;
        succeeds(putty("pscp").args(["-scp", "-r", "127.0.0.1:pscp-tree", "pscp-tree-back"]))?;
        stage.same("pscp-tree/a/b/leaf", "pscp-tree-back/a/b/leaf")
    });
    matrix.try_out("plink", "a command and its status", || {
        let output =
            putty("plink").args(["127.0.0.1", "echo out; exit 5"]).output().map_err(|error| error.to_string())?;
        holds("exit status 5", output.status.code() == Some(5) && output.stdout == b"out\n")
    });
}

/// As PuTTY wants it.
fn fingerprint(stage: &Stage) -> String {
    let output = Command::new("ssh-keygen").args(["-l", "-f"]).arg(&stage.known_hosts).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let line = text.lines().find(|line| line.ends_with("(ED25519)")).expect("an Ed25519 key");
    line.split(' ').nth(1).unwrap().to_owned()
}

fn lftp(stage: &Stage, matrix: &mut Matrix) {
    let lftp = |script: &str| {
        let mut command = stage.program("lftp");
        let connect = format!("ssh -a -x {}", stage.ssh_options().join(" "));
        command.args(["--norc", "-c"]).arg(format!(
            "set sftp:connect-program \"{connect}\"; set net:max-retries 1; set cmd:fail-exit yes; \
             open -u anna, -p {} sftp://127.0.0.1; {script}",
            stage.port()
        ));
        succeeds(&mut command).map(|_| ())
    };
    matrix.try_out("lftp", "put, get", || {
        lftp("put large -o l-large; get l-large -o l-back")?;
        stage.same("l-large", "l-back")
    });
    matrix.try_out("lftp", "mirror -R, mirror", || {
        lftp("mirror -R tree l-tree; mirror l-tree l-tree-back")?;
        stage.same("l-tree/a/b/leaf", "l-tree-back/a/b/leaf")
    });
    matrix.try_out("lftp", "get in four parts", || {
        lftp("pget -n 4 l-large -o l-parts")?;
        equal(&stage.local("l-parts"), &stage.local("large"))
    });
    matrix.try_out("lftp", "mv, chmod, rm -r", || {
        lftp("mv l-large l-moved; chmod 640 l-moved; rm l-moved; rm -r l-tree")?;
        holds("all is gone", !stage.remote("l-moved").exists() && !stage.remote("l-tree").exists())
    });
}

fn curl(stage: &Stage, matrix: &mut Matrix) {
    let curl = |arguments: &[&str]| {
        let mut command = stage.program("curl");
        command.args(["-sS", "-k", "-u", "anna:pw"]).args(arguments);
        succeeds(&mut command)
    };
    let url = |path: &str| format!("sftp://127.0.0.1:{}/~/{path}", stage.port());
    matrix.try_out("curl (libssh2)", "upload, download", || {
        curl(&["-T", "large", &url("c-large")])?;
        curl(&["-o", "c-back", &url("c-large")])?;
        stage.same("c-large", "c-back")
    });
    matrix.try_out("curl (libssh2)", "listing", || {
        let listed = curl(&["-l", &url("")])?;
        holds("it is listed", String::from_utf8_lossy(&listed.stdout).lines().any(|line| line == "c-large"))
    });
    matrix.try_out("curl (libssh2)", "resume", || {
        curl(&["-r", "1000-1999", "-o", "c-part", &url("c-large")])?;
        let whole = fs::read(stage.local("large")).unwrap();
        holds("the part is right", fs::read(stage.local("c-part")).unwrap() == whole[1000..2000])
    });
    matrix.try_out("curl (libssh2)", "rename, rm by -Q", || {
        curl(&["-o", "/dev/null", "-Q", "-rename c-large c-moved", "-Q", "-rm c-moved", &url("c-large")])?;
        holds("it is gone", !stage.remote("c-moved").exists() && !stage.remote("c-large").exists())
    });
}

fn rclone(stage: &Stage, matrix: &mut Matrix) {
    let rclone = |arguments: &[&str]| {
        let mut command = stage.program("rclone");
        let key = stage.key.display().to_string();
        command.args(["--config", "/dev/null", "--retries", "1", "--sftp-host", "127.0.0.1", "--sftp-user", "anna"]);
        command.args(["--sftp-port", &stage.port(), "--sftp-key-file", &key]);
        // Without this, rclone 1.60 asks for sums before it has found out how they are made.
        command.args(["--sftp-shell-type=unix", "--sftp-md5sum-command=md5sum", "--sftp-sha1sum-command=sha1sum"]);
        command.args(arguments);
        succeeds(&mut command)
    };
    matrix.try_out("rclone", "sync, check", || {
        rclone(&["sync", "tree", ":sftp:r-tree"])?;
        rclone(&["check", "tree", ":sftp:r-tree"])?;
        rclone(&["sync", ":sftp:r-tree", "r-back"])?;
        stage.same("r-tree/a/b/leaf", "r-back/a/b/leaf")
    });
    matrix.try_out("rclone", "check --download, md5sum", || {
        rclone(&["copy", "large", ":sftp:r-tree"])?;
        rclone(&["check", "--download", "--one-way", "tree", ":sftp:r-tree"])?;
        let sums = rclone(&["md5sum", ":sftp:r-tree"])?;
        holds("the sum is there", String::from_utf8_lossy(&sums.stdout).contains("  large"))
    });
    matrix.try_out("rclone", "moveto, purge, about", || {
        rclone(&["moveto", ":sftp:r-tree/large", ":sftp:r-tree/moved"])?;
        stage.same("r-tree/moved", "large")?;
        rclone(&["about", ":sftp:"])?;
        rclone(&["purge", ":sftp:r-tree"])?;
        holds("it is gone", !stage.remote("r-tree").exists())
    });
    matrix.try_out("rclone", "names of every kind", || {
        let arguments =
            ["test", "info", "--check-normalization", "--check-length", "--check-streaming", ":sftp:r-info"];
        rclone(&arguments).map(|_| ())
    });
}
