//! The sets of taken numbers beside what the indexes and the quarantine say of each number.

use super::*;
use crate::database::{View, first_outside};
use crate::scratch::Chance;

#[track_caller]
fn agree(view: &View) {
    for first in 995..1045 {
        let naive = (first..=1045).find(|uid| !view.has_uid(*uid));
        assert_eq!(first_outside(first..=1045, &[view.taken_uids()]), naive, "uid from {first}");
        let naive = (first..=1045).find(|gid| !view.has_gid(*gid));
        assert_eq!(first_outside(first..=1045, &[view.taken_gids()]), naive, "gid from {first}");
    }
}

/// A user whose primary group need not exist, and a group beside it.
fn enter(draft: &mut Draft<'_>, name: &str, (uid, gid, group): (u32, u32, u32)) {
    let passwd = format!("{name}:x:{uid}:{gid}::/home/{name}:/bin/sh");
    draft.set_line(FileKind::Passwd, name, Some(Line::from(passwd.as_bytes())));
    draft.add_user(name, Uid(uid), unknown());
    draft.set_line(FileKind::Group, name, Some(Line::from(format!("{name}:x:{group}:").as_bytes())));
    draft.add_group(name, Gid(group));
}

fn remove(draft: &mut Draft<'_>, name: &str) {
    draft.set_line(FileKind::Passwd, name, None);
    draft.set_line(FileKind::Group, name, None);
    if let Some(id) = draft.user_named(name).map(|row| row.id) {
        draft.set_user(id, None);
    }
    if let Some(id) = draft.group_named(name).map(|row| row.id) {
        draft.set_group(id, None);
    }
}

/// One change, of which some are refused when their edits are made already.
fn change(database: &Database, chance: &mut Chance) {
    let name = format!("u{}", chance.below(12));
    let numbers = (1000 + chance.below(40), 1000 + chance.below(40), 1000 + chance.below(40));
    let refused = chance.below(4) == 0;
    let result = database.change(tester(), move |draft| {
        match draft.user_named(&name).is_some() {
            true => remove(draft, &name),
            false => enter(draft, &name, numbers),
        }
        agree(draft);
        if refused { Err(Refusal::NotFound) } else { Ok(()) }
    });
    assert_eq!(result.is_err(), refused);
}

/// What another program does to a file: a line is removed, moved to another number, or added.
fn edit(world: &World, chance: &mut Chance) {
    let file = if chance.below(2) == 0 { "passwd" } else { "group" };
    let (kind, number, name) = (chance.below(3), 1000 + chance.below(40), format!("x{}", chance.below(6)));
    let victim = chance.below(30) as usize;
    world.edit(file, |text| {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        let at = 5 + victim % lines.len();
        match kind {
            0 if at < lines.len() => drop(lines.remove(at)),
            1 if at < lines.len() => {
                let mut fields: Vec<String> = lines[at].split(':').map(str::to_owned).collect();
                if let Some(field) = fields.get_mut(2) {
                    *field = number.to_string();
                }
                lines[at] = fields.join(":");
            }
            _ if file == "passwd" => lines.push(format!("{name}:x:{number}:{}::/:/bin/sh", number + 1)),
            _ => lines.push(format!("{name}:x:{number}:")),
        }
        lines.join("\n") + "\n"
    });
}

#[test]
fn what_is_taken_is_known_whatever_has_happened() {
    let mut chance = Chance(0x5eed);
    for _ in 0..6 {
        let world = World::new();
        let mut database = world.open();
        for step in 0..40 {
            match chance.below(5) {
                0 => edit(&world, &mut chance),
                _ => change(&database, &mut chance),
            }
            if step == 20 {
                drop(database);
                database = world.open();
            }
            agree(&database.view());
        }
    }
}

#[test]
fn the_gid_of_a_user_that_goes_is_free_again_where_there_never_was_a_group() {
    let world = World::new();
    world.edit("passwd", |text| text + "lost:x:1001:1002::/:/bin/sh\n");
    let database = world.open();
    assert_eq!(first_outside(1000..=2000, &[database.view().taken_gids()]), Some(1001));
    assert!(database.view().taken_gids().has(1002));
    let change = |draft: &mut Draft<'_>| {
        remove(draft, "lost");
        Ok(())
    };
    database.change(tester(), change).unwrap();
    let view = database.view();
    assert!(!view.taken_gids().has(1002) && view.taken_uids().has(1001) && !view.taken_uids().has(1002));
}
