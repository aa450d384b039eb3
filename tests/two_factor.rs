//! The second factor over every way in: codes are made by oathtool(1), an authenticator that others wrote.

mod attacks;
mod rest;
mod ssh;
mod static_hash;
mod stored;
mod tokens;

use std::cell::Cell;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::rest::{Answer, Rest};
use crate::v2::Nas;
use crate::world::{World, wait_for};

const STEP: u64 = 30;
/// A code that is shown has to be good for so many seconds more: the machine may be slow.
const SPARE: u64 = 15;

/// What somebody has in a pocket.
pub struct Authenticator {
    secret: String,
    /// Of the last code that was read off.
    step: Cell<u64>,
}

fn seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

impl Authenticator {
    pub fn new(secret: &str) -> Self {
        Self { secret: secret.to_owned(), step: Cell::new(0) }
    }

    /// The code of a step.
    fn at(&self, step: u64) -> String {
        let time = format!("@{}", step * STEP);
        let output = Command::new("oathtool").args(["--totp", "--base32", &self.secret, "--now", &time]).output();
        let output = output.expect("oathtool is installed");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// A code that has not been read off before, and that is good for a while. There are two or three at a time;
    /// after that it takes until there is another one.
    pub fn code(&self) -> String {
        let next = || {
            let now = seconds();
            let first = (now / STEP).saturating_sub(1).max(self.step.get() + 1);
            (first..=now / STEP + 1).find(|step| (step + 2) * STEP >= now + SPARE)
        };
        wait_for("another code", || next().is_some());
        let step = next().unwrap();
        self.step.set(step);
        self.at(step)
    }

    /// Six digits that are the code of no step near.
    pub fn wrong(&self) -> String {
        let now = seconds() / STEP;
        let near: Vec<String> = (now - 4..now + 5).map(|step| self.at(step)).collect();
        (0..100).map(|number| format!("{number:06}")).find(|code| !near.contains(code)).unwrap()
    }
}

/// Somebody with a second factor.
struct Enrolled {
    name: &'static str,
    phone: Authenticator,
    recovery: Vec<String>,
}

fn add(nas: &Nas, name: &str) {
    let user = json!({"username": name, "password": "Pass-word1", "home": format!("/mnt/tank/home/{name}")});
    nas.post("/users", &user);
}

fn nas_with(config: &str, names: &[&str]) -> Nas {
    let nas = Nas::of(World::start_with(config));
    names.iter().for_each(|name| add(&nas, name));
    nas
}

/// Delays and bans are other tests' affair.
const PATIENT: &str = "[bans]\nignore = [\"127.0.0.0/8\"]\n";

fn own(nas: &Nas, name: &str) -> Rest {
    nas.rest.as_user(name, "Pass-word1")
}

fn with_code(rest: &Rest, code: &str, (method, path): (&str, &str), body: Option<&Value>) -> Answer {
    let header = format!("X-Accountd-OTP: {code}");
    let options = ["-H", &header, "-H", "Content-Type: application/json"];
    match body {
        Some(body) => rest.curl(method, path, &options, Some(body.to_string().as_bytes())),
        None => rest.curl(method, path, &options[..2], None),
    }
}

/// GET of oneself.
fn me(rest: &Rest, code: &str) -> Answer {
    with_code(rest, code, ("GET", "/users/~"), None)
}

impl Enrolled {
    fn of(nas: &Nas, name: &'static str) -> Self {
        let begun = own(nas, name).post("/users/~/two-factor", "{}").object(200);
        let phone = Authenticator::new(begun["secret"].as_str().unwrap());
        let code = json!({"code": phone.code()});
        let answer = own(nas, name).post("/users/~/two-factor/confirm", &code.to_string()).object(200);
        let codes = answer["recovery_codes"].as_array().unwrap();
        let recovery = codes.iter().map(|code| code.as_str().unwrap().to_owned()).collect();
        Self { name, phone, recovery }
    }
}
