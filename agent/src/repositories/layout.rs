//! What a new repository consists of: what `git init --bare` (gitrepository-layout(5)) and `hg init` make,
//! without hooks, and with settings that its users can't write.
//!
//! No program is run for it: what one would read of its user's settings and environment has no part in
//! what is made, and there is nothing that could hang.

use accountd_protocol::repository::RepositoryKind;

/// Whose something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keeper {
    /// The owner's, and whoever may write may write it.
    Owner,
    /// Root's; everybody who may read the repository may read it.
    Root,
}

#[derive(Clone, Copy, Debug)]
pub enum Part {
    Directory(&'static str, Keeper),
    File(&'static str, &'static str, Keeper),
}

/// Nothing here is shared by permission bits (`core.sharedRepository`): the default access control lists
/// are, and git must not take anything away from them with chmod(2).
const GIT_CONFIG: &str = "[core]\n\trepositoryformatversion = 0\n\tfilemode = true\n\tbare = true\n\
                          [receive]\n\tautogc = false\n";

const GIT: [Part; 9] = [
    Part::Directory("objects", Keeper::Owner),
    Part::Directory("objects/info", Keeper::Owner),
    Part::Directory("objects/pack", Keeper::Owner),
    Part::Directory("refs", Keeper::Owner),
    Part::Directory("refs/heads", Keeper::Owner),
    Part::Directory("refs/tags", Keeper::Owner),
    Part::Directory("hooks", Keeper::Root),
    Part::File("config", GIT_CONFIG, Keeper::Root),
    Part::File("HEAD", "ref: refs/heads/main\n", Keeper::Owner),
];

/// The requirements that every Mercurial since 4.7 knows, and newer ones make by themselves.
const HG_REQUIRES: &str = "dotencode\nfncache\ngeneraldelta\nrevlogv1\nsparserevlog\nstore\n";
/// Keeps programs out that know only the layout from before 2006.
const HG_DUMMY: &str = "\0\0\0\x02 dummy changelog to prevent using the old repo layout";

const HG: [Part; 6] = [
    Part::Directory(".hg", Keeper::Owner),
    Part::Directory(".hg/store", Keeper::Owner),
    Part::Directory(".hg/cache", Keeper::Owner),
    Part::File(".hg/requires", HG_REQUIRES, Keeper::Owner),
    Part::File(".hg/00changelog.i", HG_DUMMY, Keeper::Owner),
    Part::File(".hg/hgrc", "# Not read by sessions of accountd.\n", Keeper::Root),
];

/// In the order in which they are made.
pub fn parts(kind: RepositoryKind) -> &'static [Part] {
    match kind {
        RepositoryKind::Git => &GIT,
        RepositoryKind::Hg => &HG,
    }
}

/// Whether an entry, so deep below the repository, is one that is root's for good.
pub fn is_roots(name: &[u8], depth: usize) -> bool {
    matches!((name, depth), (b"config" | b"hooks", 0) | (b"hgrc", 1))
}
