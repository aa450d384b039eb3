//! Laws of the loop of SFTP.

use super::{Ground, content, input};
use crate::limits::Limits;
use crate::record::Record;
use crate::sftp::{Settings, serve};
use accountd_protocol::login::LinkOrder;
use accountd_protocol::session_policy::Uploads;

pub const GREETING: [u8; 9] = [0, 0, 0, 5, 1, 0, 0, 0, 3];
const VERSION: u8 = 2;
/// The types of what may answer a request.
const ANSWERS: [u8; 6] = [101, 102, 103, 104, 105, 201];
/// No answer is longer: the longest packet that is announced, and its header.
const LONGEST: usize = 256 * 1024 + 64;

/// Whatever follows the greeting, every request has one answer, in its turn and with its number,
/// until one is not whole; and nothing happens outside of the root.
pub fn session(wire: &[u8], uploads: Uploads) {
    let ground = Ground::new();
    let record = Record::default();
    let settings =
        Settings { tree: ground.tree(), links: LinkOrder::TargetFirst, uploads, record, limits: Limits::default() };
    let output = input(&[]);
    let ended = serve(settings, input(&[&GREETING, wire].concat()), &output);
    let said = content(output);
    let (answers, rest) = packets(&said);
    assert!(rest.is_empty(), "an answer is not whole");
    let Some((greeting, answers)) = answers.split_first() else { panic!("there is no greeting") };
    assert_eq!(greeting.first(), Some(&VERSION));
    let (requests, _) = packets(wire);
    assert!(answers.len() <= requests.len(), "{} answers to {} requests", answers.len(), requests.len());
    assert!(ended.is_err() || answers.len() == requests.len(), "{} of {}", answers.len(), requests.len());
    for (request, answer) in requests.iter().zip(answers) {
        assert!(ANSWERS.contains(&answer[0]) && answer.len() <= LONGEST, "{} of {} bytes", answer[0], answer.len());
        assert_eq!(request.get(1..5), answer.get(1..5), "the number of the request");
    }
    ground.is_untouched();
}

/// The whole packets, and what is behind them.
fn packets(wire: &[u8]) -> (Vec<&[u8]>, &[u8]) {
    let (mut whole, mut rest) = (Vec::new(), wire);
    while let Some((length, behind)) = rest.split_first_chunk() {
        let Some((packet, behind)) = behind.split_at_checked(u32::from_be_bytes(*length) as usize) else { break };
        if packet.is_empty() {
            break;
        }
        whole.push(packet);
        rest = behind;
    }
    (whole, rest)
}
