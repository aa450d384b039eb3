//! How the home of an account is, and how far its transfer.

use accountd_protocol::home::HomeState;
use accountd_protocol::id::AccountId;
use accountd_protocol::refusal::Refusal;
use accountd_protocol::text::FieldPath;

use crate::agent::Agent;
use crate::database::FileKind;
use crate::database::entry::passwd;

impl Agent {
    pub(crate) fn get_home(&self, id: AccountId) -> Result<HomeState, Refusal> {
        let view = self.database.view();
        let row = view.user(id).ok_or(Refusal::NotFound)?;
        let home = view.entry(FileKind::Passwd, &row.name).ok_or(Refusal::NotFound)?.text(passwd::HOME);
        drop(view);
        let exists = FieldPath::new(home.clone()).is_ok_and(|home| matches!(self.homes.mode_of(&home), Ok(Some(_))));
        Ok(HomeState { home, exists, transfer: self.transfers.get(id).map(|row| row.shown()) })
    }
}
