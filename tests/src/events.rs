//! Reads a stream of server-sent events, one message at a time.

use anyhow::{Context, Result, bail};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use serde_json::Value;

use crate::wire::PATIENCE;

/// The events of one answer.
#[derive(Debug)]
pub struct Events {
    body: Incoming,
    unread: Vec<u8>,
}

impl Events {
    /// The events in this body.
    #[must_use]
    pub fn new(body: Incoming) -> Self {
        Self { body, unread: Vec::new() }
    }

    /// The next event that carries data: its name (empty if it has none) and its data.
    pub async fn next(&mut self) -> Result<(String, String)> {
        loop {
            while let Some(block) = self.block()? {
                let field = |name: &str| -> Vec<String> {
                    let values = block.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
                    values.map(|value| value.trim_start().to_owned()).collect()
                };
                let data = field("data").join("\n");
                if !data.is_empty() {
                    return Ok((field("event").concat(), data));
                }
            }
            let frame =
                tokio::time::timeout(PATIENCE, self.body.frame()).await.context("no event in time")?;
            match frame {
                Some(frame) => self.unread.extend(frame?.into_data().unwrap_or_default()),
                None => bail!("the stream ended; unread: {:?}", String::from_utf8_lossy(&self.unread)),
            }
        }
    }

    /// The next JSON-RPC answer to the request `id`; notifications before it are dropped.
    pub async fn answer(&mut self, id: &Value) -> Result<Value> {
        loop {
            let message: Value = serde_json::from_str(&self.next().await?.1)?;
            if message["id"] == *id && message.get("method").is_none() {
                return Ok(message);
            }
        }
    }

    fn block(&mut self) -> Result<Option<String>> {
        let Some(end) = self.unread.windows(2).position(|pair| pair == b"\n\n") else { return Ok(None) };
        let block: Vec<u8> = self.unread.drain(..end + 2).collect();
        Ok(Some(String::from_utf8(block)?))
    }
}
