//! MySQL and MariaDB: the server speaks first and tells its version. Leaving there would count as a broken
//! handshake, and after `max_connect_errors` of them the server blocks our address; so we go on to a login that
//! is refused, which is not counted, under a name of our own, so that no account is ever locked for it.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{Greeting, MAX_BYTES, Silence};

const USER: &str = "gantry";
const PLUGIN: &str = "mysql_native_password";
/// Long password, protocol 4.1, transactions, secure connection, plugin authentication.
const CAPABILITIES: u32 = 0x0000_0001 | 0x0000_0200 | 0x0000_2000 | 0x0000_8000 | 0x0008_0000;
/// Too many connections, shutdown in progress, host blocked.
const REFUSALS: [u16; 3] = [1040, 1053, 1129];

pub(super) async fn greet(stream: &mut TcpStream) -> Result<Greeting, Silence> {
    let (_, hello) = packet(stream).await?;
    let version = match hello.split_first() {
        Some((0xff, error)) => {
            return refusal(error).map(|refuses| Greeting { version: None, refuses: Some(refuses.1) });
        }
        Some((10, rest)) => version(rest).ok_or(Silence::Stranger)?,
        _ => return Err(Silence::Stranger),
    };
    let mut greeting = Greeting { version: Some(version), refuses: None };
    send(stream, 1, &login()).await?;
    loop {
        // The version was proof enough: a server that hangs up over our login is up all the same.
        let Ok((sequence, answer)) = packet(stream).await else { return Ok(greeting) };
        match answer.split_first() {
            // Another method: an empty password again.
            Some((0xfe, _)) if sequence < 8 => send(stream, sequence + 1, &[]).await?,
            Some((0x00, _)) => {
                const COM_QUIT: u8 = 1;
                send(stream, 0, &[COM_QUIT]).await?;
                return Ok(greeting);
            }
            Some((0xff, error)) => {
                let (code, message) = refusal(error)?;
                greeting.refuses = REFUSALS.contains(&code).then_some(message);
                return Ok(greeting);
            }
            _ => return Ok(greeting),
        }
    }
}

fn login() -> Vec<u8> {
    const LARGEST_PACKET: u32 = 1 << 24;
    const UTF8: u8 = 33;
    let mut body = [CAPABILITIES.to_le_bytes(), LARGEST_PACKET.to_le_bytes()].concat();
    body.push(UTF8);
    body.extend_from_slice(&[0; 23]);
    body.extend_from_slice(USER.as_bytes());
    // The name's end, and a password of no bytes.
    body.extend_from_slice(&[0, 0]);
    body.extend_from_slice(PLUGIN.as_bytes());
    body.push(0);
    body
}

/// MariaDB puts a "5.5.5-" before its version, for replicas of long ago.
fn version(hello: &[u8]) -> Option<String> {
    let end = hello.iter().position(|byte| *byte == 0)?;
    let version = std::str::from_utf8(&hello[..end])
        .ok()
        .filter(|text| text.starts_with(|c: char| c.is_ascii_digit()))?;
    Some(version.strip_prefix("5.5.5-").unwrap_or(version).to_owned())
}

/// Code and message of an error packet; the message may begin with "#" and a SQLSTATE of five letters.
fn refusal(error: &[u8]) -> Result<(u16, String), Silence> {
    let (code, message) = error.split_at_checked(2).ok_or(Silence::Stranger)?;
    let message = String::from_utf8_lossy(message);
    let message = match message.strip_prefix('#') {
        Some(rest) => rest.get(5..).unwrap_or_default(),
        None => &message,
    };
    Ok((u16::from_le_bytes([code[0], code[1]]), message.to_owned()))
}

/// The next packet with its sequence number.
async fn packet(stream: &mut TcpStream) -> Result<(u8, Vec<u8>), Silence> {
    let mut header = [0; 4];
    stream.read_exact(&mut header).await?;
    let [a, b, c, sequence] = header;
    let length = u32::from_le_bytes([a, b, c, 0]) as usize;
    if length == 0 || length > MAX_BYTES {
        return Err(Silence::Stranger);
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    Ok((sequence, body))
}

async fn send(stream: &mut TcpStream, sequence: u8, body: &[u8]) -> Result<(), Silence> {
    let [a, b, c, _] = u32::try_from(body.len()).unwrap_or(0).to_le_bytes();
    let packet = [&[a, b, c, sequence], body].concat();
    Ok(stream.write_all(&packet).await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_and_errors_are_read() {
        assert_eq!(version(b"8.4.3\0rest").as_deref(), Some("8.4.3"));
        assert_eq!(version(b"5.5.5-10.11.6-MariaDB\0").as_deref(), Some("10.11.6-MariaDB"));
        assert_eq!(version(b"no end"), None);
        assert_eq!(version(b"not a version\0"), None);
        let (code, message) = refusal(b"\x15\x04#28000Access denied").unwrap();
        assert_eq!((code, message.as_str()), (1045, "Access denied"));
        assert_eq!(refusal(b"\x10\x04Too many connections").unwrap().1, "Too many connections");
        assert!(refusal(b"\x10").is_err());
    }
}
