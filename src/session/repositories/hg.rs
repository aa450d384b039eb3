//! Mercurial, with the settings that are meant and no others (`hg help environment`).

use std::path::Path;
use std::process::Command;

use super::place::Place;
use super::run;

/// `settings` is a file of them. A repository's own are left alone, also where the file is the user's: it may be
/// one of theirs that somebody has renamed.
pub fn command(place: &Place, settings: Option<&Path>) -> Command {
    let mut hg = run::clean("hg");
    hg.env("HGRCPATH", settings.unwrap_or(Path::new(""))).env("HGRCSKIPREPO", "1").env("HGPLAIN", "1");
    hg.arg("-R").arg(place.path()).current_dir("/");
    hg
}
