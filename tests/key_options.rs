//! Options of keys and the settings of sessions, with OpenSSH's own clients; and beside OpenSSH's own
//! server, where there is one.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use serde_json::json;

use crate::openssh::Client;
use crate::running::Running;
use crate::sshd::Sshd;
use crate::v2::Nas;
use crate::world::World;

const HOME: &str = "/mnt/tank/home/anna";

/// A sandbox with `anna`, who has a login shell or not, and a key pair of hers.
struct Setting {
    nas: Nas,
    private: PathBuf,
    public: String,
}

impl Setting {
    fn new(config: &str, shell: &str) -> Self {
        let nas = Nas::of(World::start_with(config));
        let (private, public) = nas.world.make_key("key", "ed25519");
        nas.post("/users", &json!({"username": "anna", "home": HOME, "shell": shell, "keys": [public]}));
        Self { nas, private, public }
    }

    /// Writes the key file as somebody with an editor does.
    fn write(&self, text: &str) {
        std::fs::write(self.nas.disk.path(&format!("{HOME}/.ssh/authorized_keys")), text).unwrap();
    }

    /// The key alone, with these options.
    fn with(&self, options: &str) -> Client<'_> {
        self.write(&format!("{options} {}\n", self.public));
        self.anna()
    }

    fn anna(&self) -> Client<'_> {
        self.nas.world.with_key("anna", &self.private)
    }
}

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

fn complaint(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

const SHELL: &str = "/bin/bash";
const NO_SHELL: &str = "/usr/sbin/nologin";

#[test]
fn the_command_of_a_key_runs_instead_of_what_is_asked_for() {
    let setting = Setting::new("", SHELL);
    let client = setting.with(r#"command="echo \"forced: $SSH_ORIGINAL_COMMAND\"""#);
    assert_eq!(out(&client.ssh(&["id -u"])), "forced: id -u");
    assert_eq!(out(&client.ssh(&[])), "forced:");
    assert!(!client.try_sftp("pwd\n").status.success());
}

#[test]
fn a_key_with_a_command_lets_nobody_in_without_a_login_shell_but_for_files() {
    let setting = Setting::new("", NO_SHELL);
    assert!(!setting.with("command=\"date\"").logs_in());
    assert!(!setting.with("command=\"internal-sftp -R\"").logs_in());
    let files = setting.with("restrict,command=\"internal-sftp\"");
    assert!(files.logs_in());
    assert!(!out(&files.ssh(&["id"])).contains("uid="), "whatever is asked for is SFTP");
    // Another line of the same key is not asked once one has admitted it.
    setting.write(&format!("command=\"date\" {0}\n{0}\n", setting.public));
    assert!(!setting.anna().logs_in());
}

#[test]
fn the_first_line_that_admits_a_key_counts() {
    let setting = Setting::new("", SHELL);
    let key = &setting.public;
    setting.write(&format!(
        "from=\"192.0.2.1\",command=\"echo elsewhere\" {key}\nexpiry-time=\"20200101\",command=\"echo past\" {key}\n\
         new-option,command=\"echo new\" {key}\ncommand=\"echo first\" {key}\n{key}\n"
    ));
    assert_eq!(out(&setting.anna().ssh(&["echo asked"])), "first");
}

#[test]
fn no_terminal_is_given_where_the_key_has_none() {
    let setting = Setting::new("", SHELL);
    let terminal = |options: &str| {
        let output = setting.with(options).ssh(&["-tt", "tty"]);
        out(&output).contains("/dev/pts/")
    };
    assert!(terminal("from=\"127.0.0.1\""));
    assert!(!terminal("no-pty"));
    assert!(!terminal("restrict"));
    assert!(terminal("restrict,pty"));
    assert!(!terminal("pty,restrict"));
}

#[test]
fn forwarding_goes_where_the_key_says_and_nowhere_without_the_setting() {
    let setting = Setting::new("[sessions]\ntcp_forwarding = \"allowed\"\n", SHELL);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            stream.unwrap().write_all(b"hello\n").unwrap();
        }
    });
    let reached = |client: Client<'_>| {
        let mut command = client.prepare("ssh");
        command.args(["-W", &format!("127.0.0.1:{port}"), "127.0.0.1"]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = Running::start(command.stderr(Stdio::null()));
        let mut said = [0; 6];
        let read = child.stdout.take().unwrap().read_exact(&mut said);
        child.end();
        read.is_ok() && said == *b"hello\n"
    };
    assert!(reached(setting.with("pty")));
    assert!(reached(setting.with(&format!("permitopen=\"127.0.0.1:{port}\""))));
    assert!(reached(setting.with("restrict,port-forwarding,permitopen=\"127.0.0.1:*\"")));
    assert!(!reached(setting.with("permitopen=\"127.0.0.1:1\"")));
    assert!(!reached(setting.with(&format!("permitopen=\"localhost:{port}\""))), "hosts are literal");
    assert!(!reached(setting.with("no-port-forwarding")));
    assert!(!reached(setting.with("restrict")));
    let refusing = Setting::new("", SHELL);
    assert!(!reached(refusing.with("port-forwarding")));
}

#[test]
fn variables_of_a_key_are_set_where_that_is_permitted() {
    let permitting = Setting::new("[sessions]\npermit_user_environment = \"yes\"\n", SHELL);
    let options = "environment=\"FLAVOUR=a b\",environment=\"FLAVOUR=c\"";
    assert_eq!(out(&permitting.with(options).ssh(&["echo \"$FLAVOUR\""])), "a b");
    let usual = Setting::new("", SHELL);
    assert_eq!(out(&usual.with(options).ssh(&["echo \"<$FLAVOUR>\""])), "<>");
    assert_eq!(usual.nas.world.log().matches("permit_user_environment").count(), 1);
}

#[test]
fn a_line_that_is_void_is_logged_once_for_a_text_and_said_in_the_advice() {
    let setting = Setting::new("", SHELL);
    let key = &setting.public;
    setting.write(&format!("new-option {key}\n{key}\n"));
    let lines = || setting.nas.world.log().matches("an option is not known").count();
    for _ in 0..3 {
        assert!(setting.anna().logs_in());
    }
    assert_eq!(lines(), 1);
    setting.write(&format!("new-option {key}\n\n{key}\n"));
    assert!(setting.anna().logs_in());
    assert_eq!(lines(), 2);
    let shown = setting.nas.rest.get("/users/anna/keys").object(200);
    let text = format!("line 1 of {HOME}/.ssh/authorized_keys lets nobody in: an option is not known.");
    assert_eq!(shown["advice"], json!([text]));
}

#[test]
fn certificates_authorities_and_security_keys_let_nobody_in_and_are_logged() {
    let setting = Setting::new("", SHELL);
    let (authority, public) = setting.nas.world.make_key("authority", "ed25519");
    let signed = Command::new("ssh-keygen")
        .args(["-q", "-s"])
        .arg(&authority)
        .args(["-I", "anna", "-n", "anna"])
        .arg(setting.private.with_extension("pub"))
        .output()
        .unwrap();
    assert!(signed.status.success(), "{}", complaint(&signed));
    setting.write(&format!("cert-authority {public}\n{SECURITY_KEY}\n"));
    assert!(!setting.anna().logs_in());
    let log = setting.nas.world.log();
    for part in ["certificates are not taken", "security keys (sk-) are not taken"] {
        assert!(log.contains(part), "{part}: {log}");
    }
    // The key itself still counts beside them.
    setting.write(&format!("cert-authority {public}\n{}\n{SECURITY_KEY}\n", setting.public));
    assert!(setting.anna().logs_in());
}

/// What `ssh-keygen -t ed25519-sk` writes.
const SECURITY_KEY: &str = "sk-ssh-ed25519@openssh.com \
                            AAAAGnNrLXNzaC1lZDI1NTE5QG9wZW5zc2guY29tAAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJAAAABHNzaDo=";

#[test]
fn openssh_and_accountd_let_in_by_the_same_lines() {
    let setting = Setting::new("", SHELL);
    let theirs = Sshd::start(&setting.nas.world);
    let key = &setting.public;
    let texts = [
        key.clone(),
        format!("# {key}"),
        format!("from=\"127.0.0.0/8\" {key}"),
        format!("FROM=\"127.0.0.1\",No-Pty {key}"),
        format!("from=\"!127.0.0.1,127.0.0.0/8\" {key}"),
        format!("from=\"127.0.0.?,!192.0.2.1\" {key}"),
        format!("from=\"127.0.0.1 {key}"),
        format!("from=127.0.0.1 {key}"),
        format!("from=\"127.0.0.1\"x {key}"),
        format!("from=\"192.0.2.1\" {key}\n{key}"),
        format!("expiry-time=\"20200101\" {key}"),
        format!("expiry-time=\"20200101Z\" {key}\nrestrict {key}"),
        format!("expiry-time=\"20990101\" {key}"),
        format!("expiry-time=\"209901010102Z\" {key}"),
        format!("expiry-time=\"2099010101\" {key}"),
        format!("expiry-time=\"never\" {key}"),
        format!("new-option {key}"),
        format!("no-pty, {key}"),
        format!("no-pty,,no-user-rc {key}"),
        format!(",pty {key}"),
        format!(", {key}"),
        format!("from=\"192.0.2.1\",, {key}"),
        format!("pty,,command=\"internal-sftp\" {key}"),
        format!("pty,,new-option {key}"),
        format!("restrict,pty,X11-forwarding,agent-forwarding {key}"),
        format!("no-restrict {key}"),
        format!("permitopen=\"127.0.0.1:80\",permitopen=\"[::1]:*\" {key}"),
        format!("permitopen=\"127.0.0.1\" {key}"),
        format!("permitopen=\"a:0\" {key}"),
        format!("environment=\"A=b\" {key}"),
        format!("environment=\"A-B=c\" {key}"),
        format!("environment=\"A\" {key}"),
        format!("cert-authority {key}"),
        format!("command=\"internal-sftp\",command=\"internal-sftp\" {key}"),
        format!("tunnel=\"0\",permitlisten=\"8080\",no-touch-required {key}"),
        format!("\t {key}"),
        key.replace(' ', "  \t"),
    ];
    for text in texts {
        setting.write(&format!("{text}\n"));
        let (ours, other) = (setting.anna().logs_in(), setting.anna().at(theirs.address).logs_in());
        assert_eq!(ours, other, "ours beside OpenSSH: {text}");
    }
}

/// An hour from now in UTC, as `expiry-time=` has it but for the `Z`.
fn in_an_hour() -> String {
    let said = Command::new("date").args(["-u", "-d", "+1 hour", "+%Y%m%d%H%M"]).output().unwrap();
    out(&said)
}

#[test]
fn an_expiry_time_is_of_the_zone_of_the_machine_unless_it_says_utc() {
    let setting = Setting::new("", SHELL);
    // Two hours east of UTC: there it is later already. Programs read the file anew when it has changed.
    let zone = setting.nas.disk.path("/etc/localtime");
    let _ = std::fs::remove_file(&zone);
    let made = Command::new("cp").arg("/usr/share/zoneinfo/Etc/GMT-2").arg(&zone).status().unwrap();
    assert!(made.success());
    let theirs = Sshd::start(&setting.nas.world);
    let time = in_an_hour();
    for (options, lets_in) in [(format!("expiry-time=\"{time}Z\""), true), (format!("expiry-time=\"{time}\""), false)] {
        let client = setting.with(&options);
        assert_eq!(client.logs_in(), lets_in, "{options}");
        assert_eq!(client.at(theirs.address).logs_in(), lets_in, "OpenSSH: {options}");
    }
}

#[test]
fn what_a_session_may_be_is_set_for_users_and_groups() {
    let config = "[sessions]\numask = \"0027\"\n[[sessions.rules]]\nusers = [\"berta\"]\nservices = [\"shell\"]\n\
                  [[sessions.rules]]\ngroups = [\"guests\"]\nservices = [\"sftp\"]\numask = \"0077\"\n";
    let setting = Setting::new(config, SHELL);
    let (nas, key) = (&setting.nas, &setting.public);
    nas.post("/groups", &json!({"groupname": "guests"}));
    for name in ["berta", "carla"] {
        let home = format!("/mnt/tank/home/{name}");
        nas.post(
            "/users",
            &json!({"username": name, "home": home, "shell": SHELL, "keys": [key], "groups": ["guests"]}),
        );
    }
    let umask = |name: &str| out(&nas.world.with_key(name, &setting.private).ssh(&["umask"]));
    assert_eq!((umask("anna").as_str(), umask("berta").as_str(), umask("carla").as_str()), ("0027", "0077", ""));
    let serves_files = |name: &str| nas.world.with_key(name, &setting.private).try_sftp("pwd\n").status.success();
    assert_eq!([serves_files("anna"), serves_files("berta"), serves_files("carla")], [true, false, true]);
    nas.world.with_key("carla", &setting.private).sftp("mkdir made\n");
    assert_eq!(nas.disk.owner_and_mode("/mnt/tank/home/carla/made").2, 0o700);
}
