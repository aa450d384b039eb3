//! The database as a whole, on a plain directory and without privileges.

mod adoption;
mod api_keys;
mod audit;
mod changes;
mod crash;
mod file;
mod numbers;
mod outside;
mod passwords;
mod store;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use accountd_config::Audit;
use accountd_protocol::agent::{Generation, Revocation};
use accountd_protocol::audit::{Actor, AuditAction};
use accountd_protocol::id::{AccountId, Gid, Uid};
use accountd_protocol::refusal::Refusal;

use super::{Database, DatabaseError, Draft, Extras, FileKind, Keeping, Known, Line, OnRevoked, Purpose};

const PASSWD: &str =
    "# kept\nroot:x:0:0:root:/root:/bin/sh\n\nbroken\nanna:x:1000:1000:Anna:/home/anna:/bin/sh:extra\n";
const SHADOW: &str = "root:*:19000:0:99999:7:::\nanna:$6$old:19000:0:99999:7:::\n";
const GROUP: &str = "root:x:0:\nanna:x:1000:\nwheel:x:10:anna\n";
const GSHADOW: &str = "root:*::\nanna:!::\nwheel:*::anna\n";

/// A root directory with account files and a place for the state store.
struct World {
    directory: tempfile::TempDir,
    revoked: Arc<Mutex<Vec<Revocation>>>,
}

impl World {
    fn new() -> Self {
        let world = World { directory: tempfile::tempdir().unwrap(), revoked: Arc::default() };
        fs::create_dir_all(world.root().join("etc/samba")).unwrap();
        for (name, content) in [("passwd", PASSWD), ("shadow", SHADOW), ("group", GROUP), ("gshadow", GSHADOW)] {
            world.write(name, content);
        }
        world
    }

    fn root(&self) -> PathBuf {
        self.directory.path().to_owned()
    }

    fn open(&self) -> Database {
        let revoked = self.revoked.clone();
        let note = move |new: &[Revocation]| revoked.lock().unwrap().extend_from_slice(new);
        open(&self.root(), Box::new(note)).unwrap()
    }

    fn etc(&self, name: &str) -> PathBuf {
        self.root().join("etc").join(name)
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.etc(name)).unwrap()
    }

    /// As an editor does it that replaces the file.
    fn write(&self, name: &str, content: &str) {
        let new = self.etc(&format!("{name}.edited"));
        fs::write(&new, content).unwrap();
        fs::rename(new, self.etc(name)).unwrap();
    }

    fn edit(&self, name: &str, change: impl FnOnce(String) -> String) {
        self.write(name, &change(self.read(name)));
    }

    fn revoked_names(&self) -> Vec<String> {
        self.revoked.lock().unwrap().iter().map(|revocation| revocation.name.clone()).collect()
    }
}

fn open(root: &Path, on_revoked: OnRevoked) -> Result<Database, DatabaseError> {
    let (store, audit) = (root.join("state.sqlite"), Audit { file_records: 20, keep_files: 3 });
    Database::open(Keeping { root, store: &store, audit: &audit }, on_revoked, Box::new(|| ()))
}

/// Who makes the changes of these tests.
fn tester() -> Purpose {
    let actor = Actor::Caller { account: AccountId(1), name: "root".into(), source: None, key: None };
    Purpose { actor, action: AuditAction::UpdateUser, user: None }
}

fn line(text: &str) -> Option<Line> {
    Some(Line::from(text.as_bytes()))
}

/// All lines of one account, as a real change makes them.
fn add(draft: &mut Draft<'_>, name: &str, number: u32) -> AccountId {
    draft.set_line(FileKind::Group, name, line(&format!("{name}:x:{number}:")));
    draft.set_line(FileKind::Gshadow, name, line(&format!("{name}:!::")));
    draft.set_line(FileKind::Shadow, name, line(&format!("{name}:$6$x:20000:0:99999:7:::")));
    draft.set_line(FileKind::Passwd, name, line(&format!("{name}:x:{number}:{number}::/home/{name}:/bin/sh")));
    draft.add_group(name, Gid(number));
    draft.add_user(name, Uid(number), unknown())
}

fn create(database: &Database, name: &str, number: u32) -> Result<(AccountId, Generation), Refusal> {
    let name = name.to_owned();
    database.change(tester(), move |draft| Ok(add(draft, &name, number)))
}

fn remove(draft: &mut Draft<'_>, name: &str) {
    for kind in FileKind::ALL {
        draft.set_line(kind, name, None);
    }
    let (user, group) = (draft.user_named(name).unwrap().id, draft.group_named(name).unwrap().id);
    draft.set_user(user, None);
    draft.set_group(group, None);
}

fn delete(database: &Database, name: &str) {
    let name = name.to_owned();
    let change = move |draft: &mut Draft<'_>| {
        remove(draft, &name);
        Ok(())
    };
    database.change(tester(), change).unwrap();
}

/// In which of the files a name has a line.
fn files_with(root: &Path, name: &str) -> Vec<&'static str> {
    let has = |file: &&str| {
        let content = fs::read_to_string(root.join("etc").join(file)).unwrap();
        content.lines().any(|line| line.split(':').next() == Some(name))
    };
    ["gshadow", "group", "shadow", "passwd"].into_iter().filter(has).collect()
}

/// Of a user of whom no more is known than the files say.
fn unknown() -> Known<'static> {
    Known { email: "", microsoft_account: false, extras: Extras::default() }
}
