//! OpenSSH's sshd inside the sandbox: the same users, the same files.

use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::world::{World, wait_for};

const PROGRAM: &str = "/usr/sbin/sshd";

#[derive(Debug)]
pub struct Sshd {
    child: Child,
    pub address: SocketAddr,
}

impl Sshd {
    pub fn start(world: &World) -> Self {
        assert!(fs::exists(PROGRAM).unwrap(), "{PROGRAM} is missing: make test and make bench install it");
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let directory = world.root().join("etc/ssh-bench");
        fs::create_dir_all(&directory).unwrap();
        let key = directory.join("key");
        let made = Command::new("ssh-keygen").args(["-q", "-N", "", "-t", "ed25519", "-f"]).arg(&key).status().unwrap();
        assert!(made.success());
        let config = format!(
            "ListenAddress {address}\nHostKey /etc/ssh-bench/key\nPidFile none\nUsePAM no\n\
             PasswordAuthentication no\nMaxStartups 1000\nSubsystem sftp /usr/lib/openssh/sftp-server\n"
        );
        fs::write(directory.join("config"), config).unwrap();
        world.run(&["useradd", "-r", "-M", "-d", "/run/sshd", "-s", "/usr/sbin/nologin", "sshd"]);
        world.run(&["mkdir", "-p", "/run/sshd"]);
        let mut command = world.inside(&[PROGRAM, "-D", "-f", "/etc/ssh-bench/config"]);
        let child = command.stdin(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        wait_for("sshd to listen", || TcpStream::connect(address).is_ok());
        Self { child, address }
    }

    pub fn process(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.child.id()).unwrap())
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        let _ = kill(self.process(), Signal::SIGTERM);
        let _ = self.child.wait();
    }
}
