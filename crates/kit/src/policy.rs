//! What may be called: switches, globs and rate limits, the same when listing and when calling.

use std::num::NonZeroU32;
use std::str::FromStr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::auth::{Principal, Role};
use crate::methods::Effect;
use crate::settings::Settings;
use crate::{Code, ToolError};
use anyhow::{Context, bail};
use glob::Pattern;
use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

/// Beyond this many callers, those that have been quiet are forgotten.
const CALLERS_REMEMBERED: usize = 10_000;
const SWEEP: Duration = Duration::from_secs(30);

/// `GLOB=N/min`: most calls of the tools the glob names, by one caller.
#[derive(Debug, Clone)]
pub(crate) struct RateLimit {
    tools: Pattern,
    quota: Quota,
}

impl FromStr for RateLimit {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let (glob, rate) = text.split_once('=').context("not in the form GLOB=N/min")?;
        let (count, unit) = rate.split_once('/').context("the rate is not in the form N/min")?;
        let count: NonZeroU32 = count.trim().parse().context("the count must be a whole number above 0")?;
        let period = match unit.trim() {
            "s" | "sec" | "second" => Duration::from_secs(1),
            "m" | "min" | "minute" => Duration::from_secs(60),
            "h" | "hour" => Duration::from_secs(3600),
            _ => bail!("the unit must be s, min or h"),
        };
        let quota = Quota::with_period(period / count.get())
            .context("the rate is too high to be a limit")?
            .allow_burst(count);
        Ok(Self { tools: Pattern::new(glob.trim())?, quota })
    }
}

/// The operator's switches and globs.
pub(crate) struct Policy {
    /// The setting that says so.
    read_only: Option<&'static str>,
    disable_destructive: bool,
    confirm_destructive: bool,
    allow: Option<Vec<Pattern>>,
    deny: Vec<Pattern>,
    limits: Vec<(Pattern, Arc<Limiter>)>,
}

impl Policy {
    /// `also_read_only` is a setting of the server's own, and is on.
    pub(crate) fn new(settings: &Settings, also_read_only: Option<&'static str>) -> anyhow::Result<Self> {
        let allow = match settings.allow_tools.as_slice() {
            [] => None,
            globs => Some(patterns(globs).context("--allow-tools (GANTRY_ALLOW_TOOLS)")?),
        };
        Ok(Self {
            read_only: settings.read_only.then_some("--read-only").or(also_read_only),
            disable_destructive: settings.disable_destructive,
            confirm_destructive: settings.ask.confirm_destructive,
            allow,
            deny: patterns(&settings.deny_tools).context("--deny-tools (GANTRY_DENY_TOOLS)")?,
            limits: settings.rate_limit.iter().map(RateLimit::limiter).collect(),
        })
    }

    /// Refuses a glob that names none of these: a typing error would leave a tool open, or unlimited.
    pub(crate) fn check(&self, tools: &[String], methods: &[String]) -> anyhow::Result<()> {
        let globs = (self.allow.iter().flatten().map(|glob| ("--allow-tools (GANTRY_ALLOW_TOOLS)", glob)))
            .chain(self.deny.iter().map(|glob| ("--deny-tools (GANTRY_DENY_TOOLS)", glob)))
            .chain(self.limits.iter().map(|(glob, _)| ("--rate-limit (GANTRY_RATE_LIMIT)", glob)));
        for (setting, glob) in globs {
            if !tools.iter().chain(methods).any(|name| glob.matches(name)) {
                let like =
                    methods.first().map(|name| format!(", and methods like {name}")).unwrap_or_default();
                bail!("{setting}: there is no tool {glob}; there are {}{like}", tools.join(", "));
            }
        }
        Ok(())
    }

    /// What holds for one tool, or one of its methods, under each of its names: the first is what it is called, the last
    /// what it is counted as. An alias is bound by its tool's name too.
    pub(crate) fn gate(&self, effect: Effect, names: &[impl AsRef<str>]) -> Gate {
        let (writes, destroys) = (effect > Effect::Reads, effect == Effect::Destroys);
        let names: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
        let named =
            |globs: &Vec<Pattern>| names.iter().any(|name| globs.iter().any(|glob| glob.matches(name)));
        let closed = if let Some(setting) = self.read_only.filter(|_| writes) {
            Some(setting)
        } else if self.disable_destructive && destroys {
            Some("--disable-destructive")
        } else if named(&self.deny) {
            Some("--deny-tools")
        } else if !self.allow.as_ref().is_none_or(named) {
            Some("--allow-tools")
        } else {
            None
        };
        let limits = self.limits.iter().filter(|(glob, _)| names.iter().any(|name| glob.matches(name)));
        let limiters = limits.map(|(_, limiter)| limiter.clone()).collect();
        let name = names.first().copied().unwrap_or_default().into();
        let counted_as = names.last().copied().unwrap_or_default().into();
        Gate { name, effect, confirms: destroys && self.confirm_destructive, closed, limiters, counted_as }
    }
}

impl RateLimit {
    fn limiter(&self) -> (Pattern, Arc<Limiter>) {
        let limiter = Limiter { calls: RateLimiter::keyed(self.quota), swept: Mutex::new(Instant::now()) };
        (self.tools.clone(), Arc::new(limiter))
    }
}

/// Counts calls by caller and tool.
struct Limiter {
    calls: DefaultKeyedRateLimiter<(Arc<str>, Arc<str>)>,
    swept: Mutex<Instant>,
}

impl Limiter {
    /// Gives the time to wait when the limit is reached.
    fn count(&self, caller: &Arc<str>, tool: &Arc<str>) -> Result<(), Duration> {
        self.sweep();
        self.calls
            .check_key(&(caller.clone(), tool.clone()))
            .map_err(|refusal| refusal.wait_time_from(DefaultClock::default().now()))
    }

    /// Forgets who has been quiet, once there are many.
    fn sweep(&self) {
        if self.calls.len() > CALLERS_REMEMBERED
            && let Ok(mut swept) = self.swept.try_lock()
            && swept.elapsed() > SWEEP
        {
            *swept = Instant::now();
            self.calls.retain_recent();
        }
    }
}

fn patterns(globs: &[String]) -> anyhow::Result<Vec<Pattern>> {
    globs.iter().map(|glob| Ok(Pattern::new(glob.trim())?)).collect()
}

/// What the policy says of one tool, or of one of its methods.
#[derive(Clone)]
pub(crate) struct Gate {
    /// What it is called.
    name: Arc<str>,
    pub(crate) effect: Effect,
    /// The operator wants every call of it confirmed.
    pub(crate) confirms: bool,
    /// The setting that took it out of this server.
    pub(crate) closed: Option<&'static str>,
    limiters: Vec<Arc<Limiter>>,
    /// An alias is counted as the tool it stands for.
    counted_as: Arc<str>,
}

impl Gate {
    /// Whether it changes something.
    pub(crate) fn writes(&self) -> bool {
        self.effect > Effect::Reads
    }

    /// Whether this role sees it.
    pub(crate) fn shows(&self, role: Role) -> bool {
        self.closed.is_none() && (role > Role::Read || !self.writes())
    }

    /// Whether the caller may call this at all.
    pub(crate) fn allow(&self, principal: &Principal) -> Result<(), ToolError> {
        let name = &self.name;
        if let Some(setting) = self.closed {
            return Err(ToolError::new(
                Code::Forbidden,
                format!("{name} is switched off on this server by {setting}"),
            ));
        }
        if principal.role == Role::Read && self.writes() {
            return Err(ToolError::new(
                Code::Forbidden,
                format!("{name} changes things; the key {} may only read", principal.name),
            ));
        }
        Ok(())
    }

    /// Counts a call towards the limits.
    pub(crate) fn count(&self, principal: &Principal) -> Result<(), ToolError> {
        let name = &self.name;
        self.limiters.iter().try_for_each(|limiter| {
            limiter.count(&principal.name, &self.counted_as).map_err(|wait| {
                let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
                ToolError::new(Code::RateLimited, format!("{name} is rate limited; try again in {seconds} s"))
                    .with("retry_after", seconds)
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rmcp::model::{Tool, ToolAnnotations};

    fn policy(change: impl FnOnce(&mut Policy)) -> Policy {
        let mut policy = Policy {
            read_only: None,
            disable_destructive: false,
            confirm_destructive: false,
            allow: None,
            deny: vec![],
            limits: vec![],
        };
        change(&mut policy);
        policy
    }

    fn tool(read_only: bool, destructive: bool) -> Effect {
        let hints = ToolAnnotations::new().read_only(read_only).destructive(destructive);
        Effect::of(&Tool::new("x", "x", serde_json::Map::new()).with_annotations(hints))
    }

    fn principal(name: &str, role: Role) -> Principal {
        Principal::new(name, role)
    }

    #[test]
    fn switches_close_tools_for_everyone() {
        let read_only = policy(|policy| policy.read_only = Some("--read-only"));
        assert!(!read_only.gate(tool(false, false), &["x"]).shows(Role::Admin));
        assert!(read_only.gate(tool(true, false), &["x"]).shows(Role::Read));
        let no_destruction = policy(|policy| policy.disable_destructive = true);
        assert!(!no_destruction.gate(tool(false, true), &["x"]).shows(Role::Admin));
        assert!(no_destruction.gate(tool(false, false), &["x"]).shows(Role::Write));
        // A tool that does not say is taken for destructive, as the protocol has it.
        let silent = Effect::of(&Tool::new("x", "x", serde_json::Map::new()));
        assert!(!no_destruction.gate(silent, &["x"]).shows(Role::Admin));
    }

    #[test]
    fn an_alias_cannot_get_round_its_tools_name() {
        let deny = policy(|policy| policy.deny = patterns(&["docker_restart".into()]).expect("glob"));
        let gate = deny.gate(tool(false, false), &["restart_service", "docker_restart"]);
        let error = gate.allow(&principal("ops", Role::Admin)).expect_err("denied");
        assert_eq!(error.code, Code::Forbidden);
    }

    #[test]
    fn a_read_key_calls_only_what_it_sees() {
        let gate = policy(|_| {}).gate(tool(false, false), &["x"]);
        assert!(!gate.shows(Role::Read));
        assert_eq!(gate.allow(&principal("ci", Role::Read)).expect_err("no").code, Code::Forbidden);
        assert!(gate.allow(&principal("ci", Role::Write)).is_ok());
    }

    #[test]
    fn limits_are_per_caller() {
        let gate =
            policy(|policy| policy.limits = vec!["x*=2/min".parse::<RateLimit>().expect("limit").limiter()]);
        let (gate, alias) =
            (gate.gate(tool(true, false), &["x"]), gate.gate(tool(true, false), &["old_x", "x"]));
        let (one, two) = (principal("one", Role::Read), principal("two", Role::Read));
        assert!(gate.count(&one).is_ok() && alias.count(&one).is_ok());
        let error = gate.count(&one).expect_err("limited");
        assert_eq!(error.code, Code::RateLimited);
        assert!((1..=30).contains(&error.details["retry_after"].as_u64().expect("seconds")));
        assert!(gate.count(&two).is_ok());
    }

    #[test]
    fn a_limit_that_cannot_be_read_is_refused() {
        for text in ["x", "x=1", "x=0/min", "x=-1/s", "x=1/day", "[=1/s"] {
            assert!(text.parse::<RateLimit>().is_err(), "{text}");
        }
    }
}
