//! Files that come here (`scp -t`).

use accountd_protocol::session_policy::Uploads;
use std::ffi::{CStr, CString};
use std::os::fd::OwnedFd;

use accountd_protocol::limits::FilePermission;
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag};
use nix::sys::stat::{Mode, SFlag, fstat, fstatat, umask};

use super::Run;
use super::control::{Control, OK, Refusal, Times};
use super::folder::{Folder, Origin, join};
use super::options::{Attributes, Depth, Options};
use super::receiving::{Announced, Content, Receiving};
use super::stream::{Abort, Line, MAX_LINE};
use crate::home;
use crate::path::open_data_in;
use crate::permissions::NotPermitted;
use crate::quota::StoreError;
use crate::record::Change;
use crate::transfer::{Direction, Transfer};
use crate::upload::{Target, Upload, Wish};

/// What is sent in place of what the other side could not read is not the file.
const NOT_WHOLE: &str = "the other side could not read all of it";

/// Where the objects of the first level go.
enum Top {
    /// Into a directory, by their own names.
    Into(Folder),
    /// To the name that the user has given.
    As(Folder, CString),
    /// What can only be a directory, because of a slash at its end.
    AsDirectory(Folder, CString),
    Nowhere(Errno),
}

/// A directory that is being filled, and what it gets when it is complete.
struct Level {
    folder: Folder,
    mode: Option<u32>,
    times: Option<Times>,
}

/// Where one object goes.
struct Spot<'a> {
    folder: &'a Folder,
    name: &'a CStr,
}

/// A directory, and a name in it that is no symbolic link.
type Destination = (OwnedFd, CString);
/// What an object is called in messages, and why it is refused.
type Refused = (Vec<u8>, String);

struct Sink<'a, 'b> {
    run: &'a mut Run<'b>,
    options: &'a Options,
    /// What a new file doesn't get (umask(2)).
    mask: u32,
    target: Vec<u8>,
    top: Top,
    levels: Vec<Level>,
    /// Of what comes next.
    times: Option<Times>,
}

impl Run<'_> {
    pub fn receive_all(&mut self, options: &Options) -> Result<(), Abort> {
        let word = options.paths.first().map(Vec::as_slice).unwrap_or_default();
        let Some(target) = home::expand(&self.tree, word) else {
            return self.fatal(&[word, b": no such user"].concat());
        };
        if options.into_directory
            && let Err(error) = Folder::open(&self.tree, &target)
        {
            return self.fatal(&[&target[..], b": ", error.desc().as_bytes()].concat());
        }
        let top = self.top(&target);
        let mask = umask(Mode::empty());
        umask(mask);
        let mask = mask.bits();
        let sink = Sink { run: self, options, mask, target, top, levels: Vec::new(), times: None };
        sink.receive()
    }

    fn top(&self, target: &[u8]) -> Top {
        match Folder::open(&self.tree, target) {
            Ok(folder) => return Top::Into(folder),
            Err(Errno::ENOENT | Errno::ENOTDIR) => {}
            Err(error) => return Top::Nowhere(error),
        }
        match self.tree.destination(target) {
            Ok((directory, name)) => {
                let end = target.iter().rposition(|byte| *byte == b'/').unwrap_or(0);
                let path = target.get(..end).filter(|path| !path.is_empty()).unwrap_or(b".").to_vec();
                let folder = Folder { directory, path };
                if target.ends_with(b"/") { Top::AsDirectory(folder, name) } else { Top::As(folder, name) }
            }
            Err(error) => Top::Nowhere(error),
        }
    }
}

impl Sink<'_, '_> {
    fn receive(mut self) -> Result<(), Abort> {
        self.acknowledge()?;
        loop {
            let line = match self.run.stream.line()? {
                Line::Whole(line) => line,
                Line::End if self.levels.is_empty() => return Ok(()),
                Line::End => return Err(Abort::Lost),
                Line::TooLong => {
                    return self
                        .run
                        .fatal(format!("protocol error: a record of more than {MAX_LINE} bytes").as_bytes());
                }
            };
            self.run.record.request();
            match Control::parse(&line) {
                Ok(Control::Times(times)) => {
                    self.times = Some(times);
                    self.acknowledge()?;
                }
                Ok(Control::File { mode, size, name }) => {
                    let announced = Announced { mode, size, times: self.times.take() };
                    self.file(&announced, &name)?;
                }
                Ok(Control::Directory { .. }) if self.options.depth == Depth::Files => {
                    return self.run.fatal(b"protocol error: received directory without -r");
                }
                Ok(Control::Directory { mode, name }) => self.directory(mode, &name)?,
                Ok(Control::End) => {
                    if self.end_directory()? {
                        return Ok(());
                    }
                }
                Ok(Control::Warning) => self.run.errors += 1,
                Ok(Control::Fatal) => return Err(Abort::Fatal),
                Err(Refusal::Protocol(why)) => return self.run.fatal(&[b"protocol error: ", why.as_bytes()].concat()),
                Err(Refusal::Name(name)) => {
                    return self.run.fatal(&[b"error: unexpected filename: ", &name[..]].concat());
                }
            }
        }
    }

    fn acknowledge(&mut self) -> Result<(), Abort> {
        self.run.stream.send(&[OK])
    }

    /// Where an object of that name goes, and what it is called in messages.
    fn spot<'s>(&'s self, name: &'s CStr) -> Result<(Spot<'s>, Vec<u8>), (Vec<u8>, Errno)> {
        if !self.run.tree.shows(name.to_bytes()) {
            return Err((name.to_bytes().to_vec(), Errno::ENOENT));
        }
        match (self.levels.last(), &self.top) {
            (Some(Level { folder, .. }), _) | (None, Top::Into(folder)) => {
                let shown = join(&folder.path, name);
                let shown = shown.map_err(|error| ([&folder.path, &b"/"[..], name.to_bytes()].concat(), error))?;
                Ok((Spot { folder, name }, shown))
            }
            (None, Top::As(folder, name) | Top::AsDirectory(folder, name)) => {
                Ok((Spot { folder, name }, self.target.clone()))
            }
            (None, Top::Nowhere(error)) => Err((self.target.clone(), *error)),
        }
    }

    fn directory(&mut self, mode: u32, name: &CStr) -> Result<(), Abort> {
        let times = self.times.take();
        let (folder, origin) = match self.descend(mode, name) {
            Ok(found) => found,
            Err((shown, why)) => return self.run.complain_of(&shown, &why),
        };
        if origin == Origin::Made {
            self.run.record.change(Change::Mkdir(&folder.path));
        }
        // What is there already is changed by uploading to it.
        let keeps =
            self.options.attributes == Attributes::Kept && (origin == Origin::Made || self.may_upload().is_ok());
        let attributes = if keeps { Attributes::Kept } else { Attributes::New };
        let times = times.filter(|_| keeps);
        if (attributes, origin) == (Attributes::Kept, Origin::Found) {
            // It may be closed now and open then; if it can't be changed, that is told at its end.
            let _ = folder.set_mode(mode | 0o700, 0);
        }
        let mode = match (attributes, origin) {
            (Attributes::Kept, _) => Some(mode),
            (Attributes::New, Origin::Made) if mode & 0o700 != 0o700 => Some(mode & !self.mask & 0o777),
            (Attributes::New, Origin::Made | Origin::Found) => None,
        };
        self.levels.push(Level { folder, mode, times });
        self.acknowledge()
    }

    /// Into a directory, which is made where there is none.
    fn descend(&self, mode: u32, name: &CStr) -> Result<(Folder, Origin), Refused> {
        let told = |(shown, error): (Vec<u8>, Errno)| (shown, error.desc().to_owned());
        let (Spot { folder, name }, shown) = self.spot(name).map_err(told)?;
        // Whoever makes a directory that may not be written still has to fill it.
        let mode = Mode::from_bits_truncate(mode & 0o777) | Mode::S_IRWXU;
        let permitted = self.run.limits.permissions.require(FilePermission::CreateDirs);
        match (folder.descend(&self.run.tree, (name, &shown), permitted.is_ok().then_some(mode)), permitted) {
            (Ok(Some(found)), _) => Ok(found),
            (Ok(None), Err(missing)) => Err((shown, missing.to_string())),
            (Ok(None), Ok(())) => Err(told((shown, Errno::ENOENT))),
            (Err(error), _) => Err(told((shown, error))),
        }
    }

    /// What an object has to be permitted before anything of it is changed.
    fn may_upload(&self) -> Result<(), NotPermitted> {
        self.run.limits.permissions.require(FilePermission::Write)
    }

    /// Says whether that was the end of everything.
    fn end_directory(&mut self) -> Result<bool, Abort> {
        let Some(Level { folder, mode, times }) = self.levels.pop() else {
            self.acknowledge()?;
            return Ok(true);
        };
        // Without -p, what a directory has inherited from the one around it stays.
        let keep = if self.options.attributes == Attributes::Kept { 0 } else { 0o7000 };
        let times = times.map_or(Ok(()), |times| folder.set_times(&times));
        let mode = mode.map_or(Ok(()), |mode| folder.set_mode(mode, keep));
        match times.and(mode) {
            Ok(()) => self.acknowledge()?,
            Err(error) => self.run.complain_of(&folder.path, error.desc())?,
        }
        Ok(false)
    }

    fn file(&mut self, announced: &Announced, name: &CStr) -> Result<(), Abort> {
        let begun = match self.destination(name) {
            Ok((destination, shown)) => match self.begin(destination, announced) {
                Ok(receiving) => Ok((receiving, shown)),
                Err(why) => Err((shown, why)),
            },
            Err(refused) => Err(refused),
        };
        let (receiving, shown) = match begun {
            Ok(begun) => begun,
            Err((shown, why)) => return self.run.complain_of(&shown, &why),
        };
        self.acknowledge()?;
        let mut transfer = Transfer::new(&shown, Direction::Write, self.run.limits.rates);
        let result = self.content(receiving, announced, &mut transfer);
        if result.is_err() {
            transfer.failed("the client has gone");
        }
        self.run.record.transfer(&transfer);
        match result? {
            None => self.acknowledge(),
            Some(error) => self.run.complain_of(&shown, &error),
        }
    }

    /// Directory and name of a file that comes, and what it is called in messages.
    fn destination(&self, name: &CStr) -> Result<(Destination, Vec<u8>), Refused> {
        let told = |(shown, error): (Vec<u8>, Errno)| (shown, error.desc().to_owned());
        let (Spot { folder, name }, shown) = self.spot(name).map_err(told)?;
        if let Err(missing) = self.may_upload() {
            return Err((shown, missing.to_string()));
        }
        if matches!(self.top, Top::AsDirectory(..)) && self.levels.is_empty() {
            return Err(told((shown, Errno::EISDIR)));
        }
        match folder.destination(&self.run.tree, name) {
            Ok(destination) => Ok((destination, shown)),
            Err(error) => Err(told((shown, error))),
        }
    }

    /// Opens the file that is to be written.
    fn begin(&mut self, destination: Destination, announced: &Announced) -> Result<Receiving, String> {
        let opened = self.open(destination, Mode::from_bits_truncate(announced.mode & 0o777) | Mode::S_IWUSR);
        let (content, is_new) = opened.map_err(|error| self.explain(error))?;
        let content = content.ok_or("not a regular file")?;
        let mode = match self.options.attributes {
            Attributes::Kept => Some(announced.mode),
            Attributes::New if is_new && announced.mode & 0o200 == 0 => Some(announced.mode & !self.mask & 0o777),
            Attributes::New => None,
        };
        Ok(Receiving { content, mode })
    }

    /// Says whether it was not there before, too.
    fn open(&mut self, (directory, name): Destination, mode: Mode) -> Result<(Option<Content>, bool), StoreError> {
        let is_new = match fstatat(&directory, name.as_c_str(), AtFlags::AT_SYMLINK_NOFOLLOW) {
            Ok(status) => match SFlag::from_bits_truncate(status.st_mode & SFlag::S_IFMT.bits()) {
                SFlag::S_IFREG => false,
                SFlag::S_IFDIR => return Err(Errno::EISDIR.into()),
                _ => return Ok((None, false)),
            },
            Err(Errno::ENOENT) => true,
            Err(error) => return Err(error.into()),
        };
        let quota = &mut self.run.limits.quota;
        let around = || directory.try_clone().map_err(|_| Errno::EMFILE);
        if self.run.uploads == Uploads::Atomic {
            let wish = Wish { flags: OFlag::O_WRONLY, mode, target: Target::Replaced };
            let upload = quota.begin(around, || Upload::begin_in(around()?, name.clone(), wish))?;
            if let Some(upload) = upload {
                return Ok((Some(Content::Upload(upload)), is_new));
            }
        }
        let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_NOFOLLOW;
        let file = quota.open_file(flags, around, |flags| open_data_in(&directory, &name, flags, mode))?;
        let status = fstat(&file)?;
        let is_file = status.st_mode & SFlag::S_IFMT.bits() == SFlag::S_IFREG.bits();
        quota.opened(&status);
        Ok((is_file.then_some(Content::InPlace(file)), is_new))
    }

    /// In words for the user.
    fn explain(&mut self, error: StoreError) -> String {
        self.run.limits.quota.named(error).to_string()
    }

    /// Takes all of the announced bytes, also when they can't be stored, so that both sides stay
    /// in step. Gives what the other side has to be told of the file.
    fn content(
        &mut self,
        receiving: Receiving,
        announced: &Announced,
        transfer: &mut Transfer,
    ) -> Result<Option<String>, Abort> {
        let is_whole = match self.take(&receiving, announced.size, transfer) {
            Ok(is_whole) => is_whole,
            Err(abort) => {
                receiving.abandon(&mut self.run.limits.quota);
                return Err(abort);
            }
        };
        if !is_whole && receiving.is_upload() {
            transfer.failed(NOT_WHOLE);
        }
        let quota = &mut self.run.limits.quota;
        let ended = match transfer.error {
            None => receiving.finish(announced, quota).map_err(|error| quota.named(error)),
            Some(_) => {
                receiving.abandon(quota);
                Ok(())
            }
        };
        if let Err(error) = ended {
            transfer.failed(&error.to_string());
        }
        let told = transfer.error.clone();
        if !is_whole {
            // The other side knows; the log has to.
            transfer.failed(NOT_WHOLE);
        }
        Ok(told)
    }

    /// Whether the other side could read all of it.
    fn take(&mut self, receiving: &Receiving, size: u64, transfer: &mut Transfer) -> Result<bool, Abort> {
        let Run { stream, limits, record, .. } = &mut *self.run;
        let (mut left, piece) = (size, transfer.piece());
        while left > 0 {
            let data = stream.data(usize::try_from(left).unwrap_or(usize::MAX).min(piece))?;
            if data.is_empty() {
                return Err(Abort::Lost);
            }
            left -= data.len() as u64;
            if transfer.error.is_none() {
                receiving.store(data, transfer, &mut limits.quota);
            }
            record.progress(transfer);
            if let Some(due) = transfer.due() {
                record.pause(due);
            }
        }
        self.run.response()
    }
}
