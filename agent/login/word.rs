//! What a keeper is told on its control socket: two bytes each time.

/// Why a session has to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Farewell {
    /// Whoever opened it wants it no more, or has gone.
    Closed,
    /// The account was disabled, changed or deleted.
    Revoked,
    /// This program ends, or can not hear the agent.
    Interrupted,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    End(Farewell),
    /// For what runs in the session, by its number (signal(7)).
    Signal(u8),
}

impl Word {
    const REVOKED: u8 = b'r';
    const INTERRUPTED: u8 = b'i';
    const CLOSED: u8 = b'c';
    const SIGNAL: u8 = b's';

    pub fn bytes(self) -> [u8; 2] {
        match self {
            Word::End(Farewell::Revoked) => [Self::REVOKED, 0],
            Word::End(Farewell::Interrupted) => [Self::INTERRUPTED, 0],
            Word::End(Farewell::Closed) => [Self::CLOSED, 0],
            Word::Signal(number) => [Self::SIGNAL, number],
        }
    }

    /// What has been received; whatever is not a word stands for the end, as the end itself does.
    pub fn of(bytes: Option<[u8; 2]>) -> Self {
        match bytes {
            Some([Self::SIGNAL, number]) => Word::Signal(number),
            Some([Self::REVOKED, _]) => Word::End(Farewell::Revoked),
            Some([Self::INTERRUPTED, _]) => Word::End(Farewell::Interrupted),
            Some(_) | None => Word::End(Farewell::Closed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_heard_as_it_was_said_and_noise_is_the_end() {
        let farewells = [Farewell::Closed, Farewell::Revoked, Farewell::Interrupted];
        for word in farewells.map(Word::End).into_iter().chain([Word::Signal(15)]) {
            assert_eq!(Word::of(Some(word.bytes())), word);
        }
        assert_eq!(Word::of(None), Word::End(Farewell::Closed));
        assert_eq!(Word::of(Some([0, 9])), Word::End(Farewell::Closed));
    }
}
