//! Who is at the other end of PAM's socket, what they may ask, and how much. Everybody may connect, so each user has few
//! connections and few questions of their own; root's programs have places of their own.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use accountd_protocol::id::Uid;
use accountd_protocol::pam_module::PamQuestion;
use accountd_protocol::socket::Peer;

use crate::identity::permission::Permission;

/// The most connections of root's programs at a time.
const MOST_OF_ROOT: usize = 256;
/// The most of all others together, and of each of them.
const MOST_OF_USERS: usize = 64;
const MOST_OF_USER: usize = 4;

/// So many questions of a user are answered at once, and one more each time that this is over.
const BURST: u32 = 10;
const INTERVAL: Duration = Duration::from_secs(3);
/// The most users whose questions are counted; whoever has not asked for the longest time gives way.
const MOST_COUNTED: usize = 4096;

/// The table of who may ask what, but for whom. A new question has its line here.
pub fn may_ask(peer: Peer, question: &PamQuestion) -> Permission {
    let allowed = match question {
        PamQuestion::Authenticate { .. }
        | PamQuestion::CheckAccount
        | PamQuestion::BeginPassword
        | PamQuestion::FollowPassword { .. } => true,
        PamQuestion::OpenSession | PamQuestion::CloseSession => peer.uid == Uid::ROOT,
    };
    if allowed { Permission::Granted } else { Permission::Denied }
}

#[derive(Debug, Default)]
pub struct Peers(Arc<Mutex<Counts>>);

#[derive(Debug, Default)]
struct Counts {
    root: usize,
    users: HashMap<Uid, usize>,
    buckets: HashMap<Uid, Bucket>,
}

/// What a user may still ask.
#[derive(Debug)]
struct Bucket {
    left: u32,
    filled: Instant,
}

impl Peers {
    /// A place for one more connection, if there is one.
    pub fn take(&self, uid: Uid) -> Option<Place> {
        let mut counts = self.lock();
        if uid == Uid::ROOT {
            if counts.root >= MOST_OF_ROOT {
                return None;
            }
            counts.root += 1;
        } else {
            let (all, own) =
                (counts.users.values().sum::<usize>(), counts.users.get(&uid).copied().unwrap_or_default());
            if all >= MOST_OF_USERS || own >= MOST_OF_USER {
                return None;
            }
            counts.users.insert(uid, own + 1);
        }
        Some(Place { counts: self.0.clone(), uid })
    }

    /// Counts a question. An error says how long it takes until one more is answered.
    pub fn ask(&self, uid: Uid, now: Instant) -> Result<(), Duration> {
        if uid == Uid::ROOT {
            return Ok(());
        }
        let mut counts = self.lock();
        if counts.buckets.len() >= MOST_COUNTED && !counts.buckets.contains_key(&uid) {
            counts.make_room();
        }
        counts.buckets.entry(uid).or_insert(Bucket { left: BURST, filled: now }).take(now)
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Counts {
    fn make_room(&mut self) {
        let oldest = self.buckets.iter().min_by_key(|(_, bucket)| bucket.filled).map(|(uid, _)| *uid);
        oldest.into_iter().for_each(|uid| _ = self.buckets.remove(&uid));
    }
}

impl Bucket {
    fn take(&mut self, now: Instant) -> Result<(), Duration> {
        while self.left < BURST && now.saturating_duration_since(self.filled) >= INTERVAL {
            self.left += 1;
            self.filled += INTERVAL;
        }
        if self.left == BURST {
            self.filled = now;
        }
        match self.left.checked_sub(1) {
            Some(left) => {
                self.left = left;
                Ok(())
            }
            None => Err(INTERVAL.saturating_sub(now.saturating_duration_since(self.filled))),
        }
    }
}

/// Of one connection; given back when dropped.
#[derive(Debug)]
pub struct Place {
    counts: Arc<Mutex<Counts>>,
    uid: Uid,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if self.uid == Uid::ROOT {
            counts.root -= 1;
        } else if let Some(own) = counts.users.get_mut(&self.uid) {
            *own -= 1;
            if *own == 0 {
                counts.users.remove(&self.uid);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use accountd_protocol::id::Gid;
    use accountd_protocol::secret::Secret;

    use super::*;

    #[test]
    fn nobody_keeps_others_out_and_all_together_not_root() {
        let peers = Peers::default();
        let mut held: Vec<Place> = (0..100).filter_map(|_| peers.take(Uid(1000))).collect();
        assert_eq!(held.len(), MOST_OF_USER);
        held.extend((1001..2000).filter_map(|uid| peers.take(Uid(uid))));
        assert_eq!(held.len(), MOST_OF_USERS);
        assert!(peers.take(Uid(1000)).is_none() && peers.take(Uid::ROOT).is_some());
        drop(held);
        assert!(peers.take(Uid(1000)).is_some());
        assert_eq!(peers.lock().users, HashMap::new());
    }

    #[test]
    fn a_user_asks_some_things_at_once_and_then_one_now_and_then() {
        let (peers, now) = (Peers::default(), Instant::now());
        for _ in 0..BURST {
            assert_eq!(peers.ask(Uid(1000), now), Ok(()));
        }
        assert_eq!(peers.ask(Uid(1000), now), Err(INTERVAL));
        assert_eq!((peers.ask(Uid(1001), now), peers.ask(Uid::ROOT, now)), (Ok(()), Ok(())));
        let later = now + INTERVAL + Duration::from_secs(1);
        assert_eq!(peers.ask(Uid(1000), later), Ok(()));
        assert_eq!(peers.ask(Uid(1000), later), Err(INTERVAL - Duration::from_secs(1)));
        let much_later = now + 1000 * INTERVAL;
        assert_eq!((0..100).filter(|_| peers.ask(Uid(1000), much_later).is_ok()).count(), BURST as usize);
        for uid in 2000..10_000 {
            assert!(peers.ask(Uid(uid), now).is_ok());
        }
        assert_eq!(peers.lock().buckets.len(), MOST_COUNTED);
    }

    #[test]
    fn sessions_are_begun_by_programs_of_root_alone() {
        let peer = |uid| Peer { uid: Uid(uid), gid: Gid(uid), pid: 1 };
        let password = || Secret::new("pw".into());
        for question in [PamQuestion::OpenSession, PamQuestion::CloseSession] {
            assert_eq!(may_ask(peer(0), &question), Permission::Granted);
            assert_eq!(may_ask(peer(1000), &question), Permission::Denied);
        }
        let questions = [
            PamQuestion::Authenticate { password: password(), code: None },
            PamQuestion::CheckAccount,
            PamQuestion::BeginPassword,
            PamQuestion::FollowPassword { password: password() },
        ];
        assert!(questions.iter().all(|question| may_ask(peer(1000), question) == Permission::Granted));
    }
}
