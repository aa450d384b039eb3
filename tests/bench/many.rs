//! Many at once: a thousand accounts in one request, sixteen clients side by side; and what a long
//! list costs to show and to keep in memory.

use std::fmt::Write;
use std::fs;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::median;
use crate::populated::{HASH, Populated};
use crate::table::{self, Row};

const CLIENTS: usize = 16;
const EACH: usize = 20;
const QUIET: Duration = Duration::from_secs(2);

pub fn run(sizes: &[usize]) {
    table::begin("many accounts");
    for size in sizes {
        let populated = Populated::with_users(*size);
        show_memory(&populated, &format!("beside {size} accounts, at rest"));
        let mut rows = vec![first_page(&populated, *size)];
        rows.extend(clients(&populated, *size));
        rows.extend([1_000, 10_000].map(|count| bulk(&populated, *size, count)));
        rows.extend(newusers(&populated, *size));
        rows.iter().for_each(|row| println!("{row}"));
        show_memory(&populated, &format!("after requests with 10,000 accounts beside {size}"));
    }
}

fn show_memory(populated: &Populated, when: &str) {
    // What is free is given back in quiet times only.
    std::thread::sleep(QUIET);
    let (agent, api) = (populated.resident("agent"), populated.resident("api"));
    println!("resident memory {when}: agent {agent:.0} MiB, REST {api:.0} MiB");
}

fn first_page(populated: &Populated, size: usize) -> Row {
    let page = |_| populated.request("GET", "/account/users/", None, 200).milliseconds;
    Row::peer(size, "first page of users", median((0..21).map(page).collect()))
}

fn bulk(populated: &Populated, size: usize, count: usize) -> Row {
    let request = |prefix: &str| {
        let user = |number| populated.new_user(&format!("{prefix}{number}"), json!({"bsdusr_password_hash": HASH}));
        json!({"objects": (0..count).map(user).collect::<Vec<Value>>()})
    };
    let send = |request: &Value| populated.request("PATCH", "/account/users/", Some(request), 202).milliseconds;
    let milliseconds = median((0..3).map(|round| send(&request(&format!("b{count}r{round}n")))).collect());
    let traced = request(&format!("b{count}tn"));
    let written = populated.written(|| _ = send(&traced));
    Row::peer(size, &format!("{count} accounts in one request"), milliseconds).writing(written)
}

/// The peer of the bulk: passwords hashed by it, because it takes no hashes.
fn newusers(populated: &Populated, size: usize) -> Option<Row> {
    if size > 10_000 {
        return None;
    }
    let lines = (0..20).fold(String::new(), |mut text, number| {
        let _ = writeln!(text, "nu{number}:pw:{0}:{0}::/nonexistent:/bin/sh", 150_000 + number);
        text
    });
    fs::write(populated.world.root().join("tmp/newusers"), lines).unwrap();
    Some(Row::peer(size, "newusers, 20 accounts", populated.shell("newusers /tmp/newusers")))
}

/// Milliseconds for one account, when sixteen clients create them; `useradd` side by side for a peer.
fn clients(populated: &Populated, size: usize) -> Vec<Row> {
    let peers = match size {
        0..=99_999 => CLIENTS,
        100_000..=999_999 => 1,
        _ => 0,
    };
    let peer_script = |name: usize| format!("useradd -M -p '{HASH}' side{name}");
    let started = Instant::now();
    std::thread::scope(|scope| {
        (0..peers).for_each(|name| drop(scope.spawn(move || populated.shell(&peer_script(name)))));
    });
    let peer = (peers > 0).then(|| started.elapsed().as_secs_f64() * 1000.0 / peers as f64);
    let configs: Vec<_> = (0..CLIENTS).map(|client| config(populated, client)).collect();
    let mut took = 0.0;
    let written = populated.written(|| create_all(populated, &configs));
    for round in 0..3 {
        let configs: Vec<_> = (0..CLIENTS).map(|client| config(populated, (round + 1) * CLIENTS + client)).collect();
        let started = Instant::now();
        create_all(populated, &configs);
        took += started.elapsed().as_secs_f64() * 1000.0 / 3.0;
    }
    let each = took / (CLIENTS * EACH) as f64;
    let what = format!("{CLIENTS} clients, each account ({} written)", CLIENTS * EACH);
    let peer_row = peer.map(|peer| Row::peer(size, &format!("useradd, {peers} side by side, each"), peer));
    peer_row.into_iter().chain([Row::ours(size, &what, each, peer).writing(written)]).collect()
}

fn create_all(populated: &Populated, configs: &[std::path::PathBuf]) {
    std::thread::scope(|scope| {
        for config in configs {
            scope.spawn(move || {
                let output = populated.curl().arg("-K").arg(config).output().unwrap();
                let statuses = String::from_utf8(output.stdout).unwrap();
                assert_eq!(statuses, "201 ".repeat(EACH), "{statuses}");
            });
        }
    });
}

/// What one client sends over one connection.
fn config(populated: &Populated, client: usize) -> std::path::PathBuf {
    let mut text = String::new();
    for number in 0..EACH {
        let name = format!("c{client}n{number}");
        let body = populated.new_user(&name, json!({"bsdusr_password_hash": HASH})).to_string();
        let quoted = body.replace('\\', "\\\\").replace('"', "\\\"");
        let url = format!("{}/api/v1.0/account/users/", populated.world.api());
        let credential = format!("root:{}", populated.world.admin_password());
        if number > 0 {
            text.push_str("next\n");
        }
        let _ = write!(
            text,
            "url = \"{url}\"\nuser = \"{credential}\"\nheader = \"Content-Type: application/json\"\ndata = \"{quoted}\"\n\
             output = \"/dev/null\"\nwrite-out = \"%{{http_code}} \"\nsilent\n"
        );
    }
    let path = populated.world.client_file(&format!("curl-{client}"));
    fs::write(&path, text).unwrap();
    path
}
