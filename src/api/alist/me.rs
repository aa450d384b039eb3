//! `me`: one's own account.

use accountd_protocol::agent::{Dialect, Echoes, UserChange};
use accountd_protocol::alist::AlistWords;
use accountd_protocol::precondition::Precondition;
use accountd_protocol::secret::Secret;
use rocket::Data;

use super::admin::renamed;
use super::body::Members;
use super::caller::{ADMIN, Account};
use super::error::{Error, GuestDenied};
use super::meaning::words;
use super::output::{Shown, is_ours};
use super::reply::Reply;
use super::request::Asked;

pub async fn show(asked: &Asked<'_>) -> Result<Reply, Error> {
    let Account { user, .. } = Account::of(asked).await?;
    Ok(Reply::data(&Shown::of_oneself(user, &asked.settings)))
}

/// Name, password and sso_id; whatever else the body has is passed over. A name is an administrator's to change,
/// as it is everywhere on the machine.
pub async fn update(asked: &Asked<'_>, data: Data<'_>) -> Result<Reply, Error> {
    let Account { caller, user, role } = Account::no_guest(asked, GuestDenied::Profile).await?;
    let mut members = Members::read("User", asked.request, data).await?;
    let username = members.required("username", "Username")?;
    let password = Some(members.secret("password")?).filter(|password: &Secret| !password.is_empty());
    let asked_words = AlistWords { sso_id: members.text("sso_id")?, ..words(&user) };
    let echoes = match is_ours(&user) {
        true => Echoes::from([(Dialect::Alist, asked_words.text())]),
        false => Echoes::new(),
    };
    match role {
        ADMIN => {
            let name = renamed(&user, &username)?;
            let change = UserChange { name, password, echoes, ..UserChange::default() };
            caller.update_user(user.id, change, Precondition::None).await.map_err(Error::of)?;
        }
        _ if username != user.name => {
            return Err(Error::NotPermitted("the username can only be changed by an administrator"));
        }
        _ => caller.change_own_profile(password, echoes).await.map_err(Error::of)?,
    }
    Ok(Reply::success())
}
