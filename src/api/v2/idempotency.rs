//! `Idempotency-Key` on POST: a request that is sent again, because its answer was lost, is answered
//! again and not done again.
//!
//! What has been made is remembered for a day, in the memory of this program: not over its restart,
//! and not for ever. A refusal changes nothing, so it is not remembered: the key is free again.

use std::borrow::Cow;
use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use accountd_core::Caller;
use rocket::http::Status;
use rocket::request::{FromRequest, Outcome, Request};

use super::error::Error;
use crate::reply::Reply;

const LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);
/// The most answers that are remembered; the oldest gives way.
const MOST: usize = 4096;
const MAX_KEY_BYTES: usize = 255;
/// Says that an answer is the one of the first time.
const REPLAYED: &str = "Idempotency-Replayed";

/// The header, not yet read.
#[derive(Debug)]
struct Key(Vec<String>);

/// The guard of what is done once, however often it is sent.
#[derive(Debug)]
pub struct Once<'r> {
    key: Key,
    remembered: &'r Remembered,
}

#[rocket::async_trait]
impl<'r> FromRequest<'r> for Once<'r> {
    type Error = ();

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, ()> {
        let key = Key(request.headers().get("Idempotency-Key").map(str::to_owned).collect());
        match request.rocket().state::<Remembered>() {
            Some(remembered) => Outcome::Success(Self { key, remembered }),
            None => Outcome::Error((Status::InternalServerError, ())),
        }
    }
}

impl Once<'_> {
    /// The answer of `made`, or the one that this request had before: that of this caller, to this path, with this
    /// body.
    pub async fn answer<M: Into<Made>>(
        self,
        (caller, path): (&Caller, impl Into<Cow<'static, str>>),
        body: &[u8],
        made: impl Future<Output = Result<M, Error>>,
    ) -> Result<Reply, Error> {
        let name = self.key.name(caller.name(), path)?;
        self.remembered.once(name, body, made).await
    }
}

/// Whose key it is, and for what.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Name {
    caller: String,
    path: Cow<'static, str>,
    key: String,
}

impl Key {
    /// `None` where there is no header.
    fn name(self, caller: &str, path: impl Into<Cow<'static, str>>) -> Result<Option<Name>, Error> {
        let [key] = self.0.as_slice() else {
            return match self.0.is_empty() {
                true => Ok(None),
                false => Err(Error::Malformed("There is more than one Idempotency-Key.".into())),
            };
        };
        let good =
            (1..=MAX_KEY_BYTES).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ');
        if !good {
            let reason = format!("Idempotency-Key has to be 1 to {MAX_KEY_BYTES} visible ASCII characters.");
            return Err(Error::Malformed(reason));
        }
        Ok(Some(Name { caller: caller.to_owned(), path: path.into(), key: key.clone() }))
    }
}

/// A body, which may have held a password: by two keyed digests of this process, so that nothing of
/// it is kept.
type Digest = [u64; 2];

#[derive(Debug)]
struct Entry {
    digest: Digest,
    since: Instant,
    /// `None` while the request is under way.
    answer: Option<Reply>,
}

#[derive(Debug, Default)]
pub struct Remembered {
    seeds: [RandomState; 2],
    entries: Mutex<HashMap<Name, Entry>>,
}

impl Remembered {
    async fn once<M: Into<Made>>(
        &self,
        name: Option<Name>,
        body: &[u8],
        made: impl Future<Output = Result<M, Error>>,
    ) -> Result<Reply, Error> {
        let Some(name) = name else { return made.await.map(|made| made.into().first) };
        if let Some(answer) = self.begin(&name, self.digest(body), Instant::now())? {
            return Ok(answer.with(REPLAYED, "true"));
        }
        // Gives the key free unless there is an answer to remember, also when nobody waits any more.
        let under_way = UnderWay { remembered: self, name };
        let Made { first, again } = made.await?.into();
        under_way.done(again);
        Ok(first)
    }

    fn digest(&self, body: &[u8]) -> Digest {
        self.seeds.each_ref().map(|seed| seed.hash_one(body))
    }

    fn begin(&self, name: &Name, digest: Digest, now: Instant) -> Result<Option<Reply>, Error> {
        let mut entries = self.lock();
        entries.retain(|_, entry| now.duration_since(entry.since) < LIFETIME);
        match entries.get(name) {
            Some(entry) if entry.digest != digest => return Err(Error::KeyReused),
            Some(Entry { answer: Some(answer), .. }) => return Ok(Some(answer.clone())),
            Some(Entry { answer: None, .. }) => return Err(Error::KeyInUse),
            None => {}
        }
        if entries.len() >= MOST {
            let oldest = entries.iter().min_by_key(|(_, entry)| entry.since).map(|(name, _)| name.clone());
            oldest.and_then(|name| entries.remove(&name));
        }
        entries.insert(name.clone(), Entry { digest, since: now, answer: None });
        Ok(None)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Name, Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An answer, and what the same request is answered later.
#[derive(Debug)]
pub struct Made {
    pub first: Reply,
    /// Without what is said only once.
    pub again: Reply,
}

impl From<Reply> for Made {
    fn from(reply: Reply) -> Self {
        Self { first: reply.clone(), again: reply }
    }
}

struct UnderWay<'a> {
    remembered: &'a Remembered,
    name: Name,
}

impl UnderWay<'_> {
    fn done(self, answer: Reply) {
        if let Some(entry) = self.remembered.lock().get_mut(&self.name) {
            entry.answer = Some(answer);
        }
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        let mut entries = self.remembered.lock();
        if entries.get(&self.name).is_some_and(|entry| entry.answer.is_none()) {
            entries.remove(&self.name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::v2::answers;

    fn name(caller: &str, key: &str) -> Name {
        Key(vec![key.into()]).name(caller, "/users").unwrap().unwrap()
    }

    fn status(result: Result<Reply, Error>) -> u16 {
        result.unwrap_or_else(|error| error.reply()).status.code
    }

    async fn made() -> Result<Reply, Error> {
        Ok(answers::json(Status::Created, &1))
    }

    #[tokio::test]
    async fn a_request_is_done_once_and_answered_again() {
        let remembered = Remembered::default();
        let first = remembered.once(Some(name("root", "k")), b"{}", made()).await.unwrap();
        assert!(!first.headers.iter().any(|(name, _)| *name == REPLAYED));
        let never = async { panic!("done twice") as Result<Reply, Error> };
        let again = remembered.once(Some(name("root", "k")), b"{}", never).await.unwrap();
        assert_eq!((again.status, &again.body), (first.status, &first.body));
        assert!(again.headers.contains(&(REPLAYED, "true".into())));
        assert_eq!(status(remembered.once(Some(name("root", "k")), b"{ }", made()).await), 422);
        assert_eq!(status(remembered.once(Some(name("toor", "k")), b"{ }", made()).await), 201, "another caller's key");
        assert_eq!(status(remembered.once(None, b"{}", made()).await), 201);
    }

    #[tokio::test]
    async fn a_key_is_free_again_after_a_refusal_and_taken_while_one_is_under_way() {
        let remembered = Remembered::default();
        let refused = async { Err::<Reply, _>(Error::Busy) };
        assert_eq!(status(remembered.once(Some(name("root", "k")), b"1", refused).await), 423);
        let during = async {
            assert_eq!(status(remembered.once(Some(name("root", "k")), b"2", made()).await), 409);
            made().await
        };
        assert_eq!(status(remembered.once(Some(name("root", "k")), b"2", during).await), 201);
    }

    #[test]
    fn what_is_remembered_has_an_end_and_a_bound() {
        let (remembered, now) = (Remembered::default(), Instant::now());
        let begin = |key: &str, now| remembered.begin(&name("root", key), [1, 1], now);
        assert!(begin("k", now).is_ok() && begin("k", now).is_err());
        assert!(begin("k", now + LIFETIME).is_ok());
        for number in 0..MOST + 10 {
            begin(&number.to_string(), now + LIFETIME + Duration::from_micros(number as u64)).unwrap();
        }
        assert_eq!(remembered.lock().len(), MOST);
    }

    #[test]
    fn a_key_is_one_short_word_of_visible_characters() {
        let read = |keys: &[&str]| Key(keys.iter().map(|key| (*key).to_owned()).collect()).name("root", "/users");
        assert!(read(&[]).unwrap().is_none());
        assert!(read(&[&"k".repeat(255)]).is_ok());
        for keys in [&["a", "b"][..], &[""], &["ä"], &[&"k".repeat(256)]] {
            assert!(read(keys).is_err(), "{keys:?}");
        }
    }
}
