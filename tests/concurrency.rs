//! Many at once: clients of the API, and other tools that change the same files.

use std::collections::HashSet;
use std::process::Stdio;

use crate::freenas::{Nas, new_user};

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

#[test]
fn a_lock_that_another_tool_holds_for_a_while_is_waited_for() {
    let nas = Nas::start();
    // lckpwdf(3) holds /etc/.pwd.lock; so does flock's relative fcntl here.
    let script = "import fcntl,time\nf=open('/etc/.pwd.lock','w')\nfcntl.lockf(f,fcntl.LOCK_EX)\nprint('held',flush=True)\ntime.sleep(4)\n";
    let mut holder = nas.world.inside(&["python3", "-c", script]).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(holder.stdout.take().unwrap()), &mut line).unwrap();
    assert_eq!(line, "held\n");
    let begun = std::time::Instant::now();
    let answer = nas.rest.post("/account/users/", &new_user("patient", 3001, "pw"));
    assert_eq!(answer.status, 201, "{}", answer.body);
    assert!(begun.elapsed().as_secs() >= 3, "it did not wait for the lock");
    holder.wait().unwrap();
}
