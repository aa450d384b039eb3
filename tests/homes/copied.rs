//! A new home is a copy of the old one, which stays.

use std::os::unix::fs::MetadataExt;

use serde_json::{Value, json};

use super::{Anna, NEW, OLD};
use crate::freenas::keys::KEY;

/// What the tools say of a tree, apart from where it is.
const LOOK: &str = "(find . -printf '%P %y %m %U:%G %s %n %T@ %l\\n' | grep -av '^ d' | sort; getfacl -R -n -p .; \
                    getfattr -d acl; find . -type f -links 1 -print0 | sort -z | xargs -0 sha256sum) | cat -v";

#[test]
fn a_copy_is_like_the_original_to_every_tool() {
    let anna = Anna::start();
    anna.root("echo skeleton > /etc/skel/.from-skel");
    anna.sh(
        "umask 022; mkdir -p a/b empty locked; echo one > a/b/one; ln a/b/one linked; ln -s /etc/passwd out; \
         ln -s nowhere dangling; mkfifo pipe; echo odd > $'-rf \\n*\\\\\\xff'; echo x > acl; setfacl -m u:3999:r,m:r acl; \
         setfacl -d -m u:3999:rx a; setfattr -n user.tag -v value acl; truncate -s 100M sparse; \
         echo middle | dd of=sparse seek=100000 bs=512 conv=notrunc status=none; touch -d '2001-02-03 04:05:06.789012345' a/b/one a; \
         echo s > setuid; chmod 4755 setuid; echo r > locked/file; chmod 400 locked/file; chmod 500 locked; chmod 750 .",
    );
    let before = anna.root(&format!("cd {OLD}; {LOOK}"));
    let shown = anna.put(&json!({"bsdusr_home": NEW}));
    assert_eq!(shown["bsdusr_home"], NEW);
    anna.done("copy", 0);
    assert_eq!(anna.root(&format!("cd {NEW}; {LOOK}")), before);
    assert_eq!(anna.root(&format!("cd {OLD}; {LOOK}")), before, "the old home stays as it is");
    let sparse = anna.nas.disk.path(&format!("{NEW}/sparse")).metadata().unwrap();
    assert!(sparse.blocks() * 512 < 1 << 20, "{} blocks", sparse.blocks());
    assert_eq!(anna.nas.disk.owner_and_mode(NEW), (3001, 3001, 0o750));
    assert!(!anna.is_there(&format!("{NEW}/.from-skel")) && !anna.is_there(&format!("{NEW}/.accountd-transfer")));
    anna.nas.world.with_password("anna", "pw").sftp("get acl /dev/null\n");
}

#[test]
fn a_tree_of_5000_levels_comes_along() {
    let anna = Anna::start();
    anna.sh("python3 -c \"import os\nfor n in range(5000): os.mkdir('d'); os.chdir('d')\nopen('leaf', 'w').close()\"");
    anna.put(&json!({"bsdusr_home": NEW}));
    anna.done("copy", 0);
    let depth =
        "python3 -c \"import os\nn = 0\nwhile os.path.isdir('d'): os.chdir('d'); n += 1\nprint(n, os.listdir())\"";
    assert_eq!(anna.root(&format!("cd {NEW}; {depth}")).trim(), "5000 ['leaf']");
    anna.root(&format!("rm -rf {NEW} {OLD}"));
}

#[test]
fn nothing_of_others_and_of_another_file_system_is_touched() {
    let anna = Anna::start();
    anna.sh("mkdir mounted bound theirs; echo mine > mine");
    anna.root(&format!(
        "cd {OLD}; mount -t tmpfs tmpfs mounted; echo m > mounted/file; chown -R 3001:3001 mounted; \
         mkdir /mnt/tank/else; echo e > /mnt/tank/else/file; chown -R 3001:3001 /mnt/tank/else; \
         mount --bind /mnt/tank/else bound; echo r > roots; chmod 644 roots; chown 3999 theirs",
    ));
    anna.put(&json!({"bsdusr_home": NEW}));
    anna.done("copy", 4);
    assert_eq!(anna.root(&format!("ls {NEW}")).trim(), "mine");
}

#[test]
fn a_key_that_is_taken_away_with_the_old_home_does_not_come_back() {
    let anna = Anna::start();
    anna.put(&json!({"bsdusr_sshpubkey": KEY}));
    anna.sh("echo host > .ssh/known_hosts");
    let shown = anna.put(&json!({"bsdusr_home": NEW, "bsdusr_sshpubkey": ""}));
    anna.done("copy", 0);
    assert_eq!(shown["bsdusr_sshpubkey"], "");
    assert!(
        !anna.is_there(&format!("{NEW}/.ssh/authorized_keys")) && anna.is_there(&format!("{NEW}/.ssh/known_hosts"))
    );
    let shown = anna.put(&json!({"bsdusr_home": "/mnt/tank/third/anna", "bsdusr_sshpubkey": KEY}));
    assert_eq!(shown["bsdusr_sshpubkey"], format!("{KEY}\n"));
    anna.done("copy", 0);
}

#[test]
fn none_means_a_home_like_the_first_one() {
    let anna = Anna::start();
    anna.root("echo skeleton > /etc/skel/.from-skel");
    anna.sh("echo mine > mine");
    anna.put(&json!({"bsdusr_home": NEW, "bsdusr_home_transfer": "none"}));
    assert_eq!(anna.home(), json!({"home": NEW, "exists": true, "transfer": Value::Null}));
    assert!(anna.is_there(&format!("{NEW}/.from-skel")) && !anna.is_there(&format!("{NEW}/mine")));
    anna.put_refused(&json!({"bsdusr_home_transfer": "steal"}), "{\"bsdusr_home_transfer\": [");
}

#[test]
fn on_a_full_file_system_it_fails_and_can_be_done_again() {
    let anna = Anna::start();
    anna.sh("head -c 3000000 /dev/urandom > big; echo small > small");
    anna.root("mkdir /mnt/tank/small; mount -t tmpfs -o size=1m,mode=755 tmpfs /mnt/tank/small");
    let change = json!({"bsdusr_home": "/mnt/tank/small/anna"});
    anna.put(&change);
    let transfer = anna.transferred();
    assert_eq!(transfer["state"], "failed", "{transfer}");
    assert!(transfer["error"].as_str().unwrap().contains("No space left"), "{transfer}");
    assert!(anna.is_there(&format!("{OLD}/big")) && !anna.is_there("/mnt/tank/small/anna/big"));
    anna.root("mount -o remount,size=20m /mnt/tank/small");
    anna.put(&change);
    anna.done("copy", 0);
    anna.root(&format!("diff -r {OLD} /mnt/tank/small/anna"));
}
