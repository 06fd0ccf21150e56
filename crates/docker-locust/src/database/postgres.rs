//! PostgreSQL: the start of a session up to the demand for a password. Clients that find they have none leave at
//! the same point, so the server neither logs it nor counts it.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{Greeting, MAX_BYTES, Silence};

/// The account that every cluster has unless told otherwise: one that is not there would be logged each time
/// where no password is asked for.
const USER: &str = "postgres";
const PROTOCOL_3_0: u32 = 196_608;
/// SQLSTATEs of a server that takes no clients now: starting or stopping, too many connections.
const REFUSALS: [&str; 2] = ["57P03", "53300"];

pub(super) async fn greet(stream: &mut TcpStream) -> Result<Greeting, Silence> {
    stream.write_all(&startup()).await?;
    let mut greeting = Greeting::default();
    // As many as a session's start has, and some more; a server that goes on and on is none.
    for _ in 0..64 {
        let (kind, body) = message(stream).await?;
        match kind {
            // 0 is "you are in": a server without passwords, which goes on to tell its version.
            b'R' if body.starts_with(&[0, 0, 0, 0]) => {}
            b'R' => return Ok(greeting),
            b'S' => {
                if let Some(version) = body.strip_prefix(b"server_version\0") {
                    greeting.version = Some(text(version));
                }
            }
            b'Z' => {
                stream.write_all(&[b'X', 0, 0, 0, 4]).await?;
                return Ok(greeting);
            }
            b'E' => {
                let code = field(&body, b'C');
                if REFUSALS.contains(&code.as_str()) {
                    greeting.refuses = Some(field(&body, b'M'));
                }
                return if code.is_empty() { Err(Silence::Stranger) } else { Ok(greeting) };
            }
            b'K' | b'N' | b'v' => {}
            _ => return Err(Silence::Stranger),
        }
    }
    Err(Silence::Stranger)
}

fn startup() -> Vec<u8> {
    let mut body = PROTOCOL_3_0.to_be_bytes().to_vec();
    for text in ["user", USER, "database", USER, "application_name", "gantry", ""] {
        body.extend_from_slice(text.as_bytes());
        body.push(0);
    }
    let length = u32::try_from(body.len() + 4).unwrap_or(u32::MAX);
    [&length.to_be_bytes(), body.as_slice()].concat()
}

async fn message(stream: &mut TcpStream) -> Result<(u8, Vec<u8>), Silence> {
    let kind = stream.read_u8().await?;
    if !b"RSZEKNv".contains(&kind) {
        return Err(Silence::Stranger);
    }
    let length = stream.read_u32().await? as usize;
    let length = length.checked_sub(4).filter(|length| *length <= MAX_BYTES).ok_or(Silence::Stranger)?;
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    Ok((kind, body))
}

/// One field of an error: a letter and text, each ended by a zero.
fn field(body: &[u8], name: u8) -> String {
    let fields = body.split(|byte| *byte == 0);
    fields
        .filter_map(<[u8]>::split_first)
        .find(|(letter, _)| **letter == name)
        .map_or_else(String::new, |(_, it)| text(it))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim_end_matches('\0').to_owned()
}
