//! A process of the user that swaps directories for symbolic links all the time.

use std::process::Stdio;

use serde_json::json;

use super::{Anna, NEW, OLD};
use crate::running::Running;

/// `swapped` is now a directory, now a link to `target`.
const SWAP: &str = "import os, sys
while True:
    try:
        os.rename('swapped', '.aside'); os.symlink(sys.argv[1], 'swapped')
        os.unlink('swapped'); os.rename('.aside', 'swapped')
    except OSError: pass
";

impl Anna {
    fn swapping(&self, directory: &str, target: &str) -> Running {
        let enter = format!("cd {directory}; exec python3 -c \"$0\" \"$1\"");
        let user = ["setpriv", "--reuid", "3001", "--regid", "3001", "--clear-groups", "bash", "-c"];
        let command = [&user[..], &[&enter, SWAP, target]].concat();
        Running::start(self.nas.world.inside(&command).stdin(Stdio::null()).stderr(Stdio::null()))
    }

    /// A home with something to walk through for a while.
    fn busy(&self) {
        self.sh("mkdir swapped; for n in $(seq 200); do mkdir -p swapped/$n other/$n; echo x > swapped/$n/f; done");
    }
}

#[test]
fn a_change_of_the_uid_gives_nobody_what_is_not_in_the_home() {
    let anna = Anna::start();
    anna.busy();
    // The most tempting: files of the same uid, elsewhere; and what is root's.
    anna.root("mkdir -p /mnt/tank/outside/1; echo x > /mnt/tank/outside/1/f; chown -R 3001:3001 /mnt/tank/outside");
    let etc = anna.root("find /etc -printf '%p %U\\n' | sort");
    let swapper = anna.swapping(OLD, "/mnt/tank/outside");
    let to_etc = anna.swapping(&format!("{OLD}/other"), "/etc");
    for uid in [4001, 3001, 4001, 3001, 4001, 3001, 4001] {
        anna.put(&json!({"bsdusr_uid": uid}));
        anna.transferred();
    }
    swapper.end();
    to_etc.end();
    assert_eq!(anna.root("find /mnt/tank/outside -printf '%U\\n' | sort -u").trim(), "3001");
    assert_eq!(anna.root("find /etc -printf '%p %U\\n' | sort"), etc);
}

#[test]
fn a_copy_and_a_move_take_nothing_from_elsewhere() {
    let anna = Anna::start();
    anna.busy();
    anna.root(
        "mkdir -p /mnt/tank/outside; echo secret > /mnt/tank/outside/secret; chown -R 3001:3001 /mnt/tank/outside",
    );
    let swapper = anna.swapping(OLD, "/mnt/tank/outside");
    anna.put(&json!({"bsdusr_home": NEW}));
    anna.transferred();
    swapper.end();
    assert!(!anna.root(&format!("find {NEW}")).contains("secret"));
    anna.sh("rm -rf swapped .aside; mkdir swapped");
    anna.put(&json!({"bsdusr_home": OLD, "bsdusr_home_transfer": "none"}));
    let swapper = anna.swapping(OLD, "/mnt/tank/outside");
    anna.put(&json!({"bsdusr_home": "/mnt/tank/third/anna", "bsdusr_home_transfer": "move"}));
    anna.transferred();
    swapper.end();
    assert!(!anna.root("find /mnt/tank/third").contains("secret"));
    assert_eq!(anna.root("cat /mnt/tank/outside/secret").trim(), "secret");
}
