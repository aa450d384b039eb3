//! What is wrong with the accounts: everything that pwck(8) and grpck(8) find, and what they do
//! not look at. Looks only; [`repair`] says what would be done about it.
//!
//! Each file here is one group of findings and looks at every line once. Whatever has to be asked
//! or waited for is got before (`facts`), so that the lines can be looked at again under the lock.

mod aliases;
mod belongings;
mod facts;
mod finding;
mod groups;
mod homes;
#[cfg(any(test, feature = "laws"))]
pub(crate) mod laws;
mod left;
mod lines;
mod names;
mod numbers;
mod plan;
mod repair;
mod samba;
mod shadow;
mod sheet;
mod sheets;
mod state;
mod subordinate;
mod sudo;
#[cfg(test)]
mod tests;
mod users;

pub use self::belongings::{check as check_belongings, check_suspended};
pub use self::facts::{Facts, Strangers};
pub use self::finding::{Area, Fault, Found};
pub use self::homes::{FIRST_ORDINARY, HomeOf, check as check_homes, homes_of, overlapping};
pub use self::left::Belongings;
pub use self::plan::{Plan, digest};
pub use self::repair::Repair;
pub use self::sheets::Sheets;
pub use self::subordinate::{Subordinate, check as check_subordinate, owners};
pub use self::sudo::{check as check_drop_ins, check_commands, read as read_drop_ins};

use crate::database::View;

/// Everything that the lines of the files and the rows of the store say.
pub fn check_lines(view: &View, sheets: &Sheets<'_>, facts: &Facts) -> Vec<Found> {
    let Sheets { users, shadows, groups, group_shadows, samba, username_map, aliases } = sheets;
    std::thread::scope(|scope| {
        // About half of the work, and it needs nothing of the other half.
        let forms = scope.spawn(|| {
            let sheets = [aliases, username_map, samba, group_shadows, groups, shadows, users];
            let forms = sheets.into_iter().flat_map(lines::check).collect::<Vec<Found>>();
            (forms, shadow::check(view, (users, shadows), facts))
        });
        let others = [
            names::check(users),
            names::check(groups),
            numbers::check(users, groups, facts),
            users::check(view, users, facts),
        ];
        let last = [
            groups::check(view, (groups, group_shadows), facts),
            samba::check(view, (samba, username_map), facts),
            aliases::check(view, aliases, facts),
            state::check(view),
        ];
        let (forms, dates) = forms.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        let others = others.into_iter().chain([dates]).chain(last).flatten();
        forms.into_iter().chain(others).collect()
    })
}
