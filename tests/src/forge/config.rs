//! Gitea's settings: everything in one folder, nothing that reaches out, nothing that happens by itself.

use std::path::Path;

/// How a request is written down.
const RECORD: &str = r#"{{.Identity}} {{.ResponseWriter.Status}} {{.Ctx.Req.Method}} {{.Ctx.Req.URL.RequestURI}} {{printf "%q" .Ctx.Req.Header}}"#;

/// Who meets another's lock waits for it here: half a second, as Gitea has it, is short on a busy machine, and the answer
/// then is 500.
///
/// Its `app.ini`, to which it adds secrets of its own at its start. It does not mean to run as root; the services
/// beside it in these tests do, and what it reads may lie where only root can read.
pub(super) fn ini(folder: &Path, programs: &Path, port: u16) -> String {
    let (folder, programs) = (folder.display(), programs.display());
    format!(
        "APP_NAME = forge
WORK_PATH = {folder}
I_AM_BEING_UNSAFE_RUNNING_AS_ROOT = true
[server]
HTTP_ADDR = 127.0.0.1
HTTP_PORT = {port}
ROOT_URL = http://127.0.0.1:{port}/
STATIC_ROOT_PATH = {programs}
OFFLINE_MODE = true
DISABLE_SSH = true
[database]
DB_TYPE = sqlite3
SQLITE_JOURNAL_MODE = WAL
SQLITE_TIMEOUT = 20000
[security]
INSTALL_LOCK = true
PASSWORD_HASH_ALGO = pbkdf2$1$10
[service]
DISABLE_REGISTRATION = true
[webhook]
ALLOWED_HOST_LIST = loopback
[actions]
ENABLED = true
[indexer]
ISSUE_INDEXER_TYPE = db
[cron]
ENABLED = false
RUN_AT_START = false
[log]
MODE = console
LEVEL = Info
ROOT_PATH = {folder}
ACCESS_LOG_TEMPLATE = `{RECORD}`
logger.access.MODE = access
logger.router.MODE =
[log.access]
MODE = file
FILE_NAME = access.log
FLAGS = none
LOG_ROTATE = false
"
    )
}
