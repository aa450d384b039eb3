//! Many at once: clients of the API, and other tools that change the same files.

use std::collections::HashSet;
use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use crate::freenas::{Nas, new_user};
use crate::world::World;

const EACH: u32 = 20;

#[test]
fn the_api_and_useradd_at_the_same_time_lose_nothing() {
    let nas = Nas::start();
    let mut tools = Vec::new();
    for number in 0..EACH {
        let (name, uid) = (format!("tool{number}"), (7000 + number).to_string());
        let mut useradd = nas.world.inside(&["useradd", "-u", &uid, "-U", "-M", &name]);
        tools.push((name, useradd.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()));
    }
    let answers: Vec<_> = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..EACH)
            .map(|number| {
                let rest = &nas.rest;
                scope.spawn(move || {
                    rest.post("/account/users/", &new_user(&format!("rest{number}"), 6000 + number, "pw"))
                })
            })
            .collect();
        clients.into_iter().map(|client| client.join().unwrap()).collect()
    });
    for answer in &answers {
        assert_eq!(answer.status, 201, "{}", answer.body);
    }
    for (name, tool) in tools {
        let output = tool.wait_with_output().unwrap();
        assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    }
    let ids: HashSet<u64> = answers.iter().map(|answer| answer.value()["id"].as_u64().unwrap()).collect();
    assert_eq!(ids.len(), EACH as usize, "no id twice");
    let listed = nas.rest.get("/account/users/?limit=0").object(200);
    let listed: Vec<&str> =
        listed.as_array().unwrap().iter().map(|user| user["bsdusr_username"].as_str().unwrap()).collect();
    for number in 0..EACH {
        for (name, uid) in [(format!("tool{number}"), 7000 + number), (format!("rest{number}"), 6000 + number)] {
            assert_eq!(nas.disk.field("/etc/passwd", &name, 2), uid.to_string());
            assert_eq!(nas.disk.field("/etc/group", &name, 2), uid.to_string());
            assert!(nas.disk.line("/etc/shadow", &name).is_some() && nas.disk.line("/etc/gshadow", &name).is_some());
            assert_eq!(listed.iter().filter(|listed| **listed == name).count(), 1);
        }
        assert_eq!(nas.disk.owner_and_mode(&format!("/mnt/tank/home/rest{number}")).0, 6000 + number);
    }
}

#[test]
fn the_same_name_many_times_at_once_is_made_once() {
    let nas = Nas::start();
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..EACH)
            .map(|number| {
                let rest = &nas.rest;
                scope.spawn(move || rest.post("/account/users/", &new_user("wanted", 6000 + number, "pw")).status)
            })
            .collect();
        clients.into_iter().map(|client| client.join().unwrap()).collect()
    });
    assert_eq!(statuses.iter().filter(|status| **status == 201).count(), 1, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|status| **status == 409).count(), EACH as usize - 1, "{statuses:?}");
    assert!(nas.disk.line("/etc/passwd", "wanted").is_some());
    assert_eq!(nas.disk.text("/etc/group").matches("wanted").count(), 1);
    assert_eq!(
        std::fs::read_dir(nas.disk.path("/mnt/tank/home")).unwrap().count(),
        1,
        "no home of one that was refused"
    );
}

/// Holds a lock of fcntl(2) on a file inside the sandbox for some seconds; returns once it does.
pub fn hold(world: &World, path: &str, seconds: u64) -> Child {
    let script = format!(
        "import fcntl,time\nf=open('{path}','r+')\nfcntl.lockf(f,fcntl.LOCK_EX)\nprint('held',flush=True)\n\
         time.sleep({seconds})\n"
    );
    let mut holder = world.inside(&["python3", "-c", &script]).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(holder.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "held\n");
    holder
}

#[test]
fn locks_that_other_tools_hold_for_a_while_are_waited_for() {
    let nas = Nas::start();
    nas.rest.create_user(&new_user("anna", 3001, "pw"));
    // That of lckpwdf(3), and that of Samba, which writes its file in place.
    for (path, name, uid) in [("/etc/.pwd.lock", "berta", 3002), ("/etc/samba/smbpasswd", "carla", 3003)] {
        let mut holder = hold(&nas.world, path, 4);
        let begun = Instant::now();
        let answer = nas.rest.post("/account/users/", &new_user(name, uid, "pw"));
        assert_eq!(answer.status, 201, "{path}: {}", answer.body);
        assert!(begun.elapsed() >= Duration::from_secs(3), "it did not wait for {path}");
        assert!(nas.disk.line("/etc/samba/smbpasswd", name).is_some());
        holder.wait().unwrap();
    }
}

#[test]
fn a_lock_that_is_held_for_too_long_is_reported_and_nothing_has_changed() {
    let nas = Nas::start();
    nas.rest.create_user(&new_user("anna", 3001, "pw"));
    let before = (nas.disk.everything("/etc"), nas.disk.everything("/mnt"));
    let mut holder = hold(&nas.world, "/etc/.pwd.lock", 20);
    let begun = Instant::now();
    let request = new_user("berta", 3002, "pw");
    let answer = nas.rest.post("/account/users/", &request);
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("5")), "{}", answer.body);
    let waited = begun.elapsed();
    assert!((14..19).contains(&waited.as_secs()), "{waited:?}");
    assert!((nas.disk.everything("/etc"), nas.disk.everything("/mnt")) == before);
    holder.wait().unwrap();
    nas.rest.create_user(&request);
}
