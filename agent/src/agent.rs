//! The agent: its parts, and the way from a request to its answer.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use accountd_config::{Config, PermitRoot, SharedUid};
use accountd_protocol::agent::{AgentRequest, Answer, Generation, Handle, Reply};
use accountd_protocol::dialects::Dialects;
use accountd_protocol::id::{Gid, Uid};
use accountd_protocol::metrics::{OfferResult, ProofKind, RestMethod};
use accountd_protocol::refusal::Refusal;
use tracing::{info, warn};

use crate::accounts::transfers::Transfers;
use crate::accounts::waiting_keys::WaitingKeys;
use crate::accounts::writers::Writers;
use crate::arguments::Arguments;
use crate::audit::{self, Clerk};
use crate::database::entry::{ids, passwd};
use crate::database::{Database, Draft, FileKind, Keeping, Purpose, View};
use crate::error::Error;
use crate::homes::{Emptier, Homes, Looking, Worker};
use crate::identity::bans::Bans;
use crate::identity::handles::Handles;
use crate::identity::hash::HashPool;
use crate::identity::key_notices::KeyNotices;
use crate::identity::key_readers::KeyReaders;
use crate::identity::key_uses::KeyUses;
use crate::identity::login_tokens::LoginTokens;
use crate::identity::roles::has_way_in;
use crate::identity::second_factor::SecondFactors;
use crate::identity::seen_keys::SeenKeys;
use crate::identity::shown_password::ShownPassword;
use crate::ids::Ids;
use crate::jobs::Jobs;
use crate::metrics::Counters;
use crate::open_sessions::OpenSessions;
use crate::pam::{Begun, PamSessions};
use crate::quota::Quotas;
use crate::repositories::Repositories;
use crate::reserved::Reserved;
use crate::resumed::LastResumption;
use crate::revocations::{Revocations, Settled};
use crate::settings::Settings;

/// How long an answer waits for sessions to have ended.
const SESSIONS_DEADLINE: Duration = Duration::from_secs(5);
/// Of a name that was tried, so much is in the log.
const LONGEST_SHOWN: usize = 255;
/// Before the agent ends itself, this long for the answers that have been given to be sent.
const LAST_ANSWERS: Duration = Duration::from_millis(500);

/// Everything that the requests share.
#[derive(Debug)]
pub struct Agent {
    pub(crate) database: Database,
    pub(crate) homes: Homes,
    pub(crate) looking: Looking,
    pub(crate) worker: Worker,
    pub(crate) hashes: HashPool,
    pub(crate) reserved: Reserved,
    pub(crate) ids: Ids,
    pub(crate) transfers: Transfers,
    pub(crate) key_readers: KeyReaders,
    pub(crate) key_notices: KeyNotices,
    pub(crate) bans: Bans,
    pub(crate) key_writers: Writers,
    pub(crate) waiting_keys: WaitingKeys,
    pub(crate) password_writers: Writers,
    pub(crate) emptier: Emptier,
    pub(crate) clerk: Clerk,
    pub(crate) jobs: Jobs,
    pub(crate) key_uses: KeyUses,
    pub(crate) second_factors: SecondFactors,
    pub(crate) login_tokens: Arc<LoginTokens>,
    pub(crate) seen_keys: SeenKeys,
    pub(crate) counters: Counters,
    /// The state store.
    pub(crate) store: PathBuf,
    pub(crate) handles: Arc<Handles>,
    pub(crate) quotas: Quotas,
    pub(crate) open_sessions: OpenSessions,
    pub(crate) last_resumption: LastResumption,
    pub(crate) pam_sessions: PamSessions,
    pub(crate) begun_passwords: Begun,
    pub(crate) pam_openings: Writers,
    pub(crate) repositories: Repositories,
    revocations: Arc<Revocations>,
    root: PathBuf,
    services: [String; 2],
    config: Settings,
}

impl Agent {
    pub fn open(arguments: &Arguments) -> Result<Self, Error> {
        let (handles, revocations) = (Arc::new(Handles::default()), Arc::new(Revocations::default()));
        let (forget, publish) = (handles.clone(), revocations.clone());
        let on_revoked = move |revoked: &[accountd_protocol::agent::Revocation]| {
            revoked.iter().for_each(|revocation| forget.forget(revocation.account));
            publish.publish(revoked);
        };
        let root = arguments.root.clone();
        let config = Config::read(&arguments.config)?;
        let homes = Homes::new(&root, config.homes.roots.clone())
            .map_err(|source| Error::Root { path: root.clone(), source: source.into() })?;
        let keeping = Keeping { root: &root, store: &arguments.state, audit: &config.audit };
        let database = Database::open(keeping, Box::new(on_revoked), Box::new(end))?;
        let second_factors = SecondFactors::new(&arguments.state, &database.stored_credentials().uses);
        second_factors.look(database.known_view().second_factors());
        let repositories =
            Repositories::new(&homes, &config.repositories.root, &database).map_err(Error::Repositories)?;
        let mut places = database.home_parents();
        places.push(config.repositories.root.as_str().to_owned());
        let emptier = Emptier::start(&homes, places).map_err(Error::Emptier)?;
        let quotas = Quotas::start(homes.root(), &database).map_err(Error::Quotas)?;
        Ok(Self {
            transfers: Transfers::new(database.stored_transfers()),
            key_uses: KeyUses::new(database.stored_key_uses()),
            second_factors,
            login_tokens: login_tokens(&database),
            database,
            emptier,
            homes,
            looking: Looking::default(),
            worker: Worker::new(&root),
            hashes: HashPool::new(std::thread::available_parallelism().map_or(1, usize::from)),
            reserved: Reserved::default(),
            ids: Ids::new(&root, config.ids.clone()),
            key_readers: KeyReaders::default(),
            key_notices: KeyNotices::default(),
            bans: Bans::new(config.bans.clone()),
            key_writers: Writers::default(),
            waiting_keys: WaitingKeys::default(),
            password_writers: Writers::default(),
            clerk: Clerk::default(),
            jobs: Jobs::default(),
            seen_keys: SeenKeys::default(),
            counters: Counters::default(),
            store: arguments.state.clone(),
            handles,
            quotas,
            open_sessions: OpenSessions::default(),
            last_resumption: LastResumption::default(),
            pam_sessions: PamSessions::open(&arguments.socket),
            begun_passwords: Begun::default(),
            pam_openings: Writers::default(),
            repositories,
            revocations,
            root,
            services: [arguments.api_user.clone(), arguments.ssh_user.clone()],
            config: Settings::new(arguments.config.clone(), config),
        })
    }

    pub fn revocations(&self) -> &Revocations {
        &self.revocations
    }

    /// The uid of the REST front. Asked for each connection, so nothing is read again for it.
    pub fn api_uid(&self) -> Option<Uid> {
        let view = self.database.known_view();
        view.entry(FileKind::Passwd, &self.services[0])?.number(passwd::UID).map(Uid)
    }

    /// The group of the REST front.
    pub fn api_gid(&self) -> Option<Gid> {
        let view = self.database.known_view();
        view.entry(FileKind::Passwd, &self.services[0])?.number(passwd::GID).map(Gid)
    }

    /// Whether a uid is that of one of accountd's own services.
    pub fn is_service(&self, view: &View, uid: Uid) -> bool {
        self.service_ids(view).any(|(of_service, _)| of_service == uid.0)
    }

    /// Whether a gid is the primary one of one of accountd's own services.
    pub fn is_service_gid(&self, view: &View, gid: u32) -> bool {
        self.service_ids(view).any(|(_, of_service)| of_service == gid)
    }

    /// The uids of accountd's own services.
    pub fn service_uids(&self) -> Vec<Uid> {
        self.service_ids(&self.database.known_view()).map(|(of_service, _)| Uid(of_service)).collect()
    }

    fn service_ids(&self, view: &View) -> impl Iterator<Item = (u32, u32)> {
        self.services.iter().filter_map(|name| view.line(FileKind::Passwd, name).and_then(ids))
    }

    /// The machine's root directory.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The settings as they are now.
    pub(crate) fn config(&self) -> Arc<Config> {
        self.config.now()
    }

    pub(crate) fn reload(&self) {
        self.config.reload();
    }

    pub fn permit_root(&self) -> PermitRoot {
        self.config().accounts.permit_root
    }

    pub fn shared_uid(&self) -> SharedUid {
        self.config().accounts.shared_uid
    }

    /// The login shells of shells(5), and the programs that refuse a login.
    pub fn shells(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.root.join("etc/shells")).unwrap_or_default();
        let listed = text.lines().map(str::trim).filter(|line| line.starts_with('/')).map(str::to_owned);
        let mut shells: Vec<String> = listed.collect();
        for refusing in ["/usr/sbin/nologin", "/sbin/nologin"] {
            if !shells.iter().any(|shell| shell == refusing) {
                shells.push(refusing.to_owned());
            }
        }
        shells
    }

    pub fn answer(&self, request: AgentRequest) -> Reply {
        match request {
            AgentRequest::OpenHandle { user, password, code, source } => {
                let opened = self.open_handle(&user, ShownPassword::Clear(&password), code.as_ref(), source);
                self.told_opened((&user, source), RestMethod::Password, opened)
            }
            AgentRequest::OpenHandleByStatic { user, digest, code, source } => {
                let opened = self.open_handle(&user, ShownPassword::Static(&digest), code.as_ref(), source);
                self.told_opened((&user, source), RestMethod::StaticHash, opened)
            }
            AgentRequest::OpenHandleByKey { key, source } => {
                let opened = self.open_handle_by_key(&key, source);
                self.counters.shown(RestMethod::ApiKey, opened.as_ref().err().map(|(refusal, _)| refusal));
                opened.map(|(handle, name)| Answer::NamedHandle(handle, name)).map_err(|(refusal, owner)| {
                    warn!(owner, %source, %refusal, "an API key was refused");
                    self.record_refused_api_key(owner.as_deref(), source, &refusal);
                    refusal
                })
            }
            AgentRequest::OpenLocalHandle => self.open_local_handle().map(Answer::Handle),
            AgentRequest::Operate { caller, operation } => self.operate(&caller, *operation),
            AgentRequest::OfferKey { user, key, source, offer } => {
                let acceptable = self.key_acceptable(&user, &key, (source, offer), now());
                self.counters.offered(if acceptable { OfferResult::Acceptable } else { OfferResult::Refused });
                if !acceptable {
                    self.record_refused_key(&user, &key, source);
                }
                Ok(Answer::KeyAcceptable(acceptable))
            }
            AgentRequest::Decide { user, proof, source } => {
                let decision = self.decide(&user, &proof, source, now());
                self.counters.decided(ProofKind::of(&proof), &decision);
                self.record_decision((&user, source), &proof, &decision);
                Ok(Answer::Decision(decision))
            }
            AgentRequest::BeginPam { user, source } => Ok(Answer::PamBeginning(self.begin_pam(&user, source, now()))),
            AgentRequest::DecideByPam { user, verdict, code, source } => {
                let decision = self.decide_by_pam(&user, (verdict, code.as_ref()), source, now());
                self.told_by_pam((&user, source), code.as_ref(), &decision);
                Ok(Answer::Decision(decision))
            }
            AgentRequest::Conclude(conclusion) => {
                self.conclude(&conclusion, Instant::now());
                Ok(Answer::Done)
            }
            AgentRequest::Ping => Ok(Answer::Done),
            AgentRequest::Watch | AgentRequest::AnswerQuestions => Ok(Answer::Watching),
            AgentRequest::Resume(resumption) => self.resume(&resumption).map(Answer::Resumed),
            AgentRequest::Quota { account, session, request } => {
                self.quotas.answer((account, session), request).map(Answer::Quota)
            }
            AgentRequest::QuotaEnded { account, session, how } => {
                self.quotas.session_ended((account, session), how);
                Ok(Answer::Done)
            }
            AgentRequest::TakePull(ticket) => self.take_pull(ticket).map(|order| Answer::PullOrder(Box::new(order))),
            AgentRequest::ReportNumbers(report) => {
                self.counters.hear(*report, Instant::now());
                Ok(Answer::Done)
            }
            AgentRequest::GetDialects => Ok(Answer::Dialects(Dialects {
                alist: self.alist_settings(),
                rhodecode: self.config().rhodecode.wording(),
            })),
            AgentRequest::OpenHandleByToken { token, source } => {
                let opened = self.open_handle_by_token(&token, source);
                self.counters.shown(RestMethod::Token, opened.as_ref().err().map(|(refusal, _)| refusal));
                opened.map(|(handle, name)| Answer::NamedHandle(handle, name)).map_err(|(refusal, owner)| {
                    warn!(owner, %source, %refusal, "a login token was refused");
                    self.record_refused_token(owner.as_deref(), source, &refusal);
                    refusal
                })
            }
            AgentRequest::OpenGuestHandle { source } => {
                let opened = self.open_guest_handle(source);
                self.counters.shown(RestMethod::Guest, opened.as_ref().err());
                opened.map(|(handle, name)| Answer::NamedHandle(handle, name))
            }
        }
    }

    /// What came of a password, counted and recorded.
    fn told_opened(
        &self,
        (user, source): (&str, IpAddr),
        method: RestMethod,
        opened: Result<Handle, Refusal>,
    ) -> Reply {
        self.counters.shown(method, opened.as_ref().err());
        opened.map(Answer::Handle).inspect_err(|refusal| {
            let shown = audit::shown(user, LONGEST_SHOWN);
            warn!(user = shown, %source, %refusal, "an API credential was refused");
            self.record_refused_credential(user, source, refusal);
        })
    }

    /// One change of the accounts, after which some administrator can still show a password, if one
    /// could before.
    pub(crate) fn change<T: Send + 'static>(
        &self,
        purpose: Purpose,
        change: impl FnOnce(&mut Draft<'_>) -> Result<T, Refusal> + Send + 'static,
    ) -> Result<(T, Generation), Refusal> {
        let (roles, now) = (self.config().roles.clone(), now());
        let changed = self.database.change(purpose, move |draft| {
            let before = has_way_in(draft, &roles, now);
            let value = change(draft)?;
            if before && !has_way_in(draft, &roles, now) { Err(Refusal::LastAdministrator) } else { Ok(value) }
        })?;
        self.quotas.settle();
        self.repositories.settle();
        Ok(changed)
    }

    /// Waits until no session that a change has made void is left.
    pub(crate) fn settle(&self, generation: Generation) {
        match self.revocations.settled(generation, SESSIONS_DEADLINE) {
            Settled::Yes => {}
            Settled::No => info!("a change is made; ending the sessions takes longer than expected"),
        }
    }
}

/// Those of the store, from now on kept in step with the accounts.
fn login_tokens(database: &Database) -> Arc<LoginTokens> {
    let view = database.known_view();
    let tokens = LoginTokens::new(database.credential_store(), database.stored_credentials(), (&view, now()));
    let tokens = Arc::new(tokens);
    let watched = tokens.clone();
    database.on_touched(Box::new(move |before, after, names| {
        let known = names.iter().filter_map(|name| before.user_named(name));
        known.into_iter().for_each(|row| watched.account_changed(after, row.id));
    }));
    tokens
}

/// Ends the agent, so that it is started again and restores its state store.
fn end() {
    tracing::error!("the state store is damaged; the agent ends, and restores it when it is started again");
    std::thread::sleep(LAST_ANSWERS);
    std::process::exit(1);
}

/// Seconds since 1970.
pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs())
}
