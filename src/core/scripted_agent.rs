//! For tests: a thread that speaks the agent's protocol and answers by a function, and accounts to answer with.

use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use accountd_protocol::ageing::Ageing;
use accountd_protocol::agent::{AgentRequest, Answer, Group, User};
use accountd_protocol::frame::{self, AGENT_ANSWER_CAP, AGENT_REQUEST_CAP};
use accountd_protocol::id::{AccountId, Gid, Uid};
use accountd_protocol::refusal::Refusal;

type Script<S> = fn(&mut S, &AgentRequest) -> Result<Answer, Refusal>;

/// Listens on a socket of its own; `S` is whatever the script remembers.
pub struct ScriptedAgent<S> {
    directory: tempfile::TempDir,
    state: Arc<Mutex<S>>,
    script: Script<S>,
    connections: Arc<Mutex<Vec<UnixStream>>>,
}

impl<S: Clone + Send + 'static> ScriptedAgent<S> {
    pub fn start(state: S, script: Script<S>) -> Self {
        let agent = Self {
            directory: tempfile::tempdir().unwrap(),
            state: Arc::new(Mutex::new(state)),
            script,
            connections: Arc::default(),
        };
        agent.listen();
        agent
    }

    pub fn socket(&self) -> PathBuf {
        self.directory.path().join("agent.sock")
    }

    pub fn state(&self) -> S {
        self.state.lock().unwrap().clone()
    }

    pub fn set_state(&self, state: S) {
        *self.state.lock().unwrap() = state;
    }

    /// Ends every connection, as a new process would have none of them.
    pub fn restart(&mut self) {
        for connection in self.connections.lock().unwrap().drain(..) {
            connection.shutdown(std::net::Shutdown::Both).unwrap();
        }
        std::fs::remove_file(self.socket()).unwrap();
        self.listen();
    }

    fn listen(&self) {
        let listener = UnixListener::bind(self.socket()).unwrap();
        let (state, script, connections) = (self.state.clone(), self.script, self.connections.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(stream) = stream else { return };
                connections.lock().unwrap().push(stream.try_clone().unwrap());
                let state = state.clone();
                std::thread::spawn(move || answer_all(stream, &state, script));
            }
        });
    }
}

fn answer_all<S>(mut stream: UnixStream, state: &Mutex<S>, script: Script<S>) {
    while let Ok(Some(request)) = frame::read::<AgentRequest>(&mut stream, AGENT_REQUEST_CAP) {
        let reply = script(&mut state.lock().unwrap(), &request);
        if frame::write(&mut stream, &reply, AGENT_ANSWER_CAP).is_err() {
            return;
        }
    }
}

/// A user of whom nothing is said that need not be.
pub fn user(name: &str, uid: u32) -> User {
    User {
        id: AccountId(7),
        name: name.to_owned(),
        uid: Uid(uid),
        gid: Gid(uid),
        primary_group: Some(AccountId(40)),
        full_name: String::new(),
        email: String::new(),
        home: format!("/mnt/tank/{name}"),
        shell: "/usr/sbin/nologin".into(),
        builtin: false,
        locked: false,
        password_disabled: false,
        own_password: false,
        two_factor: false,
        shares_uid: false,
        microsoft_account: false,
        sudo: None,
        unix_hash: "*".into(),
        smb_hash: "*".into(),
        ssh_keys: String::new(),
        key_advice: Vec::new(),
        smb: false,
        groups: Vec::new(),
        roles: Vec::new(),
        ageing: Ageing::default(),
        group_names: Vec::new(),
        limits: Default::default(),
        effective_limits: Default::default(),
        echoes: Default::default(),
        tag: None,
    }
}

/// The same of a group.
pub fn group(name: &str, gid: u32) -> Group {
    Group {
        id: AccountId(40),
        name: name.to_owned(),
        gid: Gid(gid),
        builtin: false,
        sudo: None,
        members: Vec::new(),
        limits: Default::default(),
        tag: None,
    }
}
