//! `me/sshkey` and `admin/user/sshkey`.

use accountd_protocol::id::{AccountId, AccountRef};
use accountd_protocol::refusal::Refusal;
use accountd_protocol::ssh_key::{KeyTitle, SshKeyId};
use rocket::Data;

use super::body::Members;
use super::caller::Account;
use super::error::{Error, GuestDenied, KeyError, NoUser};
use super::output::{ShownKey, is_ours};
use super::paging::Part;
use super::reply::Reply;
use super::request::Asked;

pub async fn list_own(asked: &Asked<'_>) -> Result<Reply, Error> {
    let account = Account::no_guest(asked, GuestDenied::Keys).await?;
    list(asked, &account, account.user.id).await
}

pub async fn add(asked: &Asked<'_>, data: Data<'_>) -> Result<Reply, Error> {
    let Account { caller, user, .. } = Account::no_guest(asked, GuestDenied::Keys).await?;
    let mut members = Members::read("SSHKeyAddReq", asked.request, data).await?;
    let (title, key) = (members.text("title")?, members.text("key")?);
    if title.is_empty() || key.is_empty() {
        return Err(Error::Key(KeyError::Incomplete));
    }
    let title = KeyTitle::new(title).map_err(|problem| Error::Invalid(format!("title {problem}")))?;
    caller.add_ssh_key(user.id, title, key).await.map_err(Error::of)?;
    Ok(Reply::success())
}

pub async fn delete_own(asked: &Asked<'_>) -> Result<Reply, Error> {
    let Account { caller, user, .. } = Account::no_guest(asked, GuestDenied::Keys).await?;
    let id = asked.id("id", Some(Error::Key(KeyError::BadId)))?;
    let id = u64::try_from(id).map(SshKeyId).map_err(|_| Error::Key(KeyError::NoKey))?;
    caller.delete_ssh_key(user.id, id).await.map_err(|error| match error {
        accountd_core::Error::Refused(Refusal::NotFound) => Error::Key(KeyError::NoKey),
        error => Error::of(error),
    })?;
    Ok(Reply::success())
}

pub async fn list_of_user(asked: &Asked<'_>) -> Result<Reply, Error> {
    let account = Account::admin(asked).await?;
    let id = asked.id("uid", Some(Error::Key(KeyError::BadUserId)))?;
    let id = u64::try_from(id).map(AccountId).map_err(|_| Error::NoUser(NoUser::OfKeys))?;
    match account.caller.find_user(AccountRef::Id(id)).await {
        Ok(user) if is_ours(&user) => list(asked, &account, id).await,
        Ok(_) | Err(accountd_core::Error::Refused(Refusal::NotFound)) => Err(Error::NoUser(NoUser::OfKeys)),
        Err(error) => Err(Error::of(error)),
    }
}

/// One that is not there is as good as deleted.
pub async fn delete_of_user(asked: &Asked<'_>) -> Result<Reply, Error> {
    let Account { caller, .. } = Account::admin(asked).await?;
    let id = asked.id("id", Some(Error::Key(KeyError::BadId)))?;
    let Ok(id) = u64::try_from(id).map(SshKeyId) else { return Ok(Reply::success()) };
    let Some(owner) = caller.ssh_key_owner(id).await.map_err(Error::of)? else { return Ok(Reply::success()) };
    match caller.find_user(AccountRef::Id(owner)).await {
        Ok(user) if is_ours(&user) => {}
        Ok(_) | Err(accountd_core::Error::Refused(Refusal::NotFound)) => return Ok(Reply::success()),
        Err(error) => return Err(Error::of(error)),
    }
    match caller.delete_ssh_key(owner, id).await {
        Ok(()) | Err(accountd_core::Error::Refused(Refusal::NotFound)) => Ok(Reply::success()),
        Err(error) => Err(Error::of(error)),
    }
}

async fn list(asked: &Asked<'_>, account: &Account, of: AccountId) -> Result<Reply, Error> {
    let part = Part::of(asked)?;
    let keys = account.caller.ssh_keys(of).await.map_err(Error::of)?;
    Ok(Reply::data(&part.page(keys.into_iter().map(ShownKey::of).collect())))
}
