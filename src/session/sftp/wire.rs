//! The data types of the protocol (draft-ietf-secsh-filexfer-02, section 3; RFC 4251, section 5).

/// The longest packet that is taken, its length field not counted; what `limits@openssh.com`
/// announces.
pub const MAX_PACKET: usize = 256 * 1024;
/// The most data in one read or write: a packet less its other fields, rounded as OpenSSH does.
pub const MAX_DATA: usize = MAX_PACKET - 1024;

/// A packet ended in the middle of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Truncated;

/// Takes fields from the front of a packet.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a>(pub &'a [u8]);

impl<'a> Reader<'a> {
    pub fn byte(&mut self) -> Result<u8, Truncated> {
        let (first, rest) = self.0.split_first().ok_or(Truncated)?;
        self.0 = rest;
        Ok(*first)
    }

    pub fn uint32(&mut self) -> Result<u32, Truncated> {
        self.array().map(u32::from_be_bytes)
    }

    pub fn uint64(&mut self) -> Result<u64, Truncated> {
        self.array().map(u64::from_be_bytes)
    }

    pub fn string(&mut self) -> Result<&'a [u8], Truncated> {
        let length = self.uint32()? as usize;
        let (string, rest) = self.0.split_at_checked(length).ok_or(Truncated)?;
        self.0 = rest;
        Ok(string)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Truncated> {
        let (array, rest) = self.0.split_first_chunk().ok_or(Truncated)?;
        self.0 = rest;
        Ok(*array)
    }
}

/// Replies on their way out, one behind the other, in a buffer that is made once.
#[derive(Debug)]
pub struct Output {
    buffer: Vec<u8>,
    length: usize,
    packet: usize,
}

impl Output {
    /// `soft` is how much is gathered before it should be sent; one whole packet fits behind it.
    pub fn new(soft: usize) -> Self {
        Self { buffer: vec![0; soft + MAX_PACKET + 4], length: 0, packet: 0 }
    }

    /// Begins a packet; its length is filled in by [`Output::end`].
    pub fn begin(&mut self, kind: u8, id: u32) {
        self.packet = self.length;
        self.uint32(0);
        self.byte(kind);
        self.uint32(id);
    }

    /// Begins the one packet that has no request id.
    pub fn begin_version(&mut self, kind: u8) {
        self.packet = self.length;
        self.uint32(0);
        self.byte(kind);
    }

    pub fn end(&mut self) {
        let size = self.length - self.packet - 4;
        if let (Some(place), Ok(size)) = (self.buffer.get_mut(self.packet..self.packet + 4), u32::try_from(size)) {
            place.copy_from_slice(&size.to_be_bytes());
        }
    }

    /// Takes back the packet that was begun.
    pub fn abandon(&mut self) {
        self.length = self.packet;
    }

    /// How long the packet is so far.
    pub fn packet_length(&self) -> usize {
        self.length - self.packet
    }

    pub fn byte(&mut self, value: u8) {
        self.raw(&[value]);
    }

    pub fn uint32(&mut self, value: u32) {
        self.raw(&value.to_be_bytes());
    }

    pub fn uint64(&mut self, value: u64) {
        self.raw(&value.to_be_bytes());
    }

    pub fn string(&mut self, value: &[u8]) {
        self.uint32(u32::try_from(value.len()).unwrap_or(u32::MAX));
        self.raw(value);
    }

    /// A string of at most `most` bytes that `fill` writes straight into the buffer; it says how
    /// many it wrote.
    pub fn string_from<E>(
        &mut self,
        most: usize,
        fill: impl FnOnce(&mut [u8]) -> Result<usize, E>,
    ) -> Result<usize, E> {
        let start = self.length + 4;
        self.reserve(most + 4);
        let count = fill(self.buffer.get_mut(start..start + most).unwrap_or_default())?;
        self.uint32(u32::try_from(count).unwrap_or(u32::MAX));
        self.length += count;
        Ok(count)
    }

    /// A uint32 that is known later.
    pub fn placeholder(&mut self) -> usize {
        self.uint32(0);
        self.length - 4
    }

    pub fn fill_placeholder(&mut self, place: usize, value: u32) {
        if let Some(bytes) = self.buffer.get_mut(place..place + 4) {
            bytes.copy_from_slice(&value.to_be_bytes());
        }
    }

    pub fn waiting(&self) -> &[u8] {
        self.buffer.get(..self.length).unwrap_or_default()
    }

    pub fn clear(&mut self) {
        self.length = 0;
        self.packet = 0;
    }

    fn raw(&mut self, bytes: &[u8]) {
        self.reserve(bytes.len());
        if let Some(place) = self.buffer.get_mut(self.length..self.length + bytes.len()) {
            place.copy_from_slice(bytes);
        }
        self.length += bytes.len();
    }

    /// Replies are bounded, so that this does not happen; if it does, memory is what it costs.
    fn reserve(&mut self, more: usize) {
        if self.length + more > self.buffer.len() {
            self.buffer.resize(self.length + more, 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_that_is_not_whole_is_an_error() {
        assert_eq!(Reader(&[0, 0, 0]).uint32(), Err(Truncated));
        assert_eq!(Reader(&[0, 0, 0, 2, b'a']).string(), Err(Truncated));
        assert_eq!(Reader(&[255, 255, 255, 255, b'a']).string(), Err(Truncated));
        let mut reader = Reader(&[0, 0, 0, 1, b'a', 7]);
        assert_eq!((reader.string(), reader.byte(), reader.byte()), (Ok(&b"a"[..]), Ok(7), Err(Truncated)));
    }

    #[test]
    fn a_packet_begins_with_its_length() {
        let mut output = Output::new(100);
        output.begin(101, 7);
        output.string(b"ab");
        output.end();
        assert_eq!(output.waiting(), [0, 0, 0, 11, 101, 0, 0, 0, 7, 0, 0, 0, 2, b'a', b'b']);
        output.begin(101, 8);
        output.abandon();
        assert_eq!(output.waiting().len(), 15);
    }
}
