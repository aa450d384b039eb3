//! Files that come here (`scp -t`).

use std::ffi::{CStr, CString};
use std::os::fd::OwnedFd;

use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag};
use nix::sys::stat::{Mode, SFlag, fchmod, fstat, fstatat, futimens, umask};
use nix::unistd::{ftruncate, write};

use super::Run;
use super::control::{Control, OK, Refusal, Times};
use super::folder::{Folder, Origin, join};
use super::options::{Attributes, Depth, Options};
use super::stream::{Abort, Line, MAX_LINE};
use crate::home;
use crate::path::open_data_in;
use crate::record::{Change, Direction, Transfer};
use crate::upload::{Target, Upload, Uploads, Wish};

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

/// An announced file.
struct Announced {
    mode: u32,
    size: u64,
    times: Option<Times>,
}

/// A file that is being received.
enum Content {
    InPlace(OwnedFd),
    Upload(Upload),
}

struct Receiving {
    content: Content,
    /// The permissions that it gets at the end, if they are not those that it has.
    mode: Option<u32>,
}

impl Receiving {
    fn file(&self) -> &OwnedFd {
        match &self.content {
            Content::InPlace(file) => file,
            Content::Upload(upload) => upload.file(),
        }
    }
}

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
        let top = self.top(&target);
        if options.into_directory && !matches!(top, Top::Into(_)) {
            let error = match top {
                Top::AsDirectory(..) => Errno::ENOENT,
                Top::Nowhere(error) => error,
                Top::Into(_) | Top::As(..) => Errno::ENOTDIR,
            };
            return self.fatal(&[&target[..], b": ", error.desc().as_bytes()].concat());
        }
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
        let made = match self.spot(name) {
            Ok((Spot { folder, name }, shown)) => {
                // Whoever makes a directory that may not be written still has to fill it.
                let mode = Mode::from_bits_truncate(mode & 0o777) | Mode::S_IRWXU;
                folder.descend(&self.run.tree, (name, &shown), mode).map_err(|error| (shown, error))
            }
            Err(refused) => Err(refused),
        };
        let (folder, origin) = match made {
            Ok(made) => made,
            Err((shown, error)) => return self.run.complain_of(&shown, error.desc()),
        };
        if origin == Origin::Made {
            self.run.record.change(Change::Mkdir(&folder.path));
        }
        if (self.options.attributes, origin) == (Attributes::Kept, Origin::Found) {
            // It may be closed now and open then; if it can't be changed, that is told at its end.
            let _ = folder.set_mode(mode | 0o700, 0);
        }
        let mode = match (self.options.attributes, origin) {
            (Attributes::Kept, _) => Some(mode),
            (Attributes::New, Origin::Made) if mode & 0o700 != 0o700 => Some(mode & !self.mask & 0o777),
            (Attributes::New, Origin::Made | Origin::Found) => None,
        };
        self.levels.push(Level { folder, mode, times });
        self.acknowledge()
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
        let begun = match self.spot(name) {
            Ok((spot, shown)) => match self.begin(&spot, announced) {
                Ok(receiving) => Ok((receiving, shown)),
                Err(error) => Err((shown, error)),
            },
            Err((shown, error)) => Err((shown, error.desc())),
        };
        let (receiving, shown) = match begun {
            Ok(begun) => begun,
            Err((shown, error)) => return self.run.complain_of(&shown, error),
        };
        self.acknowledge()?;
        let mut transfer = Transfer::new(&shown, Direction::Write);
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

    /// Opens the file that is to be written.
    fn begin(&self, spot: &Spot<'_>, announced: &Announced) -> Result<Receiving, &'static str> {
        let open = || -> nix::Result<(Option<Content>, bool)> {
            if matches!(self.top, Top::AsDirectory(..)) && self.levels.is_empty() {
                return Err(Errno::EISDIR);
            }
            let (directory, name) = spot.folder.destination(&self.run.tree, spot.name)?;
            let is_new = match fstatat(&directory, name.as_c_str(), AtFlags::AT_SYMLINK_NOFOLLOW) {
                Ok(status) => match SFlag::from_bits_truncate(status.st_mode & SFlag::S_IFMT.bits()) {
                    SFlag::S_IFREG => false,
                    SFlag::S_IFDIR => return Err(Errno::EISDIR),
                    _ => return Ok((None, false)),
                },
                Err(Errno::ENOENT) => true,
                Err(error) => return Err(error),
            };
            let mode = Mode::from_bits_truncate(announced.mode & 0o777) | Mode::S_IWUSR;
            Ok((self.open(directory, name, mode)?, is_new))
        };
        let (content, is_new) = open().map_err(Errno::desc)?;
        let content = content.ok_or("not a regular file")?;
        let mode = match self.options.attributes {
            Attributes::Kept => Some(announced.mode),
            Attributes::New if is_new && announced.mode & 0o200 == 0 => Some(announced.mode & !self.mask & 0o777),
            Attributes::New => None,
        };
        Ok(Receiving { content, mode })
    }

    fn open(&self, directory: OwnedFd, name: CString, mode: Mode) -> nix::Result<Option<Content>> {
        if self.run.uploads == Uploads::Atomic {
            let wish = Wish { flags: OFlag::O_WRONLY, mode, target: Target::Replaced };
            let clone = directory.try_clone().map_err(|_| Errno::EMFILE)?;
            if let Some(upload) = Upload::begin_in(clone, name.clone(), wish)? {
                return Ok(Some(Content::Upload(upload)));
            }
        }
        let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_NOFOLLOW;
        let file = open_data_in(&directory, &name, flags, mode)?;
        let is_file = fstat(&file)?.st_mode & SFlag::S_IFMT.bits() == SFlag::S_IFREG.bits();
        Ok(is_file.then_some(Content::InPlace(file)))
    }

    /// Takes all of the announced bytes, also when they can't be stored, so that both sides stay
    /// in step. Gives what the other side has to be told of the file.
    fn content(
        &mut self,
        receiving: Receiving,
        announced: &Announced,
        transfer: &mut Transfer,
    ) -> Result<Option<String>, Abort> {
        let mut left = announced.size;
        while left > 0 {
            let most = usize::try_from(left).unwrap_or(usize::MAX);
            let data = self.run.stream.data(most)?;
            if data.is_empty() {
                return Err(Abort::Lost);
            }
            left -= data.len() as u64;
            if transfer.error.is_none() {
                store(receiving.file(), data, transfer);
            }
        }
        let is_whole = self.run.response()?;
        if !is_whole && matches!(receiving.content, Content::Upload(_)) {
            transfer.failed(NOT_WHOLE);
        }
        if transfer.error.is_none()
            && let Err(error) = finish(receiving, announced)
        {
            transfer.failed(explain(error));
        }
        let told = transfer.error.clone();
        if !is_whole {
            // The other side knows; the log has to.
            transfer.failed(NOT_WHOLE);
        }
        Ok(told)
    }
}

fn store(file: &OwnedFd, data: &[u8], transfer: &mut Transfer) {
    let mut rest = data;
    while !rest.is_empty() {
        match write(file, rest) {
            Ok(0) => return transfer.failed(Errno::EIO.desc()),
            Ok(count) => {
                transfer.written += count as u64;
                rest = rest.get(count..).unwrap_or_default();
            }
            Err(Errno::EINTR) => {}
            Err(error) => return transfer.failed(explain(error)),
        }
    }
}

fn explain(error: Errno) -> &'static str {
    match error {
        Errno::EDQUOT => "Disk quota exceeded: this account may not store more",
        error => error.desc(),
    }
}

/// Everything has come.
fn finish(receiving: Receiving, announced: &Announced) -> nix::Result<()> {
    if let Content::InPlace(file) = &receiving.content {
        ftruncate(file, i64::try_from(announced.size).map_err(|_| Errno::EFBIG)?)?;
    }
    if let Some(mode) = receiving.mode {
        fchmod(receiving.file(), Mode::from_bits_truncate(mode & 0o7777))?;
    }
    if let Some(times) = &announced.times {
        futimens(receiving.file(), &times.access, &times.modification)?;
    }
    match receiving.content {
        Content::InPlace(file) => nix::unistd::close(file),
        Content::Upload(upload) => upload.publish(),
    }
}
