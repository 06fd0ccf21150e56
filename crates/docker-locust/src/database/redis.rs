//! Redis and Valkey: `PING`. A demand for a password proves as well as a `PONG` that one is there.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{Greeting, MAX_BYTES, Silence};

/// Beginnings of the errors of a Redis that wants to know who asks, and of one that takes no clients now.
const DEMANDS: [&str; 2] = ["NOAUTH", "NOPERM"];
const REFUSALS: [&str; 4] = ["LOADING", "MASTERDOWN", "DENIED", "ERR max number of clients"];

pub(super) async fn greet(stream: &mut TcpStream) -> Result<Greeting, Silence> {
    stream.write_all(b"*1\r\n$4\r\nPING\r\n").await?;
    let answer = line(stream).await?;
    if let Some(error) = answer.strip_prefix('-') {
        let is = |beginnings: &[&str]| beginnings.iter().any(|beginning| error.starts_with(beginning));
        return match (is(&DEMANDS), is(&REFUSALS)) {
            (true, _) => Ok(Greeting::default()),
            (_, true) => Ok(Greeting { version: None, refuses: Some(error.to_owned()) }),
            _ => Err(Silence::Stranger),
        };
    }
    if answer != "+PONG" {
        return Err(Silence::Stranger);
    }
    // From here on it is up, whatever it says of itself.
    let version = version(stream).await.unwrap_or_default();
    Ok(Greeting { version, refuses: None })
}

async fn version(stream: &mut TcpStream) -> Result<Option<String>, Silence> {
    stream.write_all(b"*2\r\n$4\r\nINFO\r\n$6\r\nserver\r\n").await?;
    let length = line(stream).await?.strip_prefix('$').and_then(|length| length.parse::<usize>().ok());
    let length = length.filter(|length| *length <= MAX_BYTES).ok_or(Silence::Stranger)?;
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    let info = String::from_utf8_lossy(&body);
    let value = |key: &str| info.lines().find_map(|line| line.strip_prefix(key)).map(str::to_owned);
    Ok(value("valkey_version:").or_else(|| value("redis_version:")))
}

/// One line of the protocol, without its end.
async fn line(stream: &mut TcpStream) -> Result<String, Silence> {
    const LONGEST: usize = 512;
    let mut line = Vec::new();
    while line.len() < LONGEST {
        match stream.read_u8().await? {
            b'\n' => {
                return Ok(String::from_utf8_lossy(line.strip_suffix(b"\r").unwrap_or(&line)).into_owned());
            }
            byte => line.push(byte),
        }
    }
    Err(Silence::Stranger)
}
