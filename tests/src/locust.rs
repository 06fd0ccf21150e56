//! A real Locust with its web interface, and the server that it loads.

use std::fs::File;
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use tempfile::TempDir;

use crate::wire;

/// A running Locust.
#[derive(Debug)]
pub struct Locust {
    /// `ADDRESS:PORT` of its web interface.
    pub host: String,
    child: Child,
    folder: TempDir,
}

impl Locust {
    /// Starts the `locust` at this path with a locustfile's text; `load` is the host that it will load.
    pub async fn start(program: &str, locustfile: &str, load: &str) -> Result<Self> {
        let folder = TempDir::new()?;
        let file = folder.path().join("locustfile.py");
        std::fs::write(&file, locustfile)?;
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let log = File::create(folder.path().join("log"))?;
        let child = Command::new(program)
            .args(["--web-host", "127.0.0.1", "--web-port", &port.to_string(), "--host", load, "-f"])
            .arg(file)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        let mut locust = Self { host: format!("127.0.0.1:{port}"), child, folder };
        locust.await_life().await?;
        Ok(locust)
    }

    async fn await_life(&mut self) -> Result<()> {
        let end = Instant::now() + Duration::from_secs(60);
        while Instant::now() < end {
            if self.child.try_wait()?.is_some() {
                break;
            }
            if wire::get(&self.host, "/stats/requests").await.is_ok_and(|answer| answer.status() == 200) {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        bail!("locust does not come up:\n{}", std::fs::read_to_string(self.folder.path().join("log"))?)
    }
}

impl Drop for Locust {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
