//! One account is created, changed and deleted while many others exist, beside shadow-utils.

use serde_json::{Value, json};

use crate::median;
use crate::populated::{HASH, KEY, Populated};
use crate::table::{self, Row};

pub const SIZES: [usize; 3] = [1_000, 10_000, 100_000];
const ROUNDS: usize = 11;

pub fn run(sizes: &[usize]) {
    table::begin("one account");
    for size in sizes {
        let populated = Populated::with_users(*size);
        let bench = Bench { size: *size, populated };
        let rows = [bench.create(), bench.add_to_group(), bench.delete()];
        rows.iter().flatten().for_each(|row| println!("{row}"));
    }
}

struct Bench {
    size: usize,
    populated: Populated,
}

impl Bench {
    /// shadow-utils get slow; a few rounds tell, and beside a million accounts none is waited for.
    fn peer_rounds(&self) -> usize {
        match self.size {
            0..=9_999 => 7,
            10_000..=99_999 => 5,
            100_000..=999_999 => 2,
            _ => 0,
        }
    }

    fn peer(&self, command: impl Fn(usize) -> String) -> Option<f64> {
        let times: Vec<f64> = (0..self.peer_rounds()).map(|round| self.populated.shell(&command(round))).collect();
        (!times.is_empty()).then(|| median(times))
    }

    /// The peer's row, where it was waited for.
    fn peer_row(&self, what: &str, peer: Option<f64>) -> Option<Row> {
        peer.map(|milliseconds| Row::peer(self.size, what, milliseconds))
    }

    fn create(&self) -> Vec<Row> {
        let populated = &self.populated;
        let own = |prefix: &str, particular: Value| {
            let create = |round| populated.create(&format!("{prefix}{round}"), particular.clone()).0;
            median((0..ROUNDS).map(create).collect())
        };
        let written = |name: &str, particular: Value| populated.written(|| _ = populated.create(name, particular));
        let plain = json!({"bsdusr_password_disabled": true});
        let full = json!({"bsdusr_password_hash": HASH, "bsdusr_home": "/mnt/tank/home", "bsdusr_sshpubkey": KEY});
        let clear = json!({"bsdusr_password": "correct horse", "bsdusr_home": "/mnt/tank/home"});
        let peer = self.peer(|round| format!("useradd -M -p '{HASH}' peer{round}"));
        let peer_home = self.peer(|round| format!("useradd -m -p '{HASH}' home{round}"));
        let trace = || populated.written_by_command(&["useradd", "-m", "-p", HASH, "peertraced"]);
        let home_row = self.peer_row("useradd -m -p HASH", peer_home).map(|row| row.writing(trace()));
        let row = |what: &str, milliseconds, peer| Row::ours(self.size, what, milliseconds, peer);
        let peers = [self.peer_row("useradd -M -p HASH", peer), home_row];
        let ours = [
            row("create, no home", own("plain", plain.clone()), peer).writing(written("tplain", plain.clone())),
            row("create, home, skel, key, hash", own("full", full.clone()), peer_home).writing(written("tfull", full)),
            row("create, home, password, Samba", own("clear", clear.clone()), peer_home)
                .writing(written("tclear", clear)),
            row("create, no home, right after useradd", populated.create("behind", plain).0, peer),
        ];
        peers.into_iter().flatten().chain(ours).collect()
    }

    fn add_to_group(&self) -> Vec<Row> {
        let populated = &self.populated;
        let (_, id) = populated.create("member", json!({"bsdusr_password_disabled": true}));
        let path = format!("/account/users/{id}/groups/");
        let toggle = |round: usize| {
            let groups = if round.is_multiple_of(2) { json!(["games"]) } else { json!([]) };
            populated.request("POST", &path, Some(&groups), 202).milliseconds
        };
        let peer = self.peer(|round| format!("usermod -a -G staff plain{round}"));
        let own = median((0..ROUNDS).map(toggle).collect());
        let written = populated.written(|| _ = toggle(ROUNDS));
        let ours = Row::ours(self.size, "add to a group", own, peer).writing(written);
        self.peer_row("usermod -a -G", peer).into_iter().chain([ours]).collect()
    }

    fn delete(&self) -> Vec<Row> {
        let populated = &self.populated;
        let delete = |name: &str| {
            let (_, id) =
                populated.create(name, json!({"bsdusr_password_disabled": true, "bsdusr_home": "/mnt/tank/home"}));
            move || {
                let wanted = json!({"delete_home": true});
                populated.request("DELETE", &format!("/account/users/{id}/"), Some(&wanted), 204).milliseconds
            }
        };
        let own = median((0..ROUNDS).map(|round| delete(&format!("gone{round}"))()).collect());
        let traced = delete("tgone");
        let written = populated.written(|| _ = traced());
        let peer = self.peer(|round| format!("userdel -r home{round} 2>/dev/null"));
        let ours = Row::ours(self.size, "delete with its home", own, peer).writing(written);
        self.peer_row("userdel -r", peer).into_iter().chain([ours]).collect()
    }
}
