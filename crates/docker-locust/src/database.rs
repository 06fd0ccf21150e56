//! Whether a database is up, asked without credentials: each kind's own greeting, and nothing beyond it. What a
//! URL says besides host and port (users, passwords) is forgotten when it is read.

mod mysql;
mod postgres;
mod redis;

use std::str::FromStr;
use std::time::{Duration, Instant};

use futures::future::join_all;
use reqwest::Url;
use schemars::JsonSchema;
use serde::Serialize;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// For everything from the name's resolution to the last byte of the greeting.
const PATIENCE: Duration = Duration::from_secs(2);
/// The longest message that we read of a server.
const MAX_BYTES: usize = 64 << 10;

/// Which databases to check besides those found among the containers.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Databases")]
pub struct DatabaseArgs {
    /// A database to check, such as orders=postgres://db.example:5432, repeated or with commas
    #[arg(
        long = "database",
        env = "GANTRY_DATABASE",
        value_name = "NAME=URL",
        value_delimiter = ',',
        hide_env_values = true
    )]
    databases: Vec<String>,
}

impl DatabaseArgs {
    /// Reads them here and not in clap, which would repeat a bad URL with its password.
    pub(crate) fn read(&self) -> anyhow::Result<Vec<Database>> {
        let read = |text: &String| {
            text.parse().map_err(|error: String| anyhow::anyhow!("--database (GANTRY_DATABASE): {error}"))
        };
        self.databases.iter().map(read).collect()
    }
}

/// A database, by the addresses it may be reached at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Database {
    /// What to call it.
    pub(crate) name: String,
    /// How to speak to it.
    pub(crate) kind: Kind,
    /// `host:port`; the first that takes a connection is asked.
    pub(crate) addresses: Vec<String>,
}

/// The kinds whose greeting we know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(crate) enum Kind {
    /// PostgreSQL, and what speaks as it does.
    Postgres,
    /// MySQL and MariaDB.
    Mysql,
    /// Redis and Valkey.
    Redis,
}

/// What a database answered.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(inline)]
pub(crate) struct Status {
    /// The name it was configured under, or its container's.
    pub(crate) name: String,
    /// How it was spoken to.
    pub(crate) kind: Kind,
    /// Where, as host and port.
    pub(crate) address: String,
    /// Whether a database of this kind answered.
    pub(crate) reachable: bool,
    /// Its version, where it tells strangers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) version: Option<String>,
    /// From the first packet to its greeting.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) latency_ms: Option<f64>,
    /// Why it is not reachable, or takes no clients although it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<String>,
}

impl Status {
    /// Whether clients with the right password can be expected to get in.
    pub(crate) fn is_up(&self) -> bool {
        self.reachable && self.error.is_none()
    }
}

/// The right kind of database answered.
#[derive(Debug, Default, PartialEq)]
struct Greeting {
    version: Option<String>,
    /// Why it takes no clients now.
    refuses: Option<String>,
}

/// Why there was no greeting.
#[derive(Debug)]
enum Silence {
    Io(std::io::Error),
    /// Somebody else lives there.
    Stranger,
}

impl From<std::io::Error> for Silence {
    fn from(error: std::io::Error) -> Self {
        Self::Io(error)
    }
}

/// Asks all of them at once.
pub(crate) async fn check_all(databases: &[Database]) -> Vec<Status> {
    join_all(databases.iter().map(Database::check)).await
}

impl Database {
    async fn check(&self) -> Status {
        let mut status = Status {
            name: self.name.clone(),
            kind: self.kind,
            address: self.addresses.first().cloned().unwrap_or_default(),
            reachable: false,
            version: None,
            latency_ms: None,
            error: Some("it has no address".into()),
        };
        for address in &self.addresses {
            status.address.clone_from(address);
            let asked = Instant::now();
            match timeout(PATIENCE, greet(self.kind, address)).await {
                Ok(Ok(greeting)) => {
                    status.reachable = true;
                    status.version = greeting.version.map(|version| kit::clip(&version));
                    status.latency_ms = Some((asked.elapsed().as_secs_f64() * 1e6).round() / 1e3);
                    status.error = greeting.refuses.map(|reason| kit::clip(&reason));
                    return status;
                }
                Ok(Err(silence)) => status.error = Some(silence.explain(self.kind)),
                Err(_) => status.error = Some(format!("no answer within {} s", PATIENCE.as_secs())),
            }
        }
        status
    }
}

async fn greet(kind: Kind, address: &str) -> Result<Greeting, Silence> {
    let mut stream = TcpStream::connect(address).await?;
    match kind {
        Kind::Postgres => postgres::greet(&mut stream).await,
        Kind::Mysql => mysql::greet(&mut stream).await,
        Kind::Redis => redis::greet(&mut stream).await,
    }
}

impl Silence {
    fn explain(&self, kind: Kind) -> String {
        use std::io::ErrorKind;
        let kind = kind.name();
        match self {
            Self::Stranger => format!("what listens there does not speak as {kind} does"),
            Self::Io(error) if error.kind() == ErrorKind::UnexpectedEof => {
                format!("the connection was closed before {kind} had answered")
            }
            Self::Io(error) => error.to_string(),
        }
    }
}

impl Kind {
    /// By the name of an image (`registry/postgres:16`), or failing that by a port inside the container.
    pub(crate) fn guess(image: &str, ports: &[u16]) -> Option<Self> {
        let image = image.rsplit('/').next().unwrap_or_default();
        let image = image.split(['@', ':']).next().unwrap_or_default().to_ascii_lowercase();
        let is =
            |names: &[&str]| names.iter().any(|name| image.split(['-', '_', '.']).any(|part| part == *name));
        // Tools around a database carry its name too; they have no database's port.
        let by_name = if is(&["postgres", "postgresql", "postgis", "timescaledb", "pgvector"]) {
            Some(Self::Postgres)
        } else if is(&["mysql", "mariadb", "percona"]) {
            Some(Self::Mysql)
        } else if is(&["redis", "valkey"]) {
            Some(Self::Redis)
        } else {
            None
        };
        let by_port =
            [Self::Postgres, Self::Mysql, Self::Redis].into_iter().find(|kind| ports.contains(&kind.port()));
        match by_name {
            Some(kind) if ports.is_empty() || ports.contains(&kind.port()) => Some(kind),
            _ => by_port,
        }
    }

    /// The port it listens on by default.
    pub(crate) fn port(self) -> u16 {
        match self {
            Self::Postgres => 5432,
            Self::Mysql => 3306,
            Self::Redis => 6379,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::Mysql => "mysql",
            Self::Redis => "redis",
        }
    }
}

impl FromStr for Database {
    type Err = String;

    /// The error never repeats the URL, which may carry a password.
    fn from_str(text: &str) -> Result<Self, String> {
        let (name, url) = text.split_once('=').ok_or("must be NAME=URL")?;
        let url: Url = url.parse().map_err(|error| format!("{}: {error}", kit::clip(name)))?;
        let kind = match url.scheme() {
            "postgres" | "postgresql" => Kind::Postgres,
            "mysql" | "mariadb" => Kind::Mysql,
            "redis" | "valkey" => Kind::Redis,
            _ => {
                return Err(format!("{}: the URL must begin with postgres, mysql or redis", kit::clip(name)));
            }
        };
        let host = url.host_str().filter(|host| !host.is_empty() && !name.is_empty());
        let host = host.ok_or_else(|| format!("{}: must be NAME=URL with a host", kit::clip(name)))?;
        let address = format!("{host}:{}", url.port().unwrap_or(kind.port()));
        Ok(Self { name: name.to_owned(), kind, addresses: vec![address] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_read_without_its_credentials() {
        let database: Database = "orders=postgresql://app:hunter2@db.example/orders?x=y".parse().unwrap();
        assert_eq!(
            database,
            Database {
                name: "orders".into(),
                kind: Kind::Postgres,
                addresses: vec!["db.example:5432".into()]
            }
        );
        let database: Database = "cache=redis://[::1]:7000".parse().unwrap();
        assert_eq!(database.addresses, ["[::1]:7000"]);
    }

    #[test]
    fn what_cannot_be_checked_is_refused_without_its_password() {
        for text in
            ["orders", "=postgres://a", "a=rediss://u:hunter2@b", "a=postgres://u:hunter2@:x", "a=mysql:"]
        {
            let error = text.parse::<Database>().unwrap_err();
            assert!(!error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn containers_are_known_by_image_or_port() {
        for (image, ports, kind) in [
            ("postgres:16-alpine", vec![5432], Some(Kind::Postgres)),
            ("ghcr.io/bitnami/postgresql@sha256:00", vec![], Some(Kind::Postgres)),
            ("mariadb", vec![3306], Some(Kind::Mysql)),
            ("library/redis:7", vec![6379], Some(Kind::Redis)),
            ("busybox-db", vec![3306, 33060], Some(Kind::Mysql)),
            ("postgres-exporter", vec![9187], None),
            ("nginx", vec![80], None),
        ] {
            assert_eq!(Kind::guess(image, &ports), kind, "{image}");
        }
    }
}
