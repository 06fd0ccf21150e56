//! `config`: how agents are told of this server, in the form that each documents. Never a real key.

use clap::{Args, ValueEnum};
use serde_json::{Value, json};

/// Where Claude Code waits for the provider's answer. Providers compare it with what is registered there.
const CALLBACK_PORT: u16 = 8976;

/// What to print.
#[derive(Debug, Clone, Args)]
pub(crate) struct ConfigArgs {
    /// Only for this agent, ready to go into its file [default: all, with their names]
    #[arg(long, value_enum)]
    agent: Option<Agent>,

    /// For an agent that starts the server itself and speaks to it on stdin and stdout
    #[arg(long)]
    pub(crate) stdio: bool,
}

/// Who is to be told of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Agent {
    /// The command line that adds it to Claude Code
    Claude,
    /// .mcp.json of Claude Code
    ClaudeJson,
    /// .vscode/mcp.json of VS Code
    Vscode,
    /// .cursor/mcp.json of Cursor
    Cursor,
    /// The `mcpServers` that most others read
    Generic,
}

impl Agent {
    fn title(self) -> &'static str {
        match self {
            Self::Claude => "Claude Code, on the command line",
            Self::ClaudeJson => "Claude Code, in .mcp.json",
            Self::Vscode => "VS Code, in .vscode/mcp.json",
            Self::Cursor => "Cursor, in .cursor/mcp.json",
            Self::Generic => "most others",
        }
    }
}

/// How a server is reached.
#[derive(Debug, Clone)]
pub(crate) enum Reach {
    /// The agent runs this.
    Stdio { command: String, args: Vec<String> },
    /// The agent connects to this address.
    Http { url: String, credential: Credential },
}

/// What a caller must bring.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Credential {
    /// Nothing.
    None,
    /// A bearer token: a key, or the upstream's own.
    Bearer,
    /// A token of the provider's, for which agents let people sign in; as this client where agents cannot register
    /// themselves.
    SignIn {
        /// The client's id there.
        client_id: Option<String>,
    },
}

/// The configuration asked for, of the server of this name.
pub(crate) fn configuration(name: &str, reach: &Reach, asked: &ConfigArgs) -> anyhow::Result<String> {
    if let Some(agent) = asked.agent {
        return one(agent, name, reach);
    }
    let mut text = String::new();
    for agent in Agent::value_variants() {
        text.push_str(&format!("# {}\n{}\n", agent.title(), one(*agent, name, reach)?));
    }
    if client_id(reach).is_some() {
        text.push_str("# the provider must know where agents wait for its answer; Claude Code does so at\n");
        text.push_str(&format!(
            "# http://localhost:{CALLBACK_PORT}/callback, others where their documentation says\n"
        ));
    }
    Ok(text)
}

fn one(agent: Agent, name: &str, reach: &Reach) -> anyhow::Result<String> {
    let value = match agent {
        Agent::Claude => return Ok(command_line(name, reach) + "\n"),
        Agent::ClaudeJson => json!({"mcpServers": {name: claude(name, reach)}}),
        Agent::Vscode => vscode(name, reach),
        Agent::Cursor => json!({"mcpServers": {name: cursor(name, reach)}}),
        Agent::Generic => json!({"mcpServers": {name: entry(reach, "KEY")}}),
    };
    Ok(serde_json::to_string_pretty(&value)? + "\n")
}

/// The variable that a key is expected in: `docker-locust` has `DOCKER_LOCUST_KEY`.
fn variable(name: &str) -> String {
    format!("{}_KEY", name.to_ascii_uppercase().replace('-', "_"))
}

fn command_line(name: &str, reach: &Reach) -> String {
    match reach {
        Reach::Stdio { command, args } => {
            format!("claude mcp add {name} -- {command} {}", args.join(" "))
        }
        Reach::Http { url, credential } => {
            let line = format!("claude mcp add --transport http {name} {url}");
            match credential {
                Credential::None | Credential::SignIn { client_id: None } => line,
                Credential::SignIn { client_id: Some(id) } => {
                    format!("{line} --client-id {id} --callback-port {CALLBACK_PORT}")
                }
                Credential::Bearer => {
                    format!("{line} --header \"Authorization: Bearer ${}\"", variable(name))
                }
            }
        }
    }
}

/// The entry that most agents share, with what stands for the key.
fn entry(reach: &Reach, key: &str) -> Value {
    match reach {
        Reach::Stdio { command, args } => json!({"command": command, "args": args}),
        Reach::Http { url, credential } => {
            let mut entry = json!({"type": "http", "url": url});
            if *credential == Credential::Bearer {
                entry["headers"] = json!({"Authorization": format!("Bearer {key}")});
            }
            entry
        }
    }
}

/// The id of the client that was registered for agents.
fn client_id(reach: &Reach) -> Option<&str> {
    match reach {
        Reach::Http { credential: Credential::SignIn { client_id }, .. } => client_id.as_deref(),
        _ => None,
    }
}

fn claude(name: &str, reach: &Reach) -> Value {
    let mut entry = entry(reach, &format!("${{{}}}", variable(name)));
    if let Some(id) = client_id(reach) {
        entry["oauth"] = json!({"clientId": id, "callbackPort": CALLBACK_PORT});
    }
    entry
}

/// VS Code asks its user for the key, and keeps it.
fn vscode(name: &str, reach: &Reach) -> Value {
    let input = format!("{name}-key");
    let mut value = json!({"servers": {name: entry(reach, &format!("${{input:{input}}}"))}});
    if let Reach::Stdio { .. } = reach {
        value["servers"][name]["type"] = "stdio".into();
    }
    if let Some(id) = client_id(reach) {
        value["servers"][name]["oauth"] = json!({"clientId": id});
    }
    if let Reach::Http { credential: Credential::Bearer, .. } = reach {
        let description = format!("Key for {name}");
        value["inputs"] =
            json!([{"type": "promptString", "id": input, "description": description, "password": true}]);
    }
    value
}

/// Cursor tells the transport from the address.
fn cursor(name: &str, reach: &Reach) -> Value {
    let mut value = entry(reach, &format!("${{env:{}}}", variable(name)));
    if let Some(entry) = value.as_object_mut() {
        entry.remove("type");
    }
    if let Some(id) = client_id(reach) {
        value["auth"] = json!({"CLIENT_ID": id});
    }
    value
}
