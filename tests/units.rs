//! The units of systemd, held against systemd: that it understands every line, and what a service could do if it were
//! taken over. Whether they start is what tests/appliance shows, in a machine of its own.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

const SERVICES: [&str; 4] = ["accountd-agent", "accountd-login", "accountd-api", "accountd-ssh"];

/// Tenths of what `systemd-analyze security` says at most; accountd-login can not be less than the sessions that it
/// starts (see its unit).
const EXPOSURE: [(&str, u32); 3] = [("accountd-agent", 40), ("accountd-api", 15), ("accountd-ssh", 15)];

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// A root directory with the units where the package puts them, and files for the programs that they name.
fn installed() -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    let units = root.path().join("usr/lib/systemd/system");
    fs::create_dir_all(&units).unwrap();
    for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("systemd")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|ending| ending == "service" || ending == "target") {
            fs::copy(&path, units.join(path.file_name().unwrap())).unwrap();
        }
    }
    for target in ["local-fs", "remote-fs", "network", "multi-user", "sysinit", "basic", "shutdown"] {
        fs::write(units.join(format!("{target}.target")), "[Unit]\n").unwrap();
    }
    for program in ["usr/sbin/accountd", "usr/sbin/accountd-agent", "usr/sbin/accountd-login", "bin/kill"] {
        let path = root.path().join(program);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, "#!/bin/sh\n").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    root
}

#[test]
fn systemd_understands_every_line_of_every_unit() {
    let root = installed();
    let units = SERVICES.map(|name| format!("{name}.service"));
    let output = Command::new("systemd-analyze")
        .args(["verify", "--man=no", "--recursive-errors=no", "--root"])
        .arg(root.path())
        .args(units.iter().map(String::as_str).chain(["accountd.target"]))
        .output()
        .unwrap();
    let said = text(&output);
    assert!(output.status.success() && said.trim().is_empty(), "{said}");
}

#[test]
fn a_service_that_is_taken_over_can_do_little() {
    let systemd = Path::new(env!("CARGO_MANIFEST_DIR")).join("systemd");
    for (name, most) in EXPOSURE {
        let output = Command::new("systemd-analyze")
            .args(["security", "--offline=true", &format!("--threshold={most}")])
            .arg(systemd.join(format!("{name}.service")))
            .output()
            .unwrap();
        assert!(output.status.success(), "{name}: {}", text(&output));
    }
}

#[test]
fn all_services_tell_when_they_serve_and_that_they_still_do() {
    for name in SERVICES {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("systemd/{name}.service"));
        let unit = fs::read_to_string(path).unwrap();
        for line in ["Type=notify", "Restart=always", "PartOf=accountd.target", "WantedBy=accountd.target"] {
            assert!(unit.lines().any(|said| said == line), "{name}: {line}");
        }
        assert!(unit.lines().any(|line| line.starts_with("WatchdogSec=")), "{name}");
    }
}
