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
mod state;
mod subordinate;
mod sudo;
#[cfg(test)]
mod tests;
mod users;

pub use self::belongings::{check as check_belongings, check_suspended};
pub use self::facts::{Facts, Strangers};
pub use self::finding::{Area, Fault, Found};
pub use self::homes::{HomeOf, check as check_homes, homes_of, overlapping};
pub use self::left::Belongings;
pub use self::plan::{Plan, digest};
pub use self::repair::Repair;
pub use self::sheet::Sheet;
pub use self::subordinate::{Subordinate, check as check_subordinate, owners};
pub use self::sudo::{check as check_drop_ins, check_commands, read as read_drop_ins};

use crate::database::{FileKind, View};

/// Everything that the lines of the files and the rows of the store say.
pub fn check_lines(view: &View, facts: &Facts) -> Vec<Found> {
    std::thread::scope(|scope| {
        // About half of the work, and it needs nothing of the other half.
        let forms = scope.spawn(|| {
            let kinds = FileKind::ALL.into_iter().rev();
            kinds.flat_map(|kind| lines::check(&Sheet::of(view, kind))).collect::<Vec<Found>>()
        });
        let (users, groups) = (Sheet::of(view, FileKind::Passwd), Sheet::of(view, FileKind::Group));
        let others = [
            names::check(&users),
            names::check(&groups),
            numbers::check(&users, &groups, facts),
            users::check(view, &users, facts),
            shadow::check(view, &users, facts),
            groups::check(view, &groups, facts),
            samba::check(view, facts),
            aliases::check(view, facts),
            state::check(view),
        ];
        let forms = forms.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        forms.into_iter().chain(others.into_iter().flatten()).collect()
    })
}
