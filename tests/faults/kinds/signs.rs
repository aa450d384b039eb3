//! What kinds of transactions have in common: accounts that are made for them, and what is to be seen.

use serde_json::{Value, json};

use super::{NO_HOME, POOL, Signs};
use crate::faults::stage::{FILES, Stage, Subject};
use crate::rest::{Answer, Rest};
use crate::world::wait_for;

pub fn sign(what: &str, done: bool) -> (String, bool) {
    (what.to_owned(), done)
}

/// What came of a job, where the answer does not say it yet.
pub fn over(stage: &Stage, answer: Answer) -> Answer {
    let Some(location) = answer.header("location").filter(|_| answer.status == 202) else { return answer };
    let location = location.trim_start_matches("/api/v2").to_owned();
    loop {
        let job = own(stage).get(&location);
        match (job.status, job.value()["state"].as_str()) {
            (200, Some("waiting" | "running")) => {}
            (200, Some("done")) => return job,
            _ => return Answer { status: 500, ..job },
        }
    }
}

/// The other dialect, which has policy and batches.
pub fn own(stage: &Stage) -> Rest {
    Rest::v2(&stage.world().api(), "root", &stage.world().admin_password())
}

pub fn make_user(stage: &Stage, subject: &mut Subject) {
    subject.id = stage.nas.rest.create_user(&stage.new_user(subject, NO_HOME).to_string());
}

pub fn make_user_with_home(stage: &Stage, subject: &mut Subject) {
    subject.id = stage.nas.rest.create_user(&stage.new_user(subject, POOL).to_string());
}

/// The request is about the group.
pub fn make_user_of_own_group(stage: &Stage, subject: &mut Subject) {
    make_user(stage, subject);
    subject.id = stage.shown("groups", "bsdgrp_group", &subject.name).unwrap()["id"].as_u64().unwrap();
}

pub fn make_group(stage: &Stage, subject: &mut Subject) {
    subject.id = create_group(stage, subject).object(201)["id"].as_u64().unwrap();
}

pub fn create_group(stage: &Stage, subject: &Subject) -> Answer {
    let request = json!({"bsdgrp_gid": subject.number, "bsdgrp_group": subject.name});
    stage.nas.rest.post("/account/groups/", &request.to_string())
}

pub fn put_user(stage: &Stage, subject: &Subject, change: Value) -> Answer {
    stage.nas.rest.put(&format!("/account/users/{}/", subject.id), &change.to_string())
}

pub fn put_group(stage: &Stage, subject: &Subject, change: Value) -> Answer {
    stage.nas.rest.put(&format!("/account/groups/{}/", subject.id), &change.to_string())
}

pub fn user_is_there(stage: &Stage, subject: &Subject) -> Signs {
    let name = &subject.name;
    let mut signs: Signs = FILES.iter().map(|file| sign(file, stage.nas.disk.line(file, name).is_some())).collect();
    for file in ["/etc/group", "/etc/gshadow"] {
        signs.push(sign(&format!("team in {file}"), is_member(stage, file, name)));
    }
    signs.push(sign("rest", stage.shown("users", "bsdusr_username", name).is_some()));
    signs.push(sign("group in rest", stage.shown("groups", "bsdgrp_group", name).is_some()));
    signs
}

pub fn group_is_there(stage: &Stage, subject: &Subject) -> Signs {
    let mut signs: Signs =
        FILES[2..4].iter().map(|file| sign(file, stage.nas.disk.line(file, &subject.name).is_some())).collect();
    signs.push(sign("rest", stage.shown("groups", "bsdgrp_group", &subject.name).is_some()));
    signs
}

/// Empty where there is no such line.
pub fn field(stage: &Stage, file: &str, name: &str, index: usize) -> String {
    let line = stage.nas.disk.line(file, name).unwrap_or_default();
    line.split(':').nth(index).unwrap_or_default().to_owned()
}

pub fn members(stage: &Stage, file: &str, group: &str) -> Vec<String> {
    field(stage, file, group, 3).split(',').map(str::to_owned).collect()
}

pub fn is_member(stage: &Stage, file: &str, name: &str) -> bool {
    members(stage, file, "team").iter().any(|member| member == name)
}

pub fn passwords(stage: &Stage, subject: &Subject) -> Vec<String> {
    let places = [("/etc/shadow", 1), ("/etc/samba/smbpasswd", 3)];
    places.map(|(file, index)| field(stage, file, &subject.name, index)).to_vec()
}

pub fn keys(stage: &Stage, home: &str) -> String {
    stage.nas.disk.text(&format!("{home}/.ssh/authorized_keys"))
}

/// Whether a transfer says of itself that something was left behind. Waits for its end.
pub fn is_told(stage: &Stage, subject: &Subject) -> bool {
    let transfer =
        || stage.nas.rest.get(&format!("/account/users/{}/home/", subject.id)).object(200)["transfer"].clone();
    let is_under_way = |transfer: &Value| transfer["state"] == "waiting" || transfer["state"] == "running";
    wait_for("the transfer to end", || !is_under_way(&transfer()));
    let transfer = transfer();
    transfer["state"] == "failed" || transfer["left_alone"].as_u64().is_some_and(|count| count > 0)
}

/// Whether nothing is where the home was, unless that is told.
pub fn old_home_is_gone(stage: &Stage, subject: &Subject) -> bool {
    is_told(stage, subject) || !stage.nas.disk.path(&format!("{POOL}/{}", subject.name)).exists()
}

/// Whether what was in the home is in the new one; or in the old one still, and that is told.
pub fn note_is_kept(stage: &Stage, subject: &Subject, new: &str) -> bool {
    let is_in = |home: &str| stage.nas.disk.text(&format!("{home}/note")) == "some";
    (is_told(stage, subject) && is_in(&format!("{POOL}/{}", subject.name))) || is_in(new)
}

/// The text of the user's drop-in; empty where there is none.
pub fn drop_in(stage: &Stage, subject: &Subject) -> String {
    stage.nas.disk.text(&format!("/etc/sudoers.d/accountd-user-{}", subject.id))
}

pub fn crontab(stage: &Stage, subject: &Subject) -> std::path::PathBuf {
    stage.nas.disk.path(&format!("/var/spool/cron/crontabs/{}", subject.name))
}

pub fn shown_user(stage: &Stage, name: &str) -> Value {
    stage.shown("users", "bsdusr_username", name).unwrap_or_default()
}
