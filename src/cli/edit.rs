//! A set that the API has as a whole, changed in part: read, changed, and written back if nobody has
//! changed it meanwhile (`If-Match`); else all over again.

use serde_json::{Value, json};

use crate::client::{Answer, Request};
use crate::error::Error;
use crate::output::items;
use crate::problem::Flags;
use crate::session::Session;

/// Somebody else has to be very busy to be in between so often.
const TRIES: usize = 10;

/// One set, as `/groups/team/members`.
#[derive(Clone, Debug)]
pub struct Set {
    pub path: String,
    /// The name of the list in its body.
    pub field: &'static str,
    /// What is in it, in words.
    pub what: &'static str,
    pub whose: String,
    pub flags: Flags,
}

impl Set {
    pub fn get(&self, session: &Session) -> Result<Answer, Error> {
        session.client.send(&Request::get(&self.path, format!("list the {} of {}", self.what, self.whose)))
    }

    pub fn replace(&self, session: &Session, whole: &[Value], only_if: Option<&str>) -> Result<Answer, Error> {
        let doing = format!("set the {} of {}", self.what, self.whose);
        let request = Request::put(&self.path, doing, json!({self.field: whole}));
        session.client.send(&request.only_if(only_if).naming(self.flags))
    }

    /// `change` makes the new whole of the present items; `None` when they are as they should be.
    pub fn edit(
        &self,
        session: &Session,
        mut change: impl FnMut(&[Value]) -> Result<Option<Vec<Value>>, Error>,
    ) -> Result<Answer, Error> {
        for _ in 0..TRIES {
            let before = self.get(session)?;
            let Some(whole) = change(items(&before.value(), self.field))? else { return Ok(before) };
            match self.replace(session, &whole, before.tag.as_deref()) {
                Err(Error::Refused(refused)) if refused.is_stale() => {}
                result => return result,
            }
        }
        Err(Error::Contended { what: self.what, whose: self.whose.clone() })
    }

    pub fn not_among(&self, item: &str) -> Error {
        Error::NotAmong { item: item.to_owned(), what: self.what, whose: self.whose.clone() }
    }
}
