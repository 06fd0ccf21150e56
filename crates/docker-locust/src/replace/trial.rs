//! Whether a container came up: its health check says so, or it ran for a while without one.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::docker::Docker;
use crate::docker::container::Container;
use crate::docker::lines::{Assembler, Tail};
use crate::error::{Error, Result};

/// How long a container without a health check has to run.
const LONG_ENOUGH: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(250);
const LOG_LINES: usize = 20;
const LOG_BYTES: usize = 4096;
/// A shorter value is no secret, and hiding it would only tear the lines apart.
const SECRET: usize = 4;

/// What a look at a container on trial says.
#[derive(Debug, PartialEq, Eq)]
enum Sight {
    Up(&'static str),
    Down(String),
    Wait,
}

/// Waits until a container that was just started is up, and says how that is known.
pub(crate) async fn until_up(docker: &Docker, id: &str, timeout: Duration) -> Result<&'static str> {
    let start = Instant::now();
    loop {
        let container = docker.inspect(id).await?;
        let reason = match look(&container, start.elapsed()) {
            Sight::Up(how) => return Ok(how),
            Sight::Down(reason) => reason,
            Sight::Wait if start.elapsed() < timeout.max(LONG_ENOUGH) => {
                sleep(PAUSE).await;
                continue;
            }
            Sight::Wait => format!("its health check did not pass within {timeout:?} (--health-timeout)"),
        };
        return Err(Error::NotUp { name: container.name().to_owned(), reason });
    }
}

fn look(container: &Container, ran: Duration) -> Sight {
    if container.restart_count() > 0 || container.status() == "restarting" {
        return Sight::Down(format!("{} and its restart policy restarted it", container.ending()));
    }
    if !container.running() {
        return Sight::Down(container.ending());
    }
    match container.health() {
        Some("healthy") => Sight::Up("its health check passed"),
        Some("unhealthy") => Sight::Down("its health check failed".into()),
        None if ran >= LONG_ENOUGH => Sight::Up("it ran for 5 seconds"),
        Some(_) | None => Sight::Wait,
    }
}

/// The last lines of a container that failed, for the one who has to find out why.
pub(crate) async fn last_words(docker: &Docker, id: &str, secret: &str) -> Vec<String> {
    let read = async {
        let query = [("stdout", "1"), ("stderr", "1"), ("tail", "20")];
        let tty = docker.inspect(id).await?.0.pointer("/Config/Tty") == Some(&true.into());
        let log = docker.logs(id, &query).await?;
        let mut tail = Tail::new(LOG_LINES, LOG_BYTES, None, false);
        crate::docker::lines::read(log, Assembler::new(tty), |line| tail.push(line)).await?;
        Ok::<_, Error>(tail.finish("").1.text)
    };
    // They are an extra: whatever keeps them away must not hide why the change failed.
    let text = tokio::time::timeout(LONG_ENOUGH, read).await.ok().and_then(Result::ok).unwrap_or_default();
    let text = if secret.len() < SECRET { text } else { text.replace(secret, crate::mask::MASK) };
    text.lines().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn sight(state: Value, restarts: u64, seconds: u64) -> Sight {
        look(&Container(json!({"State": state, "RestartCount": restarts})), Duration::from_secs(seconds))
    }

    #[test]
    fn tells_up_from_down() {
        let running = json!({"Running": true, "Status": "running"});
        let health =
            |status: &str| json!({"Running": true, "Status": "running", "Health": {"Status": status}});
        assert_eq!(sight(running.clone(), 0, 4), Sight::Wait);
        assert_eq!(sight(running.clone(), 0, 5), Sight::Up("it ran for 5 seconds"));
        assert_eq!(sight(health("starting"), 0, 50), Sight::Wait);
        assert_eq!(sight(health("healthy"), 0, 0), Sight::Up("its health check passed"));
        assert!(matches!(sight(health("unhealthy"), 0, 0), Sight::Down(_)));
        assert!(matches!(sight(running, 1, 9), Sight::Down(_)));
        assert!(matches!(sight(json!({"Running": true, "Status": "restarting"}), 0, 9), Sight::Down(_)));
        let looping = Sight::Down("it ended and its restart policy restarted it".into());
        assert_eq!(sight(json!({"Running": true, "Status": "running", "ExitCode": 0}), 1, 9), looping);
        let Sight::Down(reason) =
            sight(json!({"Running": false, "Status": "exited", "ExitCode": 137, "OOMKilled": true}), 0, 0)
        else {
            panic!()
        };
        assert_eq!(reason, "it ended with exit code 137, out of memory");
    }
}
