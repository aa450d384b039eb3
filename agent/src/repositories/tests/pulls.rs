//! Pulls, as far as they are the agent's.

use super::*;

#[test]
fn a_scheme_that_is_allowed_no_more_is_not_pulled_from() {
    let world = World::new("pull_schemes = [\"https\"]\n");
    let id = world.create("r").unwrap().id;
    let row = world.agent.repositories.book.find(&named("r")).unwrap();
    let caller = world.caller("anna");
    assert_eq!(world.agent.pullable(caller, &named("r")), Err(RepositoryFault::NoCloneUri.into()));
    let with = |uri: &str| {
        let clone_uri = Some(CloneUri::new(uri).unwrap());
        world.agent.repositories.book.put(RepositoryRow { clone_uri, ..row.clone() }, Vec::new()).unwrap();
        world.agent.pullable(caller, &named("r"))
    };
    assert_eq!(with("git://h/x"), Err(RepositoryFault::SchemeNotAllowed("git".into()).into()));
    assert_eq!(with("https://h/x"), Ok(id));
}

#[test]
fn a_pull_that_login_knows_nothing_of_any_more_is_given_up() {
    let world = World::new("");
    let id = world.create("r").unwrap().id;
    let row = world.agent.repositories.book.find(&named("r")).unwrap();
    let clone_uri = Some(CloneUri::new("https://h/x").unwrap());
    world.agent.repositories.book.put(RepositoryRow { clone_uri, ..row }, Vec::new()).unwrap();
    world.agent.start_jobs().unwrap();
    let (ours, mut login) = UnixStream::pair().unwrap();
    // One that was restarted: it has begun the pull, and has not heard of it when it is asked.
    let asked = std::thread::spawn(move || {
        let _: Option<Reply> = frame::read(&mut login, AGENT_ANSWER_CAP).unwrap();
        let mut asked = 0;
        while let Ok(Some(question)) = frame::read(&mut login, AGENT_ANSWER_CAP) {
            let begun = matches!(question, SessionQuestion::BeginPull(_));
            let reply = if begun { SessionReply::PullBegun } else { SessionReply::NotFound };
            asked += 1;
            frame::write(&mut login, &reply, AGENT_REQUEST_CAP).unwrap();
        }
        asked
    });
    let end = ours.try_clone().unwrap();
    world.agent.open_sessions.keep(ours).unwrap();
    let work = Work { by: ROOT, caller: world.caller("anna"), task: Task::Pull(id) };
    let job = world.agent.jobs.begin(work, Duration::from_secs(60)).unwrap();
    let refused = RepositoryFault::PullNotRun("accountd-login was restarted".into()).into();
    assert!(matches!(&job.result, Some(JobResult::Refused(why)) if *why == refused), "{job:?}");
    assert!(!world.agent.repositories.book.is_pulling(id));
    end.shutdown(std::net::Shutdown::Both).unwrap();
    let asked = asked.join().unwrap();
    assert!(asked > 2, "{asked}");
}
